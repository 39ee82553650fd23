#pragma once
// The modes that find rows of the target by key: from the temporary table into the
// target, inside the window's transaction.
#include <cstdint>
#include <stop_token>
#include <string>

#include <arrow/status.h>

#include "connectors/duckdb/writer.h"

namespace dxt::duckdb {

/// Applies `rows` rows of `stage` (SQL) to `fill` (SQL), the target. Sets the counts of
/// `load.result`; what a mirror's guards need is left in `load` for Commit.
arrow::Status ApplyKeyed(const WriteSpec& spec, const std::string& stage,
                         const std::string& fill, int64_t rows, HeldLoad& load,
                         std::stop_token stop);

}  // namespace dxt::duckdb
