#pragma once
// What the server's catalogue says about tables, for source and destination alike.
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "connectors/postgres/type_map.h"
#include "connectors/sdk/stream.h"

namespace dxt::postgres {

class Connection;

struct CatalogColumn {
  std::string name;
  std::string type;  ///< format_type() of the base type (of a domain: what it stands on).
  std::string receive;  ///< The base type's binary input function, "int4recv".
  bool composite = false;
  int dimensions = 0;
  bool not_null = false;
  bool has_default = false;
  bool generated = false;  ///< Computed, or identity ALWAYS.
};

struct CatalogTable {
  std::string schema, name;
  int64_t oid = 0;
  char kind = 'r';          ///< pg_class.relkind
  bool splittable = false;  ///< A heap of its own, whose rows stand in numbered blocks.
  int64_t estimated_rows = -1;
  std::vector<CatalogColumn> columns;
  std::vector<std::string> primary_key;
};

/// A reference resolved against a connection's default schema.
struct TableName {
  std::string schema, name;
};

/// Splits and completes a reference; a third, leading part must name the database.
arrow::Result<TableName> ResolveName(Connection& connection, const std::string& reference,
                                     const std::string& database,
                                     const std::string& default_schema,
                                     std::stop_token stop);

/// All tables and views of `schema` ("" = all but the system's), or the one named `name`,
/// with columns and primary key, by one query. dxt's own tables are left out of listings.
arrow::Result<std::vector<CatalogTable>> LoadTables(Connection& connection,
                                                    const std::string& schema,
                                                    const std::string& name,
                                                    std::stop_token stop);

/// Names of all tables and views of a schema that exist, for matching and 'did you mean'.
arrow::Result<std::vector<std::string>> TableNames(Connection& connection,
                                                   const std::string& schema,
                                                   std::stop_token stop);
arrow::Result<std::vector<std::string>> SchemaNames(Connection& connection,
                                                    std::stop_token stop);

/// format_type() and composite flag of result columns, domains resolved to their base.
struct NamedType {
  std::string type;
  bool composite = false;
};
arrow::Result<std::vector<NamedType>> NameTypes(
    Connection& connection, const std::vector<std::pair<uint32_t, int32_t>>& types,
    std::stop_token stop);

/// The column as a stream's field.
Field FieldOf(const CatalogColumn& column);

}  // namespace dxt::postgres
