#include <sqlite3.h>

#include <charconv>

#include "base/error.h"
#include "connectors/sdk/config.h"
#include "connectors/sdk/value_text.h"
#include "connectors/sql/select.h"
#include "connectors/sqlite/collations.h"
#include "connectors/sqlite/connection.h"
#include "connectors/sqlite/describe.h"
#include "connectors/sqlite/reader.h"

namespace dxt::sqlite {
namespace {

constexpr double kJulianEpochMillis = 210866760000000.0;  // 1970 in Julian milliseconds.

bool IsDay(const FieldType& type) {
  return type.dtype == DType::kDate || type.dtype == DType::kTimestamp ||
         type.dtype == DType::kTimestampTz;
}

bool IsInteger(const FieldType& type) {
  return type.dtype >= DType::kInt8 && type.dtype <= DType::kUint64;
}

arrow::Status BadValue(const BoundValue& value) {
  return MakeError(ErrorClass::kConfig, "filter.invalid",
                   "'" + value.text + "' is not a value of type " + ToString(value.type));
}

/// The number that stands for a date or timestamp in a column of `numbers`.
arrow::Result<double> InstantNumber(const BoundValue& value, NumericTime numbers) {
  const auto micros = ParseTimestamp(value.text, false, OffsetRule::kOptional);
  if (!micros) return BadValue(value);
  const auto count = static_cast<double>(*micros);
  if (numbers == NumericTime::kUnix) return count / 1e6;
  if (numbers == NumericTime::kUnixMs) return count / 1e3;
  return count / 1e3 + kJulianEpochMillis;
}

arrow::Status BindValue(const BoundValue& value, NumericTime numbers, int number,
                        Statement* statement) {
  const std::string name = "$" + std::to_string(number);
  const int index = sqlite3_bind_parameter_index(statement->handle(), name.c_str());
  if (IsDay(value.type) && numbers != NumericTime::kNone) {
    ARROW_ASSIGN_OR_RAISE(const double instant, InstantNumber(value, numbers));
    sqlite3_bind_double(statement->handle(), index, instant);
    return arrow::Status::OK();
  }
  if (IsInteger(value.type)) {
    int64_t integer = 0;
    const char* end = value.text.data() + value.text.size();
    const auto [last, error] = std::from_chars(value.text.data(), end, integer);
    if (error != std::errc() || last != end) return BadValue(value);
    return statement->BindInteger(number, integer);
  }
  if (value.type.dtype == DType::kFloat32 || value.type.dtype == DType::kFloat64) {
    const auto real = ParseFloat64(value.text);
    if (!real) return BadValue(value);
    sqlite3_bind_double(statement->handle(), index, *real);
    return arrow::Status::OK();
  }
  if (value.type.dtype == DType::kBool) {
    const auto boolean = ParseBoolean(value.text);
    if (!boolean && value.text != "0" && value.text != "1") return BadValue(value);
    return statement->BindInteger(number, boolean.value_or(value.text == "1") ? 1 : 0);
  }
  return statement->BindText(number, value.text);
}

}  // namespace

arrow::Result<Selection> SelectionOf(Connection& connection, const ReadSpec& spec,
                                     bool count) {
  Selection selection;
  ARROW_ASSIGN_OR_RAISE(selection.numbers, NumericTimeOf(spec.ref.options));
  std::string source;
  ReadSpec wanted = spec;
  if (spec.ref.kind != StreamKind::kQuery) {
    ARROW_ASSIGN_OR_RAISE(const auto table, RequireTable(connection, spec.ref.source));
    source = sql::QuoteIdentifier(table.name);
    if (!table.rowid.empty()) {
      ColumnRead rowid;
      rowid.expression = table.rowid;
      wanted.columns.push_back(rowid);
      selection.has_rowid = true;
    }
  }
  sql::SelectDialect dialect;
  dialect.value = [&](std::string_view value,
                      const FieldType& type) -> arrow::Result<std::string> {
    selection.values.push_back({std::string(value), type});
    return "$" + std::to_string(selection.values.size());
  };
  dialect.comparable = [&](std::string_view text, const FieldType& type) {
    if (!IsDay(type) || selection.numbers == NumericTime::kNone)
      return Comparable(text, type);
    if (selection.numbers != NumericTime::kJulian) return std::string(text);
    return "CAST(" + std::string(text) + " * 86400000.0 + 0.5 AS INTEGER)";
  };
  dialect.bytewise = [](std::string_view text) { return std::string(text); };
  dialect.item = [](const ColumnRead& column) {
    if (!column.expression.empty()) return "(" + column.expression + ")";
    return sql::QuoteIdentifier(column.column);
  };
  if (count) {
    ARROW_ASSIGN_OR_RAISE(selection.sql, sql::BuildCount(wanted, source, dialect));
  } else {
    ARROW_ASSIGN_OR_RAISE(selection.sql, sql::BuildSelect(wanted, source, dialect, ""));
  }
  return selection;
}

arrow::Status BindValues(const Selection& selection, Statement* statement) {
  for (size_t i = 0; i < selection.values.size(); ++i) {
    ARROW_RETURN_NOT_OK(BindValue(selection.values[i], selection.numbers,
                                  static_cast<int>(i) + 1, statement));
  }
  return arrow::Status::OK();
}

}  // namespace dxt::sqlite
