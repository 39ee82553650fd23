#include <charconv>
#include <cmath>
#include <type_traits>

#include <arrow/builder.h>
#include <arrow/util/decimal.h>

#include "connectors/sdk/value_text.h"
#include "engine/plan/convert_decimal.h"
#include "engine/plan/convert_loops.h"

namespace dxt::convert {
namespace {

template <typename ArrayType>
auto ValueAt(const arrow::Array& array, int64_t row) {
  return static_cast<const ArrayType&>(array).Value(row);
}

template <typename ArrayType>
void AppendInteger(const arrow::Array& array, int64_t row, std::string* out) {
  char text[24];
  const auto end =
      std::to_chars(text, text + sizeof text, ValueAt<ArrayType>(array, row)).ptr;
  out->append(text, end);
}

template <typename ArrayType>
void AppendDecimalAt(const arrow::Array& array, int64_t row, std::string* out) {
  constexpr int kWords = ArrayType::TypeClass::kByteWidth / 8;
  uint64_t words[kWords];
  std::memcpy(words, static_cast<const ArrayType&>(array).GetValue(row), sizeof words);
  AppendDecimal(words, kWords,
                static_cast<const arrow::DecimalType&>(*array.type()).scale(), out);
}

/// In JSON, NaN and infinity are strings: only text buffers let them come here.
template <typename ArrayType>
void AppendFloatAt(const arrow::Array& array, int64_t row, bool json, std::string* out) {
  const auto value = ValueAt<ArrayType>(array, row);
  const bool quoted = json && !std::isfinite(value);
  if (quoted) out->push_back('"');
  AppendFloat(value, out);
  if (quoted) out->push_back('"');
}

bool AppendList(const arrow::Array& array, int64_t row, const FieldType& type,
                std::string* out) {
  const auto& list = static_cast<const arrow::ListArray&>(array);
  const auto& values = *list.values();
  out->push_back('[');
  for (int64_t i = list.value_offset(row); i < list.value_offset(row + 1); ++i) {
    if (i > list.value_offset(row)) out->push_back(',');
    if (values.IsNull(i)) {
      *out += "null";
    } else if (!AppendValue(values, i, *type.element, true, out)) {
      return false;
    }
  }
  out->push_back(']');
  return true;
}

bool AppendText(std::string_view text, const FieldType& type, bool json,
                std::string* out) {
  const bool is_json = type.dtype == DType::kJson || type.dtype == DType::kArray ||
                       type.dtype == DType::kObject;
  const bool number = type.dtype == DType::kDecimal && !IsSpecialDecimal(text);
  if (!json || is_json || number) {
    *out += text;
    return true;
  }
  return AppendJsonString(text, out);
}

}  // namespace

bool AppendValue(const arrow::Array& array, int64_t row, const FieldType& type, bool json,
                 std::string* out) {
  const auto quote = [&] {
    if (json) out->push_back('"');
  };
  switch (array.type_id()) {
    case arrow::Type::INT8:
      AppendInteger<arrow::Int8Array>(array, row, out);
      return true;
    case arrow::Type::INT16:
      AppendInteger<arrow::Int16Array>(array, row, out);
      return true;
    case arrow::Type::INT32:
      AppendInteger<arrow::Int32Array>(array, row, out);
      return true;
    case arrow::Type::INT64:
      AppendInteger<arrow::Int64Array>(array, row, out);
      return true;
    case arrow::Type::UINT8:
      AppendInteger<arrow::UInt8Array>(array, row, out);
      return true;
    case arrow::Type::UINT16:
      AppendInteger<arrow::UInt16Array>(array, row, out);
      return true;
    case arrow::Type::UINT32:
      AppendInteger<arrow::UInt32Array>(array, row, out);
      return true;
    case arrow::Type::UINT64:
      AppendInteger<arrow::UInt64Array>(array, row, out);
      return true;
    case arrow::Type::FLOAT:
      AppendFloatAt<arrow::FloatArray>(array, row, json, out);
      return true;
    case arrow::Type::DOUBLE:
      AppendFloatAt<arrow::DoubleArray>(array, row, json, out);
      return true;
    case arrow::Type::BOOL:
      *out += ValueAt<arrow::BooleanArray>(array, row) ? "true" : "false";
      return true;
    case arrow::Type::DECIMAL128:
      AppendDecimalAt<arrow::Decimal128Array>(array, row, out);
      return true;
    case arrow::Type::DECIMAL256:
      AppendDecimalAt<arrow::Decimal256Array>(array, row, out);
      return true;
    case arrow::Type::DATE32:
      quote();
      AppendDate(ValueAt<arrow::Date32Array>(array, row), out);
      quote();
      return true;
    case arrow::Type::TIME64:
      quote();
      AppendTime(ValueAt<arrow::Time64Array>(array, row), out);
      quote();
      return true;
    case arrow::Type::TIMESTAMP:
      quote();
      AppendTimestamp(ValueAt<arrow::TimestampArray>(array, row), type.nanoseconds,
                      type.dtype == DType::kTimestampTz, out);
      quote();
      return true;
    case arrow::Type::BINARY:
      quote();
      AppendBase64(static_cast<const arrow::BinaryArray&>(array).GetView(row), out);
      quote();
      return true;
    case arrow::Type::STRING:
      return AppendText(static_cast<const arrow::StringArray&>(array).GetView(row), type,
                        json, out);
    case arrow::Type::LIST:
      return AppendList(array, row, type, out);
    default:
      return false;
  }
}

namespace {

ArrayResult ToText(const Context& context, const std::shared_ptr<arrow::Array>& array,
                   int64_t* bad_row) {
  arrow::StringBuilder builder;
  ARROW_RETURN_NOT_OK(builder.Reserve(array->length()));
  std::string text;
  for (int64_t i = 0; i < array->length(); ++i) {
    if (array->IsNull(i)) {
      builder.UnsafeAppendNull();
      continue;
    }
    text.clear();
    if (!AppendValue(*array, i, context.from, false, &text)) {
      return context.Fail(Fault::kInvalidText, *array, i, bad_row);
    }
    ARROW_RETURN_NOT_OK(builder.Append(text));
  }
  return builder.Finish();
}

ArrayResult Base64ToBytes(const Context& context,
                          const std::shared_ptr<arrow::Array>& array, int64_t* bad_row) {
  arrow::BinaryBuilder builder;
  ARROW_RETURN_NOT_OK(builder.Reserve(array->length()));
  const auto& texts = static_cast<const arrow::StringArray&>(*array);
  for (int64_t i = 0; i < array->length(); ++i) {
    if (array->IsNull(i)) {
      builder.UnsafeAppendNull();
      continue;
    }
    const auto bytes = ParseBase64(texts.GetView(i));
    if (!bytes) return context.Fail(Fault::kInvalidText, *array, i, bad_row);
    ARROW_RETURN_NOT_OK(builder.Append(*bytes));
  }
  return builder.Finish();
}

ArrayResult TextToBytes(const Context& context,
                        const std::shared_ptr<arrow::Array>& array, int64_t* bad_row) {
  if (context.options.text_buffer) return Base64ToBytes(context, array, bad_row);
  return Relabel(context, *array);
}

/// Text to a number: digits only for integers, the type's own form for floats. Undeclared
/// decimals are numbers already, and may be written as 5.0 or 1e3.
template <typename Out>
Fault ParseNumber(std::string_view text, const Context& context, Out* out) {
  *out = Out{};
  if (context.from.dtype == DType::kDecimal)
    return DecimalFromText(text, context.to, out);
  if constexpr (std::is_same_v<Out, double> || std::is_same_v<Out, float>) {
    const auto value = [&] {
      if constexpr (sizeof(Out) == 4)
        return ParseFloat32(text);
      else
        return ParseFloat64(text);
    }();
    if (value) *out = *value;
    return value ? Fault::kNone : Fault::kInvalidText;
  } else {
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, *out);
    if (error == std::errc::result_out_of_range && at == end) return Fault::kOutOfRange;
    return error == std::errc() && at == end ? Fault::kNone : Fault::kInvalidText;
  }
}

template <typename Out>
Kernel NumberFromText() {
  return [](const Context& context, const std::shared_ptr<arrow::Array>& array,
            int64_t* bad_row) {
    return MapText<Out>(context, *array, bad_row, [&](std::string_view text, Out* out) {
      return ParseNumber(text, context, out);
    });
  };
}

template <typename Out>
Kernel DecimalsFromText() {
  return [](const Context& context, const std::shared_ptr<arrow::Array>& array,
            int64_t* bad_row) {
    return MapText<Out>(context, *array, bad_row, [&](std::string_view text, Out* out) {
      return DecimalFromText(text, context.to, out);
    });
  };
}

template <typename Out, typename Parse>
Kernel OptionalFromText(Parse parse) {
  return [parse](const Context& context, const std::shared_ptr<arrow::Array>& array,
                 int64_t* bad_row) {
    return MapText<Out>(context, *array, bad_row, [&](std::string_view text, Out* out) {
      const auto value = parse(text);
      if (value) *out = *value;
      return value ? Fault::kNone : Fault::kInvalidText;
    });
  };
}

Kernel BoolFromText() {
  return [](const Context& context, const std::shared_ptr<arrow::Array>& array,
            int64_t* bad_row) {
    const auto& texts = static_cast<const arrow::StringArray&>(*array);
    return MapToBool(context, *array, bad_row, [&](int64_t row, bool* out) {
      const auto text = texts.GetView(row);
      *out = text == "true" || text == "t" || text == "TRUE" || text == "True" ||
             text == "1";
      const bool no = text == "false" || text == "f" || text == "FALSE" ||
                      text == "False" || text == "0";
      return *out || no ? Fault::kNone : Fault::kInvalidText;
    });
  };
}

/// Text that must be a number, kept as it is written.
ArrayResult CheckDecimals(const Context& context,
                          const std::shared_ptr<arrow::Array>& array, int64_t* bad_row) {
  const auto& texts = static_cast<const arrow::StringArray&>(*array);
  for (int64_t i = 0; i < array->length(); ++i) {
    if (array->IsNull(i)) continue;
    const auto text = texts.GetView(i);
    if (!ParseDecimalText(text) && !IsSpecialDecimal(text)) {
      return context.Fail(Fault::kInvalidText, *array, i, bad_row);
    }
  }
  return array;
}

/// Local times without an offset, then shifted by the field's zone.
ArrayResult TimesFromText(const Context& context,
                          const std::shared_ptr<arrow::Array>& array, int64_t* bad_row) {
  const bool zoned = context.to.dtype == DType::kTimestampTz;
  const bool local = !zoned || !context.options.timezone.empty();
  const bool nanoseconds = context.to.nanoseconds;
  Context parsing = context;
  if (local) parsing.to.dtype = DType::kTimestamp;
  ARROW_ASSIGN_OR_RAISE(
      auto parsed,
      MapText<int64_t>(
          parsing, *array, bad_row, [&](std::string_view text, int64_t* out) {
            const auto value =
                ParseTimestamp(text, nanoseconds,
                               local ? OffsetRule::kForbidden : OffsetRule::kOptional);
            if (value) *out = *value;
            return value ? Fault::kNone : Fault::kInvalidText;
          }));
  if (!zoned || !local) return parsed;
  Context shifting = context;
  shifting.from = parsing.to;
  return TimeKernel(shifting.from, shifting.to)(shifting, parsed, bad_row);
}

}  // namespace

