#pragma once
// What stands in a database, as its catalogue functions tell.
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "connectors/duckdb/session.h"
#include "connectors/sdk/stream.h"

namespace dxt::duckdb {

/// A table or view that a reference names; `exists` is false for one that may be created.
struct TableName {
  std::string schema;
  std::string table;
  bool schema_exists = false;
  bool exists = false;
  bool is_view = false;
  /// The nearest existing name, for "did you mean"; may be empty.
  std::string nearest;

  std::string Quoted() const;
};

struct CatalogColumn {
  std::string name;
  std::string native;
  bool nullable = true;
  std::optional<std::string> default_sql;
  bool generated = false;
  std::optional<std::string> comment;
};

struct CatalogConstraint {
  std::string kind;  ///< "PRIMARY KEY", "UNIQUE", "CHECK", "FOREIGN KEY", "NOT NULL".
  std::vector<std::string> columns;
};

/// Resolves a reference: each part must match exactly, else one case-insensitive match is
/// taken. A part before the schema must be the database's own name.
arrow::Result<TableName> FindTable(Session& session, const std::string& reference,
                                   const std::string& default_schema,
                                   std::stop_token stop);

/// kConfig "duckdb.table_missing" with 'did you mean'.
arrow::Status TableMissing(const TableName& name, const std::string& path);

/// Columns of a table or view in their order.
arrow::Result<std::vector<CatalogColumn>> ColumnsOf(Session& session,
                                                    const TableName& name,
                                                    std::stop_token stop);
arrow::Result<std::vector<CatalogConstraint>> ConstraintsOf(Session& session,
                                                            const TableName& name,
                                                            std::stop_token stop);

/// Names and native types of the result of a SELECT, which is not run.
arrow::Result<std::vector<Field>> DescribeSelect(Session& session,
                                                 const std::string& select,
                                                 std::string_view action,
                                                 std::stop_token stop);

/// Every table and view that is not the system's or dxt's own; `schema` "" = all.
arrow::Result<std::vector<StreamInfo>> DiscoverTables(Session& session,
                                                      const std::string& schema,
                                                      std::stop_token stop);

}  // namespace dxt::duckdb
