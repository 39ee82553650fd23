#pragma once
#include <cstdint>
#include <optional>

#include <arrow/status.h>

#include "connectors/sdk/destination.h"

namespace dxt {

/// Tests what a replace is about to do to a table of `before` rows that will have
/// `after`; kGuard "guard.empty" or "guard.shrink". Tables below 100 rows may shrink
/// freely (contracts 3.7).
arrow::Status CheckGuards(const CommitGuards& guards, int64_t before, int64_t after);

/// The same for a mirror: it loads `loaded` rows and deletes `deleted` of the `before`
/// rows that it may delete. Rows that it inserts make up for none.
arrow::Status CheckDeletes(const CommitGuards& guards, int64_t loaded, int64_t before,
                           int64_t deleted);

/// Tests that `record` continues the chain whose newest load is `last` (contracts 3.2):
/// the next window, from the cursor that the last one reached; kData "load.stale".
arrow::Status CheckChain(const std::optional<LoadRecord>& last, const LoadRecord& record);

}  // namespace dxt
