#pragma once
// What a load would do to its target table: pure decisions over what Describe saw.
#include <set>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "connectors/postgres/type_map.h"
#include "connectors/sdk/destination.h"

namespace dxt::postgres {

/// Types of the target's own that a column may be created with, as format_type() has
/// them.
using UserTypes = std::set<std::string>;

arrow::Result<TablePlan> MakeTablePlan(const TableSpec& wanted,
                                       const TargetTable& existing,
                                       const UserTypes& types);

/// The statements for a new table, apart, since the key is added after the rows.
struct NewTable {
  std::string create;
  std::string add_key;  ///< "" without keys.
};
/// The plan's columns, and those in which loads set times.
std::vector<TablePlan::Column> ColumnsToCreate(const TableSpec& wanted,
                                               const TablePlan& plan);
NewTable NewTableSql(const std::string& quoted,
                     const std::vector<TablePlan::Column>& columns,
                     const std::vector<std::string>& keys);

/// The unique index of a new table of versions: one of a key is open.
std::string OneOpenSql(const std::string& quoted, const TableSpec& wanted);

/// How `replace` will be done: the document's choice, or what `auto` makes of the table.
arrow::Result<ReplaceStrategy> ChooseStrategy(const TableSpec& wanted,
                                              const TargetTable& existing,
                                              std::string* reason);

/// Is there a unique index on exactly these columns?
bool HasUniqueKey(const TargetTable& table, const std::vector<std::string>& keys);

}  // namespace dxt::postgres
