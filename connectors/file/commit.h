#pragma once
#include <string>
#include <vector>

#include <arrow/status.h>

#include "connectors/file/ledger.h"
#include "connectors/file/target.h"

namespace dxt::file {

/// Makes staged files the target's: writes `row` with what has to be moved and removed,
/// then does it, so that whoever comes after a crash can finish it. `old`: the target's
/// files so far. Call under the target's lock. kFenced when another run wrote the window;
/// an error after the row was begun carries `outcome_unknown`.
arrow::Status CommitStaged(const Target& target, const Ledger& ledger,
                           const std::vector<std::string>& paths, bool replace,
                           const TargetFiles& old, LedgerRow* row);

}  // namespace dxt::file
