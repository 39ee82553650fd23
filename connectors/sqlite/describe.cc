#include "connectors/sqlite/describe.h"

#include <sqlite3.h>

#include "base/error.h"
#include "base/spelling.h"
#include "connectors/sql/identifier.h"
#include "connectors/sqlite/connection.h"
#include "connectors/sqlite/types.h"

namespace dxt::sqlite {
namespace {

FieldType TypeOfClass(const std::string& storage) {
  if (storage == "integer") return FieldType{DType::kInt64};
  if (storage == "real") return FieldType{DType::kFloat64};
  if (storage == "blob") return FieldType{DType::kBinary};
  return FieldType{DType::kString};
}

/// Asks the values of `items` (SQL over `from`) for their types, in one scan.
arrow::Result<std::vector<FieldType>> ScanTypes(Connection& connection,
                                                const std::string& from,
                                                const std::vector<std::string>& items,
                                                Mixed mixed) {
  std::vector<FieldType> types;
  // SQLite takes at most 2,000 result columns.
  constexpr size_t kItemsAtOnce = 500;
  for (size_t first = 0; first < items.size(); first += kItemsAtOnce) {
    const size_t end = std::min(items.size(), first + kItemsAtOnce);
    std::string text = "SELECT ";
    for (size_t i = first; i < end; ++i) {
      const std::string filtered =
          "(typeof(" + items[i] + ")) FILTER (WHERE (" + items[i] + ") IS NOT NULL)";
      text += (i > first ? ", min" : "min") + filtered + ", max" + filtered;
    }
    ARROW_ASSIGN_OR_RAISE(auto scan, connection.Prepare(text + " FROM " + from));
    ARROW_RETURN_NOT_OK(scan.Step());
    for (size_t i = first; i < end; ++i) {
      const int column = static_cast<int>(i - first) * 2;
      const std::string low = scan.Text(column), high = scan.Text(column + 1);
      if (low == high || mixed == Mixed::kText) {
        types.push_back(low == high ? TypeOfClass(low) : FieldType{DType::kString});
        continue;
      }
      ErrorInfo info;
      info.error_class = ErrorClass::kConfig;
      info.code = "sqlite.mixed_classes";
      info.column = items[i];
      info.hint =
          "Read it by an expression of one type, e.g. CAST(" + items[i] + " AS TEXT)";
      return MakeError(std::move(info), items[i] + " of " + from +
                                            " has no declared type and holds both " +
                                            low + " and " + high + " values");
    }
  }
  return types;
}

/// Types the fields whose declared type says nothing; `items[i]` is field i as SQL.
arrow::Status TypeUndeclared(Connection& connection, const std::string& from,
                             const std::vector<std::string>& items,
                             const std::vector<std::string>& declared, Mixed mixed,
                             std::vector<Field>* fields) {
  std::vector<std::string> open;
  std::vector<Field*> waiting;
  for (size_t i = 0; i < fields->size(); ++i) {
    Field& field = (*fields)[i];
    if (const auto type = TypeOfDeclared(declared[i])) {
      field.type = *type;
      field.native = {"sqlite", declared[i]};
    } else {
      open.push_back(items[i]);
      waiting.push_back(&field);
    }
  }
  if (open.empty()) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(const auto types, ScanTypes(connection, from, open, mixed));
  for (size_t i = 0; i < types.size(); ++i) waiting[i]->type = types[i];
  return arrow::Status::OK();
}

/// Prepares `SELECT items FROM from` and reads what SQLite knows of its columns.
arrow::Result<std::vector<Field>> FieldsOf(Connection& connection,
                                           const std::string& select,
                                           std::vector<std::string>* declared) {
  ARROW_ASSIGN_OR_RAISE(const auto statement, connection.Prepare(select));
  std::vector<Field> fields;
  for (int i = 0; i < sqlite3_column_count(statement.handle()); ++i) {
    Field field;
    field.name = sqlite3_column_name(statement.handle(), i);
    const char* type = sqlite3_column_decltype(statement.handle(), i);
    declared->push_back(type ? type : "");
    fields.push_back(std::move(field));
  }
  return fields;
}

}  // namespace

arrow::Result<StreamInfo> DescribeTable(Connection& connection, const TableEntry& table,
                                        Mixed mixed) {
  StreamInfo info;
  info.kind = table.is_view ? StreamKind::kView : StreamKind::kTable;
  info.reference = sql::ReferenceText({table.name});
  info.schema = "main";
  info.name = table.name;
  std::vector<std::string> items, declared;
  for (const auto& column : table.columns) {
    Field field;
    field.name = column.name;
    // A key of a rowid table other than INTEGER PRIMARY KEY may hold NULL in SQLite.
    field.nullable = !column.not_null && column.name != table.rowid_alias;
    info.columns.fields.push_back(std::move(field));
    items.push_back(sql::QuoteIdentifier(column.name));
    declared.push_back(column.declared);
  }
  info.columns.primary_key = table.primary_key;
  ARROW_RETURN_NOT_OK(TypeUndeclared(connection, sql::QuoteIdentifier(table.name), items,
                                     declared, mixed, &info.columns.fields));
  return info;
}

arrow::Result<StreamInfo> DescribeQuery(Connection& connection,
                                        const std::string& query) {
  StreamInfo info;
  info.kind = StreamKind::kQuery;
  info.reference = query;
  const std::string from = QueryWithoutValues(query);
  std::vector<std::string> items, declared;
  ARROW_ASSIGN_OR_RAISE(info.columns.fields,
                        FieldsOf(connection, "SELECT * FROM " + from, &declared));
  for (const auto& field : info.columns.fields) {
    items.push_back(sql::QuoteIdentifier(field.name));
  }
  ARROW_RETURN_NOT_OK(TypeUndeclared(connection, from, items, declared, Mixed::kRefuse,
                                     &info.columns.fields));
  return info;
}

arrow::Result<std::vector<Field>> DescribeExpressions(
    Connection& connection, const std::string& from,
    const std::vector<std::string>& expressions) {
  std::vector<Field> fields;
  if (expressions.empty()) return fields;
  std::string select;
  std::vector<std::string> items, declared;
  for (const auto& expression : expressions) {
    items.push_back("(" + expression + ")");
    select += (select.empty() ? "SELECT " : ", ") + items.back();
  }
  ARROW_ASSIGN_OR_RAISE(fields,
                        FieldsOf(connection, select + " FROM " + from, &declared));
  if (fields.size() != expressions.size()) {
    return MakeError(ErrorClass::kConfig, "sqlite.sql",
                     "An expression stands for exactly one column; these are " +
                         std::to_string(fields.size()) + " for " +
                         std::to_string(expressions.size()));
  }
  ARROW_RETURN_NOT_OK(
      TypeUndeclared(connection, from, items, declared, Mixed::kRefuse, &fields));
  return fields;
}

arrow::Result<TableEntry> RequireTable(Connection& connection,
                                       const std::string& reference) {
  ARROW_ASSIGN_OR_RAISE(const auto name, FindTable(connection, reference));
  if (name) {
    ARROW_ASSIGN_OR_RAISE(auto table, ReadTable(connection, *name));
    if (table) return std::move(*table);
  }
  ARROW_ASSIGN_OR_RAISE(const auto names, TableNames(connection));
  ARROW_ASSIGN_OR_RAISE(const auto wanted, TableOfReference(reference));
  const std::string nearest = NearestSpelling(wanted, names);
  std::string hint = "dxtctl discover lists the tables";
  if (!nearest.empty()) hint = "Did you mean '" + nearest + "'?";
  return MakeError(
      ErrorClass::kConfig, "sqlite.table_missing",
      "The SQLite file '" + connection.path() + "' has no table '" + reference + "'",
      hint);
}

std::string QueryWithoutValues(const std::string& query) {
  std::string text;
  size_t at = 0;
  while (true) {
    const size_t open = query.find("{{", at);
    const size_t close = open == std::string::npos ? open : query.find("}}", open);
    if (close == std::string::npos) break;
    text += query.substr(at, open - at) + "NULL";
    at = close + 2;
  }
  text += query.substr(at);
  while (!text.empty() &&
         (text.back() == ';' || isspace(static_cast<unsigned char>(text.back())))) {
    text.pop_back();
  }
  return "(" + text + "\n) AS _dxt_q";
}

}  // namespace dxt::sqlite