Kernel TextKernel(const FieldType& from, const FieldType& to) {
  const bool undeclared = to.dtype == DType::kDecimal && to.precision == 0;
  const bool number = from.dtype <= DType::kDecimal;
  if (to.dtype == DType::kString || (undeclared && number)) return ToText;
  if (from.dtype == DType::kString && to.dtype == DType::kBinary) return TextToBytes;
  return nullptr;
}

Kernel ParseKernel(const FieldType& from, const FieldType& to) {
  const bool undeclared = from.dtype == DType::kDecimal && from.precision == 0;
  if (from.dtype != DType::kString && !undeclared) return nullptr;
  if (to.dtype <= DType::kFloat64) {
    return WithNumber(to.dtype, [](auto out) { return NumberFromText<decltype(out)>(); });
  }
  if (to.dtype == DType::kDecimal) {
    if (to.precision == 0) return CheckDecimals;
    if (to.precision <= 38) return DecimalsFromText<arrow::Decimal128>();
    return DecimalsFromText<arrow::Decimal256>();
  }
  if (undeclared) return nullptr;
  switch (to.dtype) {
    case DType::kBool:
      return BoolFromText();
    case DType::kDate:
      return OptionalFromText<int32_t>(ParseDate);
    case DType::kTime:
      return OptionalFromText<int64_t>(ParseTime);
    case DType::kTimestamp:
    case DType::kTimestampTz:
      return TimesFromText;
    default:
      return nullptr;
  }
}

}  // namespace dxt::convert
