#pragma once
#include <cstdint>

#include <arrow/status.h>

#include "connectors/sdk/destination.h"

namespace dxt {

/// Tests what a replace or mirror is about to do to a table of `before` rows that will
/// have `after`; kGuard "guard.empty" or "guard.shrink". Tables below 100 rows may shrink
/// freely (contracts 3.7).
arrow::Status CheckGuards(const CommitGuards& guards, int64_t before, int64_t after);

}  // namespace dxt
