#include "connectors/duckdb/catalog.h"

#include <algorithm>

#include "base/error.h"
#include "base/spelling.h"
#include "connectors/duckdb/types.h"
#include "connectors/sql/identifier.h"

namespace dxt::duckdb {
namespace {

constexpr char kReading[] = "Reading the catalogue";
// A character that no sane name holds; joins lists into one cell.
constexpr char kSeparator = '\x1f';

std::vector<std::string> Split(const std::string& text) {
  std::vector<std::string> parts;
  if (text.empty()) return parts;
  size_t at = 0;
  while (true) {
    const size_t next = text.find(kSeparator, at);
    parts.push_back(text.substr(at, next - at));
    if (next == std::string::npos) return parts;
    at = next + 1;
  }
}

Field FieldOf(const std::string& name, const std::string& native, bool nullable) {
  Field field;
  field.name = name;
  field.type = ReadTypeOf(native).type;
  field.nullable = nullable;
  field.native = {kSystem, native};
  return field;
}

arrow::Status CheckDatabase(Session& session, const std::string& database,
                            std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(auto rows,
                        session.Rows("SELECT current_database()", kReading, stop));
  const std::string own = rows.empty() ? "" : rows[0][0].value_or("");
  if (sql::MatchName({own}, database) == 0) return arrow::Status::OK();
  return MakeError(
      ErrorClass::kConfig, "duckdb.table_missing",
      "There is no database '" + database + "' in this file, only '" + own + "'",
      "Write schema.table");
}

}  // namespace

std::string TableName::Quoted() const { return sql::QuoteReference({schema, table}); }

arrow::Result<TableName> FindTable(Session& session, const std::string& reference,
                                   const std::string& default_schema,
                                   std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(auto parts, sql::SplitReference(reference));
  if (parts.size() > 3) {
    return MakeError(ErrorClass::kConfig, "reference.invalid",
                     "The reference '" + reference + "' has more than three parts",
                     "Write schema.table");
  }
  if (parts.size() == 3) ARROW_RETURN_NOT_OK(CheckDatabase(session, parts[0], stop));
  TableName name;
  name.table = parts.back();
  name.schema = parts.size() > 1 ? parts[parts.size() - 2] : default_schema;
  ARROW_ASSIGN_OR_RAISE(
      auto rows,
      session.Rows(
          "SELECT schema_name, NULL, NULL FROM duckdb_schemas() "
          "WHERE database_name = current_database() "
          "UNION ALL SELECT schema_name, table_name, 'table' FROM duckdb_tables() "
          "WHERE database_name = current_database() "
          "UNION ALL SELECT schema_name, view_name, 'view' FROM duckdb_views() "
          "WHERE database_name = current_database() AND NOT internal",
          kReading, stop));
  std::vector<std::string> schemas;
  for (const auto& row : rows) {
    if (!row[1]) schemas.push_back(row[0].value_or(""));
  }
  const int schema = sql::MatchName(schemas, name.schema);
  if (schema < 0) {
    name.nearest = NearestSpelling(name.schema, schemas);
    return name;
  }
  name.schema_exists = true;
  name.schema = schemas[static_cast<size_t>(schema)];
  std::vector<std::string> tables;
  std::vector<bool> views;
  for (const auto& row : rows) {
    if (!row[1] || row[0] != name.schema) continue;
    tables.push_back(*row[1]);
    views.push_back(row[2] == "view");
  }
  const int table = sql::MatchName(tables, name.table);
  if (table < 0) {
    name.nearest = NearestSpelling(name.table, tables);
    return name;
  }
  name.exists = true;
  name.table = tables[static_cast<size_t>(table)];
  name.is_view = views[static_cast<size_t>(table)];
  return name;
}

arrow::Status TableMissing(const TableName& name, const std::string& path) {
  std::string message = "There is no table or view " + name.Quoted() + " in " + path;
  if (!name.schema_exists)
    message = "There is no schema '" + name.schema + "' in " + path;
  return MakeError(ErrorClass::kConfig, "duckdb.table_missing", std::move(message),
                   name.nearest.empty() ? "List the tables: dxtctl discover CONNECTION"
                                        : "Did you mean '" + name.nearest + "'?");
}

arrow::Result<std::vector<CatalogColumn>> ColumnsOf(Session& session,
                                                    const TableName& name,
                                                    std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(
      auto rows,
      session.Rows("SELECT column_name, data_type, is_nullable, column_default, comment "
                   "FROM duckdb_columns() WHERE database_name = current_database() "
                   "AND schema_name = $1 AND table_name = $2 ORDER BY column_index",
                   kReading, stop, {name.schema, name.table}));
  // Only DESCRIBE tells a generated column from one with a default.
  ARROW_ASSIGN_OR_RAISE(auto described,
                        session.Rows("DESCRIBE " + name.Quoted(), kReading, stop));
  std::vector<CatalogColumn> columns;
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto& row = rows[i];
    CatalogColumn column;
    column.name = row[0].value_or("");
    column.native = row[1].value_or("");
    column.nullable = row[2] != "false";
    const bool has_default =
        i < described.size() && described[i].size() > 4 && described[i][4];
    column.generated = row[3] && !row[3]->empty() && !has_default;
    if (row[3] && !column.generated && !row[3]->empty()) column.default_sql = row[3];
    column.comment = row[4];
    columns.push_back(std::move(column));
  }
  return columns;
}

