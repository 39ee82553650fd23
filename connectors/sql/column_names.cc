#include "connectors/sql/column_names.h"

#include <map>

#include "base/error.h"

namespace dxt::sql {
namespace {

/// As SQLite and DuckDB compare names: letters of ASCII alone have two cases.
std::string Folded(std::string name) {
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return name;
}

}  // namespace

arrow::Status CheckColumnNames(const TableSpec& wanted, NameCase name_case) {
  std::map<std::string, std::string> seen;
  for (const auto& column : wanted.columns) {
    if (column.name.empty()) {
      return MakeError(ErrorClass::kConfig, "target.column_names",
                       "A column of the stream has no name, and a table needs one",
                       "Name it in the source, by a query with AS, or list the other "
                       "columns in `fields`");
    }
    if (name_case == NameCase::kMatters) continue;
    const auto [other, alone] = seen.emplace(Folded(column.name), column.name);
    if (alone) continue;
    return MakeError(ErrorClass::kConfig, "target.column_names",
                     "The columns '" + other->second + "' and '" + column.name +
                         "' differ in case only, and the target takes them for one",
                     "Rename one with target.name, as in fields: [{id: \"*\"}, {id: " +
                         column.name + ", target: {name: " + column.name + "_2}}]");
  }
  return arrow::Status::OK();
}

}  // namespace dxt::sql
