#include "connectors/sdk/cursor.h"

#include <algorithm>
#include <limits>

#include <arrow/array.h>
#include <arrow/type.h>

#include "base/error.h"
#include "connectors/sdk/value_text.h"

namespace dxt {
namespace {

bool IsInteger(DType dtype) { return dtype <= DType::kUint64; }

arrow::Status Infinite(std::string_view what) {
  return MakeError(ErrorClass::kData, "cursor.infinite",
                   "The watermark field holds " + std::string(what) +
                       ", behind which no later row could be found",
                   "Exclude such rows with filters or a query, or choose another field");
}

arrow::Status Invalid(std::string_view text, const FieldType& type,
                      std::string_view why) {
  return MakeError(ErrorClass::kConfig, "cursor.invalid",
                   "'" + std::string(text) +
                       "' is not a value of a watermark field of type " + ToString(type) +
                       (why.empty() ? "" : ": ") + std::string(why),
                   "Correct it where it was given: --cursor-value, initial_value, "
                   "end_value or dxtctl state set");
}

/// The number without exponent, plus sign and leading zeros.
std::string PlainDecimal(const DecimalText& number) {
  std::string text = number.negative ? "-" : "";
  const auto count = static_cast<int64_t>(number.digits.size());
  if (number.scale <= 0) {
    text += number.digits;
    if (number.digits != "0") text.append(static_cast<size_t>(-number.scale), '0');
  } else if (count > number.scale) {
    text += number.digits.substr(0, static_cast<size_t>(count - number.scale)) + "." +
            number.digits.substr(static_cast<size_t>(count - number.scale));
  } else {
    text += "0." + std::string(static_cast<size_t>(number.scale - count), '0') +
            number.digits;
  }
  return text;
}

arrow::Result<std::string> UndeclaredDecimalText(std::string_view text) {
  if (IsSpecialDecimal(text)) return Infinite(text);
  const auto number = ParseDecimalText(text);
  if (!number) {
    return MakeError(ErrorClass::kData, "value.invalid_text",
                     "The watermark field holds '" + std::string(text.substr(0, 80)) +
                         "', which is not a number");
  }
  return PlainDecimal(*number);
}

template <typename ArrayType>
arrow::Result<std::string> IntegerText(const arrow::Array& array, int64_t row) {
  return std::to_string(static_cast<const ArrayType&>(array).Value(row));
}

template <typename ArrayType>
std::string DecimalAt(const arrow::Array& array, int64_t row) {
  constexpr int kWords = ArrayType::TypeClass::kByteWidth / 8;
  uint64_t words[kWords];
  std::copy_n(static_cast<const ArrayType&>(array).GetValue(row), kWords * 8,
              reinterpret_cast<uint8_t*>(words));
  std::string text;
  AppendDecimal(words, kWords,
                static_cast<const arrow::DecimalType&>(*array.type()).scale(), &text);
  return text;
}

arrow::Result<std::string> TimestampText(const arrow::Array& array, int64_t row,
                                         const FieldType& type) {
  const int64_t value = static_cast<const arrow::TimestampArray&>(array).Value(row);
  if (value == std::numeric_limits<int64_t>::max()) return Infinite("infinity");
  if (value == std::numeric_limits<int64_t>::min()) return Infinite("-infinity");
  std::string text;
  AppendTimestamp(value, type.nanoseconds, type.dtype == DType::kTimestampTz, &text);
  return text;
}

int Sign(int order) { return (order > 0) - (order < 0); }

/// Compares numbers of any length without arithmetic. Text that is no number sorts as
/// text.
int CompareDecimals(std::string_view a, std::string_view b) {
  const auto x = ParseDecimalText(a), y = ParseDecimalText(b);
  if (!x || !y) return Sign(a.compare(b));
  const bool x_zero = x->digits == "0", y_zero = y->digits == "0";
  const int x_sign = x_zero ? 0 : x->negative ? -1 : 1;
  const int y_sign = y_zero ? 0 : y->negative ? -1 : 1;
  if (x_sign != y_sign) return x_sign < y_sign ? -1 : 1;
  if (x_sign == 0) return 0;
  const int64_t x_whole = static_cast<int64_t>(x->digits.size()) - x->scale;
  const int64_t y_whole = static_cast<int64_t>(y->digits.size()) - y->scale;
  if (x_whole != y_whole) return (x_whole < y_whole ? -1 : 1) * x_sign;
  const size_t count = std::max(x->digits.size(), y->digits.size());
  for (size_t i = 0; i < count; ++i) {
    const char p = i < x->digits.size() ? x->digits[i] : '0';
    const char q = i < y->digits.size() ? y->digits[i] : '0';
    if (p != q) return (p < q ? -1 : 1) * x_sign;
  }
  return 0;
}

arrow::Result<std::string> CanonicalInteger(std::string_view text,
                                            const FieldType& type) {
  const auto number = ParseDecimalText(text);
  if (!number || text.find_first_of(".eE") != std::string_view::npos) {
    return Invalid(text, type, "it must be a whole number");
  }
  constexpr const char* kLow[] = {"-128", "-32768", "-2147483648", "-9223372036854775808",
                                  "0",    "0",      "0",           "0"};
  constexpr const char* kHigh[] = {"127", "32767", "2147483647", "9223372036854775807",
                                   "255", "65535", "4294967295", "18446744073709551615"};
  const auto index = static_cast<size_t>(type.dtype);
  std::string plain = PlainDecimal(*number);
  if (CompareDecimals(plain, kLow[index]) < 0 ||
      CompareDecimals(plain, kHigh[index]) > 0) {
    return Invalid(text, type, "it is out of the type's range");
  }
  return plain;
}

}  // namespace

bool CanBeCursor(const FieldType& type) {
  switch (type.dtype) {
    case DType::kDecimal:
    case DType::kDate:
    case DType::kTimestamp:
    case DType::kTimestampTz:
    case DType::kString:
      return true;
    default:
      return IsInteger(type.dtype);
  }
}

arrow::Result<std::string> CursorText(const arrow::Array& array, int64_t row,
                                      const FieldType& type) {
  if (!array.type()->Equals(*ArrowType(type))) {
    return MakeError(ErrorClass::kInternal, "cursor.wrong_array",
                     "A cursor of type " + ToString(type) +
                         " was looked for in an array of " + array.type()->ToString());
  }
  switch (array.type_id()) {
    case arrow::Type::INT8:
      return IntegerText<arrow::Int8Array>(array, row);
    case arrow::Type::INT16:
      return IntegerText<arrow::Int16Array>(array, row);
    case arrow::Type::INT32:
      return IntegerText<arrow::Int32Array>(array, row);
    case arrow::Type::INT64:
      return IntegerText<arrow::Int64Array>(array, row);
    case arrow::Type::UINT8:
      return IntegerText<arrow::UInt8Array>(array, row);
    case arrow::Type::UINT16:
      return IntegerText<arrow::UInt16Array>(array, row);
    case arrow::Type::UINT32:
      return IntegerText<arrow::UInt32Array>(array, row);
    case arrow::Type::UINT64:
      return IntegerText<arrow::UInt64Array>(array, row);
    case arrow::Type::DECIMAL128:
      return DecimalAt<arrow::Decimal128Array>(array, row);
    case arrow::Type::DECIMAL256:
      return DecimalAt<arrow::Decimal256Array>(array, row);
    case arrow::Type::TIMESTAMP:
      return TimestampText(array, row, type);
    case arrow::Type::DATE32: {
      const int32_t days = static_cast<const arrow::Date32Array&>(array).Value(row);
      std::string text;
      AppendDate(days, &text);
      if (text.ends_with("infinity")) return Infinite(text);
      return text;
    }
    case arrow::Type::STRING: {
      const auto text = static_cast<const arrow::StringArray&>(array).GetView(row);
      if (type.dtype == DType::kDecimal) return UndeclaredDecimalText(text);
      if (type.dtype == DType::kString) return std::string(text);
      break;
    }
    default:
      break;
  }
  return MakeError(ErrorClass::kConfig, "cursor.type",
                   "A field of type " + ToString(type) + " cannot be a watermark field",
                   "Choose an integer, decimal, date, timestamp or string field");
}

arrow::Result<std::string> CanonicalCursor(std::string_view text, const FieldType& type) {
  if (!CanBeCursor(type))
    return Invalid(text, type, "this type has no order to resume from");
  if (IsInteger(type.dtype)) return CanonicalInteger(text, type);
  std::string canonical;
  switch (type.dtype) {
    case DType::kString:
      return std::string(text);
    case DType::kDecimal: {
      const auto number = ParseDecimalText(text);
      if (!number) return Invalid(text, type, "it must be a number");
      return PlainDecimal(*number);
    }
    case DType::kDate: {
      const auto days = ParseDate(text);
      if (!days || text.ends_with("infinity")) {
        return Invalid(text, type, "write YYYY-MM-DD");
      }
      AppendDate(*days, &canonical);
      return canonical;
    }
    default: {
      const bool utc = type.dtype == DType::kTimestampTz;
      const auto value = ParseTimestamp(
          text, type.nanoseconds, utc ? OffsetRule::kOptional : OffsetRule::kForbidden);
      if (!value || text.ends_with("infinity")) {
        return Invalid(text, type,
                       utc ? "write YYYY-MM-DD HH:MM:SS with Z or an offset"
                           : "write YYYY-MM-DD HH:MM:SS without an offset");
      }
      AppendTimestamp(*value, type.nanoseconds, utc, &canonical);
      return canonical;
    }
  }
}

arrow::Result<std::string> CursorBelow(std::string_view text, int64_t amount,
                                       const FieldType& type) {
  std::string below;
  if (IsInteger(type.dtype)) {
    const bool negative = text.starts_with('-');
    __int128 number = 0;
    for (const char digit : text.substr(negative ? 1 : 0)) {
      number = number * 10 + (digit - '0');
    }
    number = (negative ? -number : number) - amount;
    constexpr int64_t kLeast[] = {std::numeric_limits<int8_t>::min(),
                                  std::numeric_limits<int16_t>::min(),
                                  std::numeric_limits<int32_t>::min(),
                                  std::numeric_limits<int64_t>::min(),
                                  0,
                                  0,
                                  0,
                                  0};
    const __int128 least = kLeast[static_cast<size_t>(type.dtype)];
    number = std::max(number, least);
    // Beyond 2^63 only what CanonicalInteger let pass as uint64.
    if (number > 0) return std::to_string(static_cast<uint64_t>(number));
    return std::to_string(static_cast<int64_t>(number));
  }
  if (type.dtype == DType::kDate) {
    const auto days = ParseDate(text);
    if (!days) return Invalid(text, type, "");
    constexpr int64_t kLeast = std::numeric_limits<int32_t>::min() + int64_t{1};
    AppendDate(static_cast<int32_t>(std::max(*days - amount, kLeast)), &below);
    return below;
  }
  if (type.dtype == DType::kTimestamp || type.dtype == DType::kTimestampTz) {
    const auto value = ParseTimestamp(text, type.nanoseconds, OffsetRule::kOptional);
    if (!value) return Invalid(text, type, "");
    int64_t step = 0, moment = 0;
    constexpr int64_t kLeast = std::numeric_limits<int64_t>::min() + 1;
    const bool fits =
        !__builtin_mul_overflow(amount, type.nanoseconds ? 1000 : 1, &step) &&
        !__builtin_sub_overflow(*value, step, &moment) && moment >= kLeast;
    AppendTimestamp(fits ? moment : kLeast, type.nanoseconds,
                    type.dtype == DType::kTimestampTz, &below);
    return below;
  }
  return MakeError(ErrorClass::kUnsupported, "cursor.no_distance",
                   "A watermark field of type " + ToString(type) +
                       " has no distances, so nothing can be said to lie below it",
                   "Leave extract.lag out, or use a whole number, date or timestamp");
}

int CompareCursors(std::string_view a, std::string_view b, const FieldType& type) {
  switch (type.dtype) {
    case DType::kString:
      return Sign(a.compare(b));
    case DType::kDate: {
      const auto x = ParseDate(a), y = ParseDate(b);
      if (x && y) return (*x > *y) - (*x < *y);
      return Sign(a.compare(b));
    }
    case DType::kTimestamp:
    case DType::kTimestampTz: {
      const auto x = ParseTimestamp(a, type.nanoseconds, OffsetRule::kOptional);
      const auto y = ParseTimestamp(b, type.nanoseconds, OffsetRule::kOptional);
      if (x && y) return (*x > *y) - (*x < *y);
      return Sign(a.compare(b));
    }
    default:
      return CompareDecimals(a, b);
  }
}

}  // namespace dxt
