#include "connectors/duckdb/types.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "base/error.h"

namespace dxt::duckdb {
namespace {

constexpr int32_t kMaxDigits = 38;
// What a new column gets when the source did not declare the digits.
constexpr int32_t kFreePrecision = 38;
constexpr int32_t kFreeScale = 9;
// 290309-12-22 (BC) … 294247-01-10, and the years that nanoseconds reach.
constexpr int64_t kMicrosDays = 106751991;
constexpr int64_t kNanosDays = 106751;
constexpr char kAsText[] = "CAST({} AS VARCHAR)";
// to_json writes SQL NULL as JSON null, which would be a value.
constexpr char kAsJson[] =
    "CASE WHEN {} IS NULL THEN NULL ELSE CAST(to_json({}) AS VARCHAR) END";

FieldType Plain(DType dtype) {
  FieldType type;
  type.dtype = dtype;
  return type;
}

FieldType Decimal(int32_t precision, int32_t scale) {
  FieldType type = Plain(DType::kDecimal);
  type.precision = precision;
  type.scale = scale;
  return type;
}

const std::map<std::string, ReadType, std::less<>>& NamedTypes() {
  static const std::map<std::string, ReadType, std::less<>> types = [] {
    std::map<std::string, ReadType, std::less<>> map = {
        {"BOOLEAN", {Plain(DType::kBool)}},
        {"TINYINT", {Plain(DType::kInt8)}},
        {"SMALLINT", {Plain(DType::kInt16)}},
        {"INTEGER", {Plain(DType::kInt32)}},
        {"BIGINT", {Plain(DType::kInt64)}},
        {"UTINYINT", {Plain(DType::kUint8)}},
        {"USMALLINT", {Plain(DType::kUint16)}},
        {"UINTEGER", {Plain(DType::kUint32)}},
        {"UBIGINT", {Plain(DType::kUint64)}},
        {"FLOAT", {Plain(DType::kFloat32)}},
        {"DOUBLE", {Plain(DType::kFloat64)}},
        {"VARCHAR", {Plain(DType::kString)}},
        {"BLOB", {Plain(DType::kBinary)}},
        {"DATE", {Plain(DType::kDate)}},
        {"TIME", {Plain(DType::kTime)}},
        {"TIMESTAMP", {Plain(DType::kTimestamp)}},
        {"TIMESTAMP WITH TIME ZONE", {Plain(DType::kTimestampTz)}},
        {"TIMESTAMP_S", {Plain(DType::kTimestamp), "CAST({} AS TIMESTAMP)"}},
        {"TIMESTAMP_MS", {Plain(DType::kTimestamp), "CAST({} AS TIMESTAMP)"}},
        {"HUGEINT", {Decimal(kMaxDigits, 0), "CAST({} AS DECIMAL(38,0))"}},
        {"UHUGEINT", {Decimal(kMaxDigits, 0), "CAST({} AS DECIMAL(38,0))"}},
        {"BIGNUM", {Decimal(0, 0), kAsText}},
        {"JSON", {Plain(DType::kJson), kAsText}},
        {"VARIANT", {Plain(DType::kJson), kAsJson}},
    };
    FieldType nanos = Plain(DType::kTimestamp);
    nanos.nanoseconds = true;
    map["TIMESTAMP_NS"] = {nanos};
    return map;
  }();
  return types;
}

/// "DECIMAL(15,2)" → (15, 2).
std::optional<std::pair<int32_t, int32_t>> Digits(std::string_view native) {
  constexpr std::string_view prefix = "DECIMAL(";
  if (!native.starts_with(prefix) || !native.ends_with(')')) return std::nullopt;
  const char* at = native.data() + prefix.size();
  const char* end = native.data() + native.size() - 1;
  int32_t precision = 0, scale = 0;
  const auto first = std::from_chars(at, end, precision);
  if (first.ec != std::errc() || first.ptr == end) return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, scale);
  if (second.ec != std::errc() || second.ptr != end) return std::nullopt;
  return std::pair{precision, scale};
}

/// The element of "T[]" or "T[3]"; `fixed` is set for the latter.
std::optional<std::string_view> Element(std::string_view native, bool* fixed) {
  if (!native.ends_with(']')) return std::nullopt;
  const size_t open = native.rfind('[');
  if (open == std::string_view::npos) return std::nullopt;
  *fixed = open + 2 != native.size();
  return native.substr(0, open);
}

bool IsNested(const FieldType& type) {
  return type.dtype == DType::kArray || type.dtype == DType::kObject ||
         type.dtype == DType::kJson;
}

/// The type in which a list's elements arrive, as DuckDB calls it.
std::string_view ArrivingElement(std::string_view native, const ReadType& read) {
  if (read.cast == "{}") return native;
  if (read.type.dtype == DType::kTimestamp) return "TIMESTAMP";
  if (read.type.dtype == DType::kDecimal && read.type.precision > 0)
    return "DECIMAL(38,0)";
  return "VARCHAR";
}

ReadType ListType(std::string_view element, bool fixed) {
  const ReadType inner = ReadTypeOf(element);
  ReadType read;
  read.type = Plain(DType::kArray);
  if (IsNested(inner.type)) {
    read.cast = kAsJson;
    return read;
  }
  read.type.element = std::make_shared<const FieldType>(inner.type);
  if (fixed || inner.cast != "{}") {
    read.cast = "CAST({} AS " + std::string(ArrivingElement(element, inner)) + "[])";
  }
  return read;
}

std::string Filled(std::string_view pattern, std::string_view sql) {
  std::string text;
  while (true) {
    const size_t at = pattern.find("{}");
    text += pattern.substr(0, at);
    if (at == std::string_view::npos) return text;
    text += sql;
    pattern.remove_prefix(at + 2);
  }
}

/// Upper case outside quotes, without blanks around.
std::string Folded(std::string_view written) {
  while (!written.empty() && written.front() == ' ') written.remove_prefix(1);
  while (!written.empty() && written.back() == ' ') written.remove_suffix(1);
  std::string folded;
  char quote = 0;
  for (const char c : written) {
    if (quote ? c == quote : (c == '\'' || c == '"')) quote = quote ? 0 : c;
    const bool lower = !quote && c >= 'a' && c <= 'z';
    folded += lower ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return folded;
}

const std::map<std::string, std::string, std::less<>>& Aliases() {
  static const std::map<std::string, std::string, std::less<>> aliases = {
      {"BOOL", "BOOLEAN"},
      {"LOGICAL", "BOOLEAN"},
      {"INT1", "TINYINT"},
      {"INT2", "SMALLINT"},
      {"SHORT", "SMALLINT"},
      {"INT", "INTEGER"},
      {"INT4", "INTEGER"},
      {"SIGNED", "INTEGER"},
      {"INT8", "BIGINT"},
      {"LONG", "BIGINT"},
      {"UINT8", "UTINYINT"},
      {"UINT16", "USMALLINT"},
      {"UINT32", "UINTEGER"},
      {"UINT64", "UBIGINT"},
      {"INT128", "HUGEINT"},
      {"FLOAT4", "FLOAT"},
      {"REAL", "FLOAT"},
      {"FLOAT8", "DOUBLE"},
      {"TEXT", "VARCHAR"},
      {"STRING", "VARCHAR"},
      {"CHAR", "VARCHAR"},
      {"BPCHAR", "VARCHAR"},
      {"BYTEA", "BLOB"},
      {"BINARY", "BLOB"},
      {"VARBINARY", "BLOB"},
      {"DATETIME", "TIMESTAMP"},
      {"TIMESTAMP_US", "TIMESTAMP"},
      {"TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"},
      {"BITSTRING", "BIT"},
      {"TIMETZ", "TIME WITH TIME ZONE"},
      {"DECIMAL", "DECIMAL(18,3)"},
      {"NUMERIC", "DECIMAL(18,3)"},
      {"DOUBLE PRECISION", "DOUBLE"},
  };
  return aliases;
}

}  // namespace

std::string CanonicalType(std::string_view written) {
  const std::string folded = Folded(written);
  bool fixed = false;
  if (const auto element = Element(folded, &fixed)) {
    return CanonicalType(*element) + folded.substr(element->size());
  }
  if (const auto found = Aliases().find(folded); found != Aliases().end()) {
    return found->second;
  }
  const size_t open = folded.find('(');
  if (open == std::string::npos) return folded;
  const std::string name = folded.substr(0, open);
  // DuckDB takes a length and keeps none.
  for (const std::string_view text : {"VARCHAR", "CHAR", "TEXT", "STRING", "BPCHAR"}) {
    if (name == text) return "VARCHAR";
  }
  if (name != "DECIMAL" && name != "NUMERIC" && name != "DEC") return folded;
  std::string digits = folded.substr(open);
  std::erase(digits, ' ');
  if (digits.find(',') == std::string::npos) digits.insert(digits.size() - 1, ",0");
  return "DECIMAL" + digits;
}

bool CanStore(std::string_view native) {
  const ReadType read = ReadTypeOf(native);
  return read.cast != kAsJson && native != "BIGNUM" && native != "\"NULL\"";
}

ReadType ReadTypeOf(std::string_view native) {
  bool fixed = false;
  if (const auto element = Element(native, &fixed)) return ListType(*element, fixed);
  const auto& named = NamedTypes();
  if (const auto found = named.find(native); found != named.end()) return found->second;
  if (const auto digits = Digits(native)) return {Decimal(digits->first, digits->second)};
  if (native.starts_with("STRUCT(") || native.starts_with("MAP(") ||
      native.starts_with("UNION(")) {
    return {Plain(DType::kObject), kAsJson};
  }
  return {Plain(DType::kString), kAsText};
}

std::string ReadItem(std::string_view native, std::string_view sql) {
  return Filled(ReadTypeOf(native).cast, sql);
}

arrow::Result<std::string> NewColumnType(const Field& field) {
  if (field.native.system == kSystem && CanStore(field.native.type) &&
      ReadTypeOf(field.native.type).type == field.type) {
    return field.native.type;
  }
  if (field.type.dtype == DType::kDecimal && field.type.precision > kMaxDigits) {
    return MakeError(ErrorClass::kUnsupported, "duckdb.decimal_too_wide",
                     "Column '" + field.name + "' is " + ToString(field.type) +
                         ", but a DuckDB DECIMAL holds 38 digits",
                     "Set target.dtype of the field, for instance VARCHAR or DOUBLE");
  }
  if (IsNested(field.type) && !field.type.element) return std::string("JSON");
  if (field.type.dtype == DType::kDecimal && field.type.precision == 0) {
    return "DECIMAL(" + std::to_string(kFreePrecision) + "," +
           std::to_string(kFreeScale) + ")";
  }
  FieldType stored = field.type;
  if (stored.dtype == DType::kTimestampTz) stored.nanoseconds = false;
  return StagedType(stored);
}

std::string StagedType(const FieldType& type) {
  switch (type.dtype) {
    case DType::kInt8:
      return "TINYINT";
    case DType::kInt16:
      return "SMALLINT";
    case DType::kInt32:
      return "INTEGER";
    case DType::kInt64:
      return "BIGINT";
    case DType::kUint8:
      return "UTINYINT";
    case DType::kUint16:
      return "USMALLINT";
    case DType::kUint32:
      return "UINTEGER";
    case DType::kUint64:
      return "UBIGINT";
    case DType::kFloat32:
      return "FLOAT";
    case DType::kFloat64:
      return "DOUBLE";
    case DType::kDecimal:
      if (type.precision == 0) return "VARCHAR";
      return "DECIMAL(" + std::to_string(type.precision) + "," +
             std::to_string(type.scale) + ")";
    case DType::kBool:
      return "BOOLEAN";
    case DType::kDate:
      return "DATE";
    case DType::kTime:
      return "TIME";
    case DType::kTimestamp:
      return type.nanoseconds ? "TIMESTAMP_NS" : "TIMESTAMP";
    case DType::kTimestampTz:
      return "TIMESTAMP WITH TIME ZONE";
    case DType::kBinary:
      return "BLOB";
    case DType::kArray:
      return type.element ? StagedType(*type.element) + "[]" : "VARCHAR";
    case DType::kString:
    case DType::kJson:
    case DType::kObject:
      return "VARCHAR";
  }
  return "VARCHAR";
}

ValueDomain DomainOf(std::string_view native, const Field& field) {
  ValueDomain domain;
  domain.deliver = ReadTypeOf(native).type;
  const FieldType& type = domain.deliver;
  if (type.dtype == DType::kDecimal && type.precision > 0) {
    domain.nan = false;
    domain.infinity = false;
    domain.max_integer_digits = type.precision - type.scale;
    domain.max_fraction_digits = type.scale;
  }
  if (type.dtype == DType::kDate || type.dtype == DType::kTimestamp ||
      type.dtype == DType::kTimestampTz) {
    domain.infinite_time = true;
  }
  if (type.dtype == DType::kTimestamp || type.dtype == DType::kTimestampTz) {
    const int64_t days = type.nanoseconds ? kNanosDays : kMicrosDays;
    domain.first_day = -days;
    domain.last_day = days - 1;
    domain.fraction_digits = type.nanoseconds ? 9 : 6;
    if (native == "TIMESTAMP_S") domain.fraction_digits = 0;
    if (native == "TIMESTAMP_MS") domain.fraction_digits = 3;
  }
  // Text that says nothing else goes into JSON columns as the JSON that it is.
  if (native == "JSON" && IsNested(field.type)) domain.deliver = Plain(DType::kJson);
  return domain;
}

std::string StoreCast(std::string_view native, const FieldType& delivered) {
  if (StagedType(delivered) == native) return "{}";
  return "CAST({} AS " + std::string(native) + ")";
}

}  // namespace dxt::duckdb
