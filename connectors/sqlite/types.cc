#include "connectors/sqlite/types.h"

#include <charconv>
#include <cmath>
#include <utility>
#include <vector>

#include "base/error.h"

namespace dxt::sqlite {
namespace {

constexpr int64_t kFirstDay = -719528;  // 0000-01-01
constexpr int64_t kLastDay = 2932896;   // 9999-12-31

std::string Upper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return upper;
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

std::optional<int32_t> Number(std::string_view text) {
  text = Trimmed(text);
  int32_t number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// "(15, 2)" and "(15)"; digits that no Arrow decimal has leave the precision undeclared.
FieldType DecimalOf(std::string_view modifiers) {
  FieldType type{DType::kDecimal};
  if (modifiers.size() < 3 || modifiers.back() != ')') return type;
  modifiers = modifiers.substr(1, modifiers.size() - 2);
  const size_t comma = modifiers.find(',');
  const auto precision = Number(modifiers.substr(0, comma));
  const auto scale =
      comma == std::string_view::npos ? 0 : Number(modifiers.substr(comma + 1));
  if (!precision || !scale || *precision < 1 || *precision > 76 || *scale < 0 ||
      *scale > *precision) {
    return type;
  }
  type.precision = *precision;
  type.scale = *scale;
  return type;
}

const std::vector<std::pair<std::string_view, DType>>& NamedTypes() {
  static const std::vector<std::pair<std::string_view, DType>> types = {
      {"BOOLEAN", DType::kBool},
      {"BOOL", DType::kBool},
      {"DATE", DType::kDate},
      {"TIME", DType::kTime},
      {"DATETIME", DType::kTimestamp},
      {"TIMESTAMP", DType::kTimestamp},
      {"TIMESTAMP WITHOUT TIME ZONE", DType::kTimestamp},
      {"TIMESTAMPTZ", DType::kTimestampTz},
      {"TIMESTAMP WITH TIME ZONE", DType::kTimestampTz},
      {"DECIMAL_TEXT", DType::kDecimal},
      {"DECIMAL", DType::kDecimal},
      {"NUMERIC", DType::kDecimal},
      {"NUMBER", DType::kDecimal},
      {"DEC", DType::kDecimal},
      {"JSON_TEXT", DType::kJson},
      {"JSON", DType::kJson},
      {"UUID", DType::kString},
  };
  return types;
}

}  // namespace

Affinity AffinityOf(std::string_view declared) {
  const std::string name = Upper(declared);
  const auto has = [&](std::string_view part) {
    return name.find(part) != std::string::npos;
  };
  if (has("INT")) return Affinity::kInteger;
  if (has("CHAR") || has("CLOB") || has("TEXT")) return Affinity::kText;
  if (has("BLOB") || name.empty()) return Affinity::kBlob;
  if (has("REAL") || has("FLOA") || has("DOUB")) return Affinity::kReal;
  return Affinity::kNumeric;
}

std::optional<FieldType> TypeOfDeclared(std::string_view declared) {
  const std::string name = Upper(Trimmed(declared));
  const size_t open = name.find('(');
  const std::string_view base = Trimmed(std::string_view(name).substr(0, open));
  for (const auto& [known, dtype] : NamedTypes()) {
    if (known != base) continue;
    if (dtype != DType::kDecimal) return FieldType{dtype};
    return DecimalOf(open == std::string::npos ? "" : Trimmed(name.substr(open)));
  }
  switch (AffinityOf(name)) {
    case Affinity::kInteger:
      return FieldType{DType::kInt64};
    case Affinity::kText:
      return FieldType{DType::kString};
    case Affinity::kReal:
      return FieldType{DType::kFloat64};
    case Affinity::kBlob:
      if (!name.empty()) return FieldType{DType::kBinary};
      return std::nullopt;
    case Affinity::kNumeric:
      return std::nullopt;
  }
  return std::nullopt;
}

std::string DeclaredType(const FieldType& type) {
  switch (type.dtype) {
    case DType::kInt8:
    case DType::kInt16:
    case DType::kInt32:
    case DType::kInt64:
    case DType::kUint8:
    case DType::kUint16:
    case DType::kUint32:
    case DType::kUint64:
      return "INTEGER";
    case DType::kFloat32:
    case DType::kFloat64:
      return "REAL";
    case DType::kDecimal:
      if (type.precision == 0) return "DECIMAL_TEXT";
      return "DECIMAL_TEXT(" + std::to_string(type.precision) + "," +
             std::to_string(type.scale) + ")";
    case DType::kString:
      return "TEXT";
    case DType::kBool:
      return "BOOLEAN";
    case DType::kDate:
      return "DATE";
    case DType::kTime:
      return "TIME";
    case DType::kTimestamp:
      return "TIMESTAMP";
    case DType::kTimestampTz:
      return "TIMESTAMPTZ";
    case DType::kBinary:
      return "BLOB";
    case DType::kJson:
    case DType::kArray:
    case DType::kObject:
      return "JSON_TEXT";
  }
  return "TEXT";
}

ValueDomain DomainOf(const FieldType& type) {
  ValueDomain domain;
  domain.deliver = type;
  if (type.dtype == DType::kArray || type.dtype == DType::kObject) {
    domain.deliver = FieldType{DType::kJson};
  }
  domain.deliver.nanoseconds = false;
  domain.nan = type.dtype == DType::kDecimal;  // A REAL of NaN is stored as NULL.
  // A REAL column stores whole numbers as integers, which have one zero.
  domain.signed_zero = false;
  domain.fraction_digits = 6;
  domain.first_day = kFirstDay;
  domain.last_day = kLastDay;
  domain.max_unsigned = INT64_MAX;
  return domain;
}

arrow::Result<NumericTime> NumericTimeOf(const ConfigValue& options) {
  const ConfigValue* option = options.Get("datetime");
  if (!option || option->kind == ConfigValue::Kind::kNull) return NumericTime::kNone;
  if (option->scalar == "iso") return NumericTime::kNone;
  if (option->scalar == "unix") return NumericTime::kUnix;
  if (option->scalar == "unixms") return NumericTime::kUnixMs;
  if (option->scalar == "julian") return NumericTime::kJulian;
  return MakeError(ErrorClass::kConfig, "sqlite.option",
                   "options.datetime is '" + option->scalar + "'",
                   "It is one of iso, unix, unixms, julian");
}

int64_t MillisOfJulianDay(double day) {
  constexpr int64_t kUnixEpoch = 210866760000000;  // Milliseconds since Julian day 0.
  return static_cast<int64_t>(std::floor(day * 86400000.0 + 0.5)) - kUnixEpoch;
}

}  // namespace dxt::sqlite
