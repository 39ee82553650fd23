#pragma once
#include <string>
#include <vector>

#include <arrow/result.h>

#include "connectors/sdk/destination.h"

namespace dxt::duckdb {

/// Compares wanted and existing; pure. See Destination::PlanTable.
arrow::Result<TablePlan> PlanDuckdbTable(const TableSpec& wanted,
                                         const TargetTable& existing);

/// CREATE TABLE of the planned columns under `reference` (quoted). `keys` become the
/// primary key; empty = none. `times`: columns behind the planned ones.
std::string CreateTableSql(const std::string& reference, const TablePlan& plan,
                           const std::vector<std::string>& keys,
                           const std::vector<TimeColumn>& times);

}  // namespace dxt::duckdb
