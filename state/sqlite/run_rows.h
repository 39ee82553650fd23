#pragma once
// Rows of the table `runs` as records.
#include <string>
#include <utility>

#include "state/sqlite/database.h"
#include "state/state_store.h"

namespace dxt {

/// `condition` is what follows FROM: WHERE, ORDER BY, LIMIT.
arrow::Result<std::vector<RunRecord>> ReadRuns(StateDatabase::Transaction& transaction,
                                               std::string_view condition,
                                               const StateDatabase::Values& values);
/// Likewise by an index that holds only runs that have not ended: `condition` must repeat
/// the index's own. The planner would take one that leads through the history.
arrow::Result<std::vector<RunRecord>> ReadRunsBy(StateDatabase::Transaction& transaction,
                                                 std::string_view index,
                                                 std::string_view condition,
                                                 const StateDatabase::Values& values);
/// Of a whole statement, such as ListStatement's.
arrow::Result<std::vector<RunRecord>> QueryRuns(StateDatabase::Transaction& transaction,
                                                std::string_view sql,
                                                const StateDatabase::Values& values);
/// The last row of them.
arrow::Result<std::optional<RunRecord>> FindRun(StateDatabase::Transaction& transaction,
                                                std::string_view condition,
                                                const StateDatabase::Values& values);
/// The statement that answers `query`, which must outlive the values.
std::pair<std::string, StateDatabase::Values> ListStatement(const RunQuery& query);

}  // namespace dxt
