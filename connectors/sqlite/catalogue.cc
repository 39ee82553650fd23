#include "connectors/sqlite/catalogue.h"

#include <algorithm>

#include <strings.h>

#include "base/error.h"
#include "connectors/sql/identifier.h"
#include "connectors/sqlite/connection.h"

namespace dxt::sqlite {
namespace {

bool SameName(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

arrow::Status ReadColumns(Connection& connection, TableEntry* table) {
  ARROW_ASSIGN_OR_RAISE(
      auto columns,
      connection.Prepare(
          "SELECT name, type, \"notnull\", dflt_value IS NOT NULL, hidden, pk "
          "FROM pragma_table_xinfo($1)"));
  ARROW_RETURN_NOT_OK(columns.BindText(1, table->name));
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const bool more, columns.Step());
    if (!more) break;
    const int64_t hidden = columns.Integer(4);
    if (hidden == 1) continue;  // A virtual table's argument, not data.
    ColumnEntry column;
    column.name = columns.Text(0);
    column.declared = columns.Text(1);
    column.not_null = columns.Integer(2) != 0;
    column.has_default = columns.Integer(3) != 0;
    column.generated = hidden != 0;
    column.key_position = static_cast<int>(columns.Integer(5));
    table->columns.push_back(std::move(column));
  }
  std::vector<const ColumnEntry*> key;
  for (const auto& column : table->columns) {
    if (column.key_position > 0) key.push_back(&column);
  }
  std::sort(key.begin(), key.end(), [](const ColumnEntry* a, const ColumnEntry* b) {
    return a->key_position < b->key_position;
  });
  for (const auto* column : key) table->primary_key.push_back(column->name);
  return arrow::Status::OK();
}

/// Finds out whether rows have a rowid, and whether a column is one.
arrow::Status ReadRowid(Connection& connection, TableEntry* table) {
  if (table->is_view || table->is_virtual) return arrow::Status::OK();
  for (const std::string name : {"rowid", "_rowid_", "oid"}) {
    const bool taken = std::any_of(
        table->columns.begin(), table->columns.end(),
        [&](const ColumnEntry& column) { return SameName(column.name, name); });
    if (taken) continue;
    const auto has = connection.Prepare("SELECT " + name + " FROM " +
                                        sql::QuoteIdentifier(table->name) + " LIMIT 0");
    if (has.ok()) table->rowid = name;
    break;
  }
  if (table->rowid.empty() || table->primary_key.size() != 1) return arrow::Status::OK();
  if (!SameName(table->Find(table->primary_key[0])->declared, "INTEGER")) {
    return arrow::Status::OK();
  }
  // "INTEGER PRIMARY KEY DESC" is the one form that has an index of its own instead.
  ARROW_ASSIGN_OR_RAISE(
      auto index,
      connection.Prepare("SELECT 1 FROM pragma_index_list($1) WHERE origin = 'pk'"));
  ARROW_RETURN_NOT_OK(index.BindText(1, table->name));
  ARROW_ASSIGN_OR_RAISE(const bool own_index, index.Step());
  if (!own_index) table->rowid_alias = table->primary_key[0];
  return arrow::Status::OK();
}

arrow::Status ReadKeys(Connection& connection, TableEntry* table) {
  if (!table->rowid_alias.empty()) table->unique_keys.push_back(table->primary_key);
  ARROW_ASSIGN_OR_RAISE(
      auto indexes, connection.Prepare(
                        "SELECT name FROM pragma_index_list($1) WHERE \"unique\" = 1 AND "
                        "partial = 0 ORDER BY origin <> 'pk', seq"));
  ARROW_RETURN_NOT_OK(indexes.BindText(1, table->name));
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const bool more, indexes.Step());
    if (!more) break;
    ARROW_ASSIGN_OR_RAISE(
        auto parts, connection.Prepare(
                        "SELECT name, coll FROM pragma_index_xinfo($1) WHERE key = 1"));
    ARROW_RETURN_NOT_OK(parts.BindText(1, indexes.Text(0)));
    std::vector<std::string> names;
    bool usable = true;
    while (true) {
      ARROW_ASSIGN_OR_RAISE(const bool part, parts.Step());
      if (!part) break;
      // An expression has no name; another collation holds different keys for equal.
      usable = usable && !parts.IsNull(0) && SameName(parts.Text(1), "BINARY");
      names.push_back(parts.Text(0));
    }
    if (usable && !names.empty()) table->unique_keys.push_back(std::move(names));
  }
  return arrow::Status::OK();
}

}  // namespace

