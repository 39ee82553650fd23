#pragma once
// Replacing a table by another in one transaction (contracts 3.5).
#include <optional>
#include <stop_token>
#include <string>

#include <arrow/result.h>

#include "connectors/duckdb/catalog.h"

namespace dxt::duckdb {

/// CREATE TABLE for a table `name` beside `old` with its columns, defaults and NOT NULLs.
/// `plain` is set when the old table has no constraint but NOT NULL and a primary key:
/// then the key is left out, to be added once the rows are in. Otherwise the definition
/// is the old one word for word.
arrow::Result<std::string> CloneSql(Session& session, const TableName& old,
                                    const std::string& name, bool* plain,
                                    std::stop_token stop);

/// Drops `old`, gives its name to `fill_table` of the same schema and, with `carry`,
/// makes its indexes and comments again. Views hold by name.
arrow::Status Swap(Session& session, const TableName& old, const std::string& fill_table,
                   bool carry, std::stop_token stop);

/// Adds the primary key to a table filled in this transaction, after proving the keys
/// unique and not NULL: DuckDB itself tests them only at commit, naming no column. False
/// when it was left out because its index would not fit into `memory` bytes.
arrow::Result<bool> AddPrimaryKey(Session& session, const TableName& table,
                                  const std::vector<std::string>& keys, int64_t rows,
                                  int64_t memory, std::stop_token stop);

}  // namespace dxt::duckdb
