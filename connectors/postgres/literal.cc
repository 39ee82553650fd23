#include "connectors/postgres/literal.h"

#include <charconv>
#include <cstdio>

#include "base/error.h"
#include "connectors/postgres/connection.h"

namespace dxt::postgres {
namespace {

/// Cast, and the characters that such a value may consist of; "" = any.
struct LiteralRule {
  std::string_view cast;
  std::string_view alphabet;
};

constexpr std::string_view kDigits = "0123456789+-";
constexpr std::string_view kNumber = "0123456789+-.eENaIinfty";
constexpr std::string_view kMoment = "0123456789+-:.TZBC infty";

LiteralRule RuleOf(const FieldType& type) {
  switch (type.dtype) {
    case DType::kInt8:
    case DType::kInt16:
    case DType::kUint8:
      return {"::int2", kDigits};
    case DType::kInt32:
    case DType::kUint16:
      return {"::int4", kDigits};
    case DType::kInt64:
    case DType::kUint32:
      return {"::int8", kDigits};
    case DType::kUint64:
      return {"::numeric", kDigits};
    case DType::kDecimal:
      return {"::numeric", kNumber};
    case DType::kFloat32:
      return {"::float4", kNumber};
    case DType::kFloat64:
      return {"::float8", kNumber};
    case DType::kBool:
      return {"::bool", "truefalsTRUEFALS01"};
    case DType::kDate:
      return {"::date", kMoment};
    case DType::kTime:
      return {"::time", kMoment};
    case DType::kTimestamp:
      return {"::timestamp", kMoment};
    case DType::kTimestampTz:
      return {"::timestamptz", kMoment};
    default:
      return {"", ""};
  }
}

/// Years before 1 have a minus sign or are 0000 in cursors; the server writes them as BC.
std::string WithEra(std::string_view value) {
  const bool negative = value.starts_with('-');
  const std::string_view digits = negative ? value.substr(1) : value;
  const size_t dash = digits.find('-');
  int year = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), year);
  if (dash == std::string_view::npos || error != std::errc() ||
      (!negative && year != 0)) {
    return std::string(value);
  }
  char text[16];
  std::snprintf(text, sizeof text, "%04d", year + 1);
  return text + std::string(digits.substr(dash)) + " BC";
}

}  // namespace

arrow::Result<std::string> ValueLiteral(const Connection& connection,
                                        std::string_view value, const FieldType& type) {
  const LiteralRule rule = RuleOf(type);
  const bool foreign =
      !rule.alphabet.empty() &&
      (value.empty() || value.find_first_not_of(rule.alphabet) != std::string_view::npos);
  if (foreign || value.find('\0') != std::string_view::npos) {
    return MakeError(ErrorClass::kConfig, "cursor.invalid",
                     "The value '" + std::string(value.substr(0, 100)) + "' is not a " +
                         ToString(type));
  }
  const bool moment = type.dtype == DType::kDate || type.dtype == DType::kTimestamp ||
                      type.dtype == DType::kTimestampTz;
  ARROW_ASSIGN_OR_RAISE(auto literal,
                        connection.Literal(moment ? WithEra(value) : std::string(value)));
  return literal + std::string(rule.cast);
}

}  // namespace dxt::postgres
