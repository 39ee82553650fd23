#pragma once
// What a SQLite file holds: tables, columns, keys.
#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>

namespace dxt::sqlite {

class Connection;

struct ColumnEntry {
  std::string name;
  std::string declared;  ///< As written in CREATE TABLE; "" = undeclared.
  bool not_null = false;
  bool has_default = false;
  bool generated = false;
  int key_position = 0;  ///< 1-based place in the primary key; 0 = not part of it.
};

struct TableEntry {
  std::string name;
  std::string sql;  ///< Its CREATE statement.
  bool is_view = false;
  bool is_virtual = false;
  /// The name by which the rowid can be asked for; "" = none.
  std::string rowid;
  /// The column that is the rowid (INTEGER PRIMARY KEY); "" = none.
  std::string rowid_alias;
  std::vector<ColumnEntry> columns;
  std::vector<std::string> primary_key;
  /// Sets of columns under a whole, bytewise unique index, the primary key first.
  std::vector<std::vector<std::string>> unique_keys;
  std::vector<std::string> triggers;

  const ColumnEntry* Find(const std::string& column) const;
};

/// Names of all tables and views that are the user's, in order.
arrow::Result<std::vector<std::string>> TableNames(Connection& connection);
/// nullopt when there is no table or view of exactly that name.
arrow::Result<std::optional<TableEntry>> ReadTable(Connection& connection,
                                                   const std::string& name);
/// The bare table name of a document's reference; `main.` before it is allowed. kConfig
/// "sqlite.reference" for other schemas.
arrow::Result<std::string> TableOfReference(const std::string& reference);
/// The name as the file spells it: exact, else a single case-insensitive match.
arrow::Result<std::optional<std::string>> FindTable(Connection& connection,
                                                    const std::string& reference);

}  // namespace dxt::sqlite
