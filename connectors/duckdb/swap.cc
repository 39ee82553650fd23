#include "connectors/duckdb/swap.h"

#include <algorithm>

#include "base/error.h"
#include "connectors/duckdb/keys.h"
#include "connectors/sql/identifier.h"

namespace dxt::duckdb {
namespace {

// An index entry without its key, and a key column, in bytes; measured with integers.
constexpr int64_t kIndexEntry = 16;
constexpr int64_t kIndexColumn = 16;

std::string ColumnSql(const CatalogColumn& column) {
  std::string text = sql::QuoteIdentifier(column.name) + " " + column.native;
  if (column.default_sql) text += " DEFAULT (" + *column.default_sql + ")";
  if (!column.nullable) text += " NOT NULL";
  return text;
}

/// The text behind the table's name in the catalogue's own CREATE TABLE.
arrow::Result<std::string> Definition(Session& session, const TableName& old,
                                      std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(
      auto rows,
      session.Rows("SELECT sql FROM duckdb_tables() WHERE schema_name = $1 AND "
                   "table_name = $2 AND database_name = current_database()",
                   "Reading the catalogue", stop, {old.schema, old.table}));
  const std::string text = rows.empty() ? "" : rows[0][0].value_or("");
  // The name may be quoted and hold any character; the column list follows it.
  char quote = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '"') quote = quote ? 0 : '"';
    if (quote || text[at] != '(') continue;
    std::string definition = text.substr(at);
    while (definition.ends_with(';')) definition.pop_back();
    return definition;
  }
  return MakeError(ErrorClass::kInternal, "duckdb.definition",
                   "The catalogue has no definition of " + old.Quoted());
}

arrow::Status Run(Session& session, const std::string& statement, const TableName& old,
                  std::stop_token stop) {
  return session.Execute(statement, "Replacing " + old.Quoted(), stop).status();
}

}  // namespace

arrow::Result<std::string> CloneSql(Session& session, const TableName& old,
                                    const std::string& name, bool* plain,
                                    std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(auto columns, ColumnsOf(session, old, stop));
  ARROW_ASSIGN_OR_RAISE(auto constraints, ConstraintsOf(session, old, stop));
  const std::string create =
      "CREATE TABLE " + sql::QuoteReference({old.schema, name}) + " ";
  *plain =
      std::none_of(columns.begin(), columns.end(),
                   [](const auto& column) { return column.generated; }) &&
      std::all_of(constraints.begin(), constraints.end(), [](const auto& constraint) {
        return constraint.kind == "NOT NULL" || constraint.kind == "PRIMARY KEY";
      });
  if (!*plain) {
    ARROW_ASSIGN_OR_RAISE(auto definition, Definition(session, old, stop));
    return create + definition;
  }
  std::string list;
  for (const auto& column : columns)
    list += (list.empty() ? "(" : ", ") + ColumnSql(column);
  return create + list + ")";
}

arrow::Status Swap(Session& session, const TableName& old, const std::string& fill_table,
                   bool carry, std::stop_token stop) {
  std::vector<std::string> after;
  if (carry) {
    ARROW_ASSIGN_OR_RAISE(
        auto indexes,
        session.Rows(
            "SELECT sql FROM duckdb_indexes() WHERE schema_name = $1 AND table_name "
            "= $2 AND database_name = current_database() AND sql IS NOT NULL",
            "Reading the catalogue", stop, {old.schema, old.table}));
    for (const auto& row : indexes) after.push_back(row[0].value_or(""));
    ARROW_ASSIGN_OR_RAISE(
        auto comments,
        session.Rows("SELECT comment FROM duckdb_tables() WHERE schema_name = $1 AND "
                     "table_name = $2 AND database_name = current_database()",
                     "Reading the catalogue", stop, {old.schema, old.table}));
    if (!comments.empty() && comments[0][0]) {
      after.push_back("COMMENT ON TABLE " + old.Quoted() + " IS " +
                      sql::QuoteLiteral(*comments[0][0]));
    }
    ARROW_ASSIGN_OR_RAISE(auto columns, ColumnsOf(session, old, stop));
    for (const auto& column : columns) {
      if (!column.comment) continue;
      after.push_back("COMMENT ON COLUMN " + old.Quoted() + "." +
                      sql::QuoteIdentifier(column.name) + " IS " +
                      sql::QuoteLiteral(*column.comment));
    }
  }
  ARROW_RETURN_NOT_OK(Run(session, "DROP TABLE " + old.Quoted(), old, stop));
  ARROW_RETURN_NOT_OK(Run(session,
                          "ALTER TABLE " + sql::QuoteReference({old.schema, fill_table}) +
                              " RENAME TO " + sql::QuoteIdentifier(old.table),
                          old, stop));
  for (const auto& statement : after)
    ARROW_RETURN_NOT_OK(Run(session, statement, old, stop));
  return arrow::Status::OK();
}

arrow::Result<bool> AddPrimaryKey(Session& session, const TableName& table,
                                  const std::vector<std::string>& keys, int64_t rows,
                                  int64_t memory, std::stop_token stop) {
  ARROW_RETURN_NOT_OK(CheckUnique(session, table.Quoted(), table.Quoted(), keys,
                                  "Name a unique key, or load with mode upsert", stop));
  const int64_t index =
      rows * (kIndexEntry + kIndexColumn * static_cast<int64_t>(keys.size()));
  if (index > memory - memory / 4) return false;
  std::string list;
  for (const auto& key : keys)
    list += (list.empty() ? "" : ", ") + sql::QuoteIdentifier(key);
  ARROW_RETURN_NOT_OK(
      session
          .Execute("ALTER TABLE " + table.Quoted() + " ADD PRIMARY KEY (" + list + ")",
                   "Adding the primary key of " + table.Quoted(), stop)
          .status());
  return true;
}

}  // namespace dxt::duckdb
