#include "connectors/postgres/catalog.h"

#include "base/error.h"
#include "base/spelling.h"
#include "connectors/postgres/connection.h"
#include "connectors/sql/identifier.h"

namespace dxt::postgres {
namespace {

/// Empty, so that format_type() qualifies everything that is not built in.
constexpr const char* kBeginLookup =
    "BEGIN READ ONLY; SET LOCAL search_path = ''; SET LOCAL DateStyle = 'ISO, MDY'";

// The base of a domain (and of a domain over a domain) is what its values look like.
constexpr const char* kTablesSql = R"(
SELECT n.nspname, c.relname, c.oid, c.relkind,
       c.relkind = 'r' AND NOT c.relhassubclass AND c.relam = 2,
       c.reltuples::int8, a.attname,
       pg_catalog.format_type(b.oid, b.typmod),
       t.typreceive::regproc::text,
       t.typtype = 'c' OR coalesce(e.typtype = 'c', false),
       a.attndims, a.attnotnull OR b.not_null,
       a.atthasdef OR a.attidentity <> '',
       a.attgenerated <> '' OR a.attidentity = 'a',
       coalesce(pg_catalog.array_position(i.indkey::int2[], a.attnum), -1)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_attribute a
  ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN LATERAL (
  WITH RECURSIVE d(oid, typmod, not_null) AS (
    SELECT a.atttypid, a.atttypmod, false
    UNION ALL
    SELECT s.typbasetype, s.typtypmod, d.not_null OR s.typnotnull
    FROM d JOIN pg_catalog.pg_type s ON s.oid = d.oid WHERE s.typtype = 'd')
  SELECT d.oid, d.typmod, d.not_null FROM d
  JOIN pg_catalog.pg_type s ON s.oid = d.oid WHERE s.typtype <> 'd') b ON true
LEFT JOIN pg_catalog.pg_type t ON t.oid = b.oid
LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typlen = -1 AND t.typcategory = 'A'
LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisprimary
WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND )";

constexpr const char* kListingSql = R"(
  n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT c.relispartition
  AND c.relname !~ '^_dxt_(loads|fence|keys|s_.*)$'
  AND ($1 = '' OR n.nspname = $1) AND $2 = '')";

arrow::Result<ResultSet> LookUp(Connection& connection, const std::string& sql,
                                const Parameters& parameters, std::stop_token stop) {
  constexpr std::string_view doing = "Reading the catalogue";
  ARROW_RETURN_NOT_OK(connection.Run(kBeginLookup, doing, stop).status());
  auto result = connection.Query(sql, parameters, doing, stop);
  if (!connection.broken()) {
    ARROW_RETURN_NOT_OK(connection.Run("COMMIT", doing, stop).status());
  }
  return result;
}

}  // namespace

arrow::Result<TableName> ResolveName(Connection& connection, const std::string& reference,
                                     const std::string& database,
                                     const std::string& default_schema,
                                     std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(auto parts, sql::SplitReference(reference));
  if (parts.size() == 3 && parts[0] == database) parts.erase(parts.begin());
  if (parts.size() > 2) {
    return MakeError(ErrorClass::kConfig, "reference.invalid",
                     "The reference '" + reference +
                         "' has too many parts: this connection "
                         "reads database '" +
                         database + "'",
                     "Write schema.table; put names with dots in double quotes");
  }
  if (parts.size() == 2) return TableName{parts[0], parts[1]};
  if (!default_schema.empty()) return TableName{default_schema, parts[0]};
  ARROW_ASSIGN_OR_RAISE(auto current,
                        connection.Query("SELECT pg_catalog.current_schema()", {},
                                         "Asking for the default schema", stop));
  std::string schema = current.Text(0, 0);
  return TableName{schema.empty() ? "public" : schema, parts[0]};
}

