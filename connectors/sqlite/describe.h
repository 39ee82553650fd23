#pragma once
// Which columns a stream has, and of what types.
#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "connectors/sdk/stream.h"
#include "connectors/sqlite/catalogue.h"

namespace dxt::sqlite {

class Connection;

/// What to do with an undeclared column whose values are of several storage classes.
enum class Mixed : uint8_t { kRefuse, kText };

/// The columns of a table or view. Undeclared ones cost one scan of it.
arrow::Result<StreamInfo> DescribeTable(Connection& connection, const TableEntry& table,
                                        Mixed mixed);
/// The columns of a query's result; its placeholders read as NULL.
arrow::Result<StreamInfo> DescribeQuery(Connection& connection, const std::string& query);
/// The types of expressions over `from` (a quoted table, or a query in brackets).
arrow::Result<std::vector<Field>> DescribeExpressions(
    Connection& connection, const std::string& from,
    const std::vector<std::string>& expressions);

/// The table or view that `ref` names; kConfig "sqlite.table_missing" with 'did you
/// mean'.
arrow::Result<TableEntry> RequireTable(Connection& connection,
                                       const std::string& reference);
/// `(query) AS _dxt_q` with every placeholder replaced by NULL.
std::string QueryWithoutValues(const std::string& query);

}  // namespace dxt::sqlite