arrow::Result<std::vector<CatalogConstraint>> ConstraintsOf(Session& session,
                                                            const TableName& name,
                                                            std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(
      auto rows,
      session.Rows(
          "SELECT constraint_type, array_to_string(constraint_column_names, chr(31)) "
          "FROM duckdb_constraints() WHERE database_name = current_database() "
          "AND schema_name = $1 AND table_name = $2 ORDER BY constraint_index",
          kReading, stop, {name.schema, name.table}));
  std::vector<CatalogConstraint> constraints;
  for (const auto& row : rows) {
    constraints.push_back({row[0].value_or(""), Split(row[1].value_or(""))});
  }
  return constraints;
}

arrow::Result<std::vector<Field>> DescribeSelect(Session& session,
                                                 const std::string& select,
                                                 std::string_view action,
                                                 std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(auto rows, session.Rows("DESCRIBE " + select, action, stop));
  std::vector<Field> fields;
  for (const auto& row : rows) {
    fields.push_back(FieldOf(row[0].value_or(""), row[1].value_or(""), true));
  }
  return fields;
}

arrow::Result<std::vector<StreamInfo>> DiscoverTables(Session& session,
                                                      const std::string& schema,
                                                      std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(
      auto rows,
      session.Rows(
          "WITH relations AS ("
          "SELECT schema_name, table_name, false AS is_view, estimated_size AS size "
          "FROM duckdb_tables() WHERE database_name = current_database() AND NOT "
          "temporary "
          "UNION ALL SELECT schema_name, view_name, true, NULL FROM duckdb_views() "
          "WHERE database_name = current_database() AND NOT internal AND NOT temporary), "
          "keys AS (SELECT schema_name, table_name, "
          "array_to_string(constraint_column_names, chr(31)) AS columns "
          "FROM duckdb_constraints() WHERE database_name = current_database() "
          "AND constraint_type = 'PRIMARY KEY') "
          "SELECT r.schema_name, r.table_name, r.is_view, r.size, c.column_name, "
          "c.data_type, c.is_nullable, k.columns FROM relations r "
          "JOIN duckdb_columns() c ON c.database_name = current_database() "
          "AND c.schema_name = r.schema_name AND c.table_name = r.table_name "
          "LEFT JOIN keys k ON k.schema_name = r.schema_name AND k.table_name = "
          "r.table_name "
          "WHERE NOT starts_with(r.table_name, '_dxt_') AND ($1 = '' OR r.schema_name = "
          "$1) "
          "ORDER BY r.schema_name, r.table_name, c.column_index",
          kReading, stop, {schema}));
  std::vector<StreamInfo> streams;
  for (const auto& row : rows) {
    const std::string container = row[0].value_or(""), table = row[1].value_or("");
    if (streams.empty() || streams.back().schema != container ||
        streams.back().name != table) {
      StreamInfo info;
      info.kind = row[2] == "true" ? StreamKind::kView : StreamKind::kTable;
      info.schema = container;
      info.name = table;
      info.reference = sql::QuoteReference({container, table});
      if (row[3]) info.estimated_rows = std::stoll(*row[3]);
      info.columns.primary_key = Split(row[7].value_or(""));
      streams.push_back(std::move(info));
    }
    streams.back().columns.fields.push_back(
        FieldOf(row[4].value_or(""), row[5].value_or(""), row[6] != "false"));
  }
  return streams;
}

}  // namespace dxt::duckdb