arrow::Result<std::vector<CatalogTable>> LoadTables(Connection& connection,
                                                    const std::string& schema,
                                                    const std::string& name,
                                                    std::stop_token stop) {
  std::string sql = kTablesSql;
  sql += name.empty() ? kListingSql : " n.nspname = $1 AND c.relname = $2";
  sql += " ORDER BY n.nspname, c.relname, a.attnum";
  ARROW_ASSIGN_OR_RAISE(auto rows, LookUp(connection, sql, {schema, name}, stop));
  std::vector<CatalogTable> tables;
  std::vector<std::pair<int64_t, std::string>> key;
  const auto close = [&]() {
    if (tables.empty()) return;
    tables.back().primary_key.resize(key.size());
    for (const auto& [at, column] : key) {
      if (at < static_cast<int64_t>(key.size())) tables.back().primary_key[at] = column;
    }
    key.clear();
  };
  for (int row = 0; row < rows.rows(); ++row) {
    if (tables.empty() || tables.back().oid != rows.Int(row, 2)) {
      close();
      CatalogTable table;
      table.schema = rows.Text(row, 0);
      table.name = rows.Text(row, 1);
      table.oid = rows.Int(row, 2);
      table.kind = rows.Get(row, 3).front();
      table.splittable = rows.Bool(row, 4);
      table.estimated_rows = rows.Int(row, 5);
      tables.push_back(std::move(table));
    }
    if (rows.IsNull(row, 6)) continue;  // A table without columns.
    CatalogColumn column;
    column.name = rows.Text(row, 6);
    column.type = rows.Text(row, 7);
    column.receive = rows.Text(row, 8);
    column.composite = rows.Bool(row, 9);
    column.dimensions = static_cast<int>(rows.Int(row, 10));
    column.not_null = rows.Bool(row, 11);
    column.has_default = rows.Bool(row, 12);
    column.generated = rows.Bool(row, 13);
    if (const int64_t at = rows.Int(row, 14); at >= 0) key.emplace_back(at, column.name);
    tables.back().columns.push_back(std::move(column));
  }
  close();
  if (name.empty()) {
    const std::string& prefix = connection.metadata().prefix;
    std::erase_if(tables, [&](const CatalogTable& table) {
      return table.name == prefix + "loads" || table.name == prefix + "fence" ||
             table.name == prefix + "keys";
    });
  }
  return tables;
}

arrow::Result<std::vector<std::string>> TableNames(Connection& connection,
                                                   const std::string& schema,
                                                   std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(
      auto rows,
      LookUp(connection,
             "SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n "
             "ON n.oid = c.relnamespace WHERE n.nspname = $1 "
             "AND c.relkind IN ('r', 'v', 'm', 'p', 'f') ORDER BY 1",
             {schema}, stop));
  std::vector<std::string> names;
  for (int row = 0; row < rows.rows(); ++row) names.push_back(rows.Text(row, 0));
  return names;
}

arrow::Result<std::vector<std::string>> SchemaNames(Connection& connection,
                                                    std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(
      auto rows,
      LookUp(connection, "SELECT nspname FROM pg_catalog.pg_namespace ORDER BY 1", {},
             stop));
  std::vector<std::string> names;
  for (int row = 0; row < rows.rows(); ++row) names.push_back(rows.Text(row, 0));
  return names;
}

arrow::Result<std::vector<NamedType>> NameTypes(
    Connection& connection, const std::vector<std::pair<uint32_t, int32_t>>& types,
    std::stop_token stop) {
  std::string oids = "{", modifiers = "{";
  for (const auto& [oid, modifier] : types) {
    if (oids.size() > 1) {
      oids += ',';
      modifiers += ',';
    }
    oids += std::to_string(oid);
    modifiers += std::to_string(modifier);
  }
  ARROW_ASSIGN_OR_RAISE(
      auto rows,
      LookUp(connection,
             "SELECT pg_catalog.format_type(q.oid, q.typmod), t.typtype = 'c' OR "
             "t.oid = 2249 OR coalesce(e.typtype = 'c', false) "
             "FROM unnest($1::oid[], $2::int4[]) WITH ORDINALITY "
             "AS q(oid, typmod, n) LEFT JOIN pg_catalog.pg_type t ON t.oid = q.oid "
             "LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typlen = -1 "
             "AND t.typcategory = 'A' ORDER BY q.n",
             {oids + "}", modifiers + "}"}, stop));
  std::vector<NamedType> named;
  for (int row = 0; row < rows.rows(); ++row) {
    named.push_back({rows.Text(row, 0), rows.Bool(row, 1)});
  }
  return named;
}

Field FieldOf(const CatalogColumn& column) {
  Field field;
  field.name = column.name;
  field.native = {std::string(kSystem), column.type};
  field.nullable = !column.not_null;
  field.type = ReadAs(ParseType(column.type), column.composite, column.dimensions);
  return field;
}

}  // namespace dxt::postgres
