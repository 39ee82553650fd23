#pragma once
// `_dxt_loads` and `_dxt_fence` of a SQLite file (contracts 3.2).
#include <optional>
#include <string>
#include <string_view>

#include <arrow/result.h>

#include "connectors/sdk/destination.h"

namespace dxt::sqlite {

class Connection;

/// False when the file lacks one of the ledger's tables, or both: nothing was ever
/// loaded, or somebody dropped them. kConfig "state.ledger_damaged" as of
/// LedgerSql::IsWhole.
arrow::Result<bool> HasLedger(Connection& connection);
arrow::Status CreateLedger(Connection& connection);
arrow::Result<std::optional<LoadRecord>> NewestLoad(Connection& connection,
                                                    const StreamIdentity& identity);
/// The lanes of a stream; none when there is no ledger.
arrow::Result<std::vector<std::string>> LanesOf(Connection& connection,
                                                const StreamIdentity& identity);
arrow::Result<bool> IsCommitted(Connection& connection, std::string_view load_id);
arrow::Result<bool> HasOtherPipeline(Connection& connection,
                                     const StreamIdentity& identity);
arrow::Result<int64_t> BumpFence(Connection& connection, const StreamIdentity& identity,
                                 const std::string& owner);
/// Adds the row and, last of all, tests the fence: kFenced "load.fenced".
arrow::Status RecordLoad(Connection& connection, const StreamIdentity& identity,
                         int64_t epoch, const std::string& owner,
                         const LoadRecord& record);

}  // namespace dxt::sqlite