const ColumnEntry* TableEntry::Find(const std::string& column) const {
  for (const auto& candidate : columns) {
    if (candidate.name == column) return &candidate;
  }
  return nullptr;
}

arrow::Result<std::vector<std::string>> TableNames(Connection& connection) {
  ARROW_ASSIGN_OR_RAISE(
      auto names,
      connection.Prepare(
          "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN "
          "('table', 'view', 'virtual') AND name NOT LIKE 'sqlite\\_%' ESCAPE "
          "'\\' AND name NOT LIKE '\\_dxt\\_%' ESCAPE '\\' ORDER BY name"));
  std::vector<std::string> found;
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const bool more, names.Step());
    if (!more) return found;
    found.push_back(names.Text(0));
  }
}

arrow::Result<std::optional<TableEntry>> ReadTable(Connection& connection,
                                                   const std::string& name) {
  ARROW_ASSIGN_OR_RAISE(
      auto entry,
      connection.Prepare("SELECT type, coalesce(sql, '') FROM sqlite_schema WHERE "
                         "name = $1 AND type IN ('table', 'view')"));
  ARROW_RETURN_NOT_OK(entry.BindText(1, name));
  ARROW_ASSIGN_OR_RAISE(const bool found, entry.Step());
  if (!found) return std::nullopt;
  TableEntry table;
  table.name = name;
  table.is_view = entry.Text(0) == "view";
  table.sql = entry.Text(1);
  entry.Reset();
  table.is_virtual =
      table.sql.size() > 14 && SameName(table.sql.substr(0, 14), "CREATE VIRTUAL");
  ARROW_RETURN_NOT_OK(ReadColumns(connection, &table));
  ARROW_RETURN_NOT_OK(ReadRowid(connection, &table));
  ARROW_RETURN_NOT_OK(ReadKeys(connection, &table));
  ARROW_ASSIGN_OR_RAISE(
      auto triggers,
      connection.Prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger' "
                         "AND tbl_name = $1 COLLATE NOCASE ORDER BY rowid"));
  ARROW_RETURN_NOT_OK(triggers.BindText(1, name));
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const bool more, triggers.Step());
    if (!more) break;
    table.triggers.push_back(triggers.Text(0));
  }
  return table;
}

arrow::Result<std::string> TableOfReference(const std::string& reference) {
  ARROW_ASSIGN_OR_RAISE(auto parts, sql::SplitReference(reference));
  if (parts.size() == 2 && SameName(parts[0], "main")) parts.erase(parts.begin());
  if (parts.size() == 1) return parts[0];
  return MakeError(ErrorClass::kConfig, "sqlite.reference",
                   "'" + reference + "' names a schema, which SQLite files do not have",
                   "Write the table's bare name; put a name with dots in double quotes");
}

arrow::Result<std::optional<std::string>> FindTable(Connection& connection,
                                                    const std::string& reference) {
  ARROW_ASSIGN_OR_RAISE(const auto wanted, TableOfReference(reference));
  ARROW_ASSIGN_OR_RAISE(
      auto names, connection.Prepare(
                      "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')"));
  std::vector<std::string> known;
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const bool more, names.Step());
    if (!more) break;
    known.push_back(names.Text(0));
  }
  const int found = sql::MatchName(known, wanted);
  if (found < 0) return std::nullopt;
  return known[found];
}

}  // namespace dxt::sqlite
