#pragma once
#include <stop_token>
#include <string>
#include <vector>

#include <arrow/status.h>
#include <arrow/type_fwd.h>

#include "connectors/duckdb/session.h"

namespace dxt::duckdb {

/// kData "load.duplicate_key" with one key when rows of `table` (SQL) have equal keys.
/// `target` is named in the message, `hint` says what to do.
arrow::Status CheckUnique(Session& session, const std::string& table,
                          const std::string& target, const std::vector<std::string>& keys,
                          const std::string& hint, std::stop_token stop);

/// kData "load.null_key" naming up to ten rows of `batch` with a NULL in a key column.
/// `first_row` is the number of the batch's first row in the window.
arrow::Status CheckNoNullKeys(const arrow::RecordBatch& batch,
                              const std::vector<std::string>& keys, int64_t first_row);

}  // namespace dxt::duckdb
