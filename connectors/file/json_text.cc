#include "connectors/file/json_text.h"

#include <charconv>
#include <cmath>
#include <cstring>

#include <arrow/array.h>
#include <arrow/extension_type.h>
#include <arrow/type.h>

#include "base/error.h"
#include "connectors/sdk/value_text.h"

namespace dxt::file {
namespace {

arrow::Status OutOfRange(const arrow::DataType& type) {
  return MakeError(ErrorClass::kData, "file.out_of_range",
                   "A value of type " + type.ToString() +
                       " lies outside the years 0001 to 9999 or the hours of a day");
}

arrow::Status AppendText(std::string_view text, std::string* out) {
  if (AppendJsonString(text, out)) return arrow::Status::OK();
  return MakeError(ErrorClass::kData, "file.invalid_utf8",
                   "A text holds bytes that are not UTF-8");
}

arrow::Status AppendFloatToken(double value, bool single, std::string* out) {
  if (!std::isfinite(value)) {
    return MakeError(ErrorClass::kData, "file.json_number",
                     "JSON cannot hold NaN or an infinite number",
                     "Load as CSV or Parquet, or set `values`");
  }
  single ? AppendFloat(static_cast<float>(value), out) : AppendFloat(value, out);
  return arrow::Status::OK();
}

template <typename Array>
std::string_view ViewOf(const arrow::Array& array, int64_t row) {
  return static_cast<const Array&>(array).GetView(row);
}

arrow::Status AppendTimestampString(const arrow::Array& array, int64_t row,
                                    std::string* out) {
  const auto& type = static_cast<const arrow::TimestampType&>(*array.type());
  int64_t value = static_cast<const arrow::TimestampArray&>(array).Value(row);
  const bool nanoseconds = type.unit() == arrow::TimeUnit::NANO;
  const int64_t factor = type.unit() == arrow::TimeUnit::SECOND  ? 1'000'000
                         : type.unit() == arrow::TimeUnit::MILLI ? 1000
                                                                 : 1;
  if (__builtin_mul_overflow(value, factor, &value)) return OutOfRange(type);
  out->push_back('"');
  if (!AppendIsoTimestamp(value, nanoseconds, !type.timezone().empty(), out)) {
    return OutOfRange(type);
  }
  out->push_back('"');
  return arrow::Status::OK();
}

arrow::Status AppendTimeString(const arrow::Array& array, int64_t row, std::string* out) {
  int64_t micros = 0;
  if (array.type_id() == arrow::Type::TIME32) {
    const auto& type = static_cast<const arrow::Time32Type&>(*array.type());
    micros = static_cast<const arrow::Time32Array&>(array).Value(row) *
             (type.unit() == arrow::TimeUnit::SECOND ? 1'000'000LL : 1000LL);
  } else {
    const auto& type = static_cast<const arrow::Time64Type&>(*array.type());
    micros = static_cast<const arrow::Time64Array&>(array).Value(row);
    if (type.unit() == arrow::TimeUnit::NANO) micros /= 1000;
  }
  out->push_back('"');
  AppendTime(micros, out);
  out->push_back('"');
  return arrow::Status::OK();
}

arrow::Status AppendStruct(const arrow::StructArray& array, int64_t row,
                           const JsonStyle& style, std::string* out) {
  out->push_back('{');
  for (int i = 0; i < array.num_fields(); ++i) {
    if (i > 0) out->push_back(',');
    ARROW_RETURN_NOT_OK(AppendText(array.struct_type()->field(i)->name(), out));
    out->push_back(':');
    ARROW_RETURN_NOT_OK(AppendJson(*array.field(i), row, style, out));
  }
  out->push_back('}');
  return arrow::Status::OK();
}

/// An object where the keys are text, else a list of [key, value] pairs.
arrow::Status AppendMap(const arrow::MapArray& array, int64_t row, const JsonStyle& style,
                        std::string* out) {
  const bool text = arrow::is_base_binary_like(array.keys()->type_id());
  out->push_back(text ? '{' : '[');
  const int64_t end = array.value_offset(row) + array.value_length(row);
  for (int64_t i = array.value_offset(row); i < end; ++i) {
    if (i > array.value_offset(row)) out->push_back(',');
    if (!text) out->push_back('[');
    ARROW_RETURN_NOT_OK(AppendJson(*array.keys(), i, style, out));
    out->push_back(text ? ':' : ',');
    ARROW_RETURN_NOT_OK(AppendJson(*array.items(), i, style, out));
    if (!text) out->push_back(']');
  }
  out->push_back(text ? '}' : ']');
  return arrow::Status::OK();
}

template <typename List>
arrow::Status AppendList(const arrow::Array& array, int64_t row, const JsonStyle& style,
                         std::string* out) {
  const auto& list = static_cast<const List&>(array);
  out->push_back('[');
  const int64_t begin = list.value_offset(row);
  const int64_t end = begin + list.value_length(row);
  for (int64_t i = begin; i < end; ++i) {
    if (i > begin) out->push_back(',');
    ARROW_RETURN_NOT_OK(AppendJson(*list.values(), i, style, out));
  }
  out->push_back(']');
  return arrow::Status::OK();
}

void AppendBytes(std::string_view bytes, std::string* out) {
  out->push_back('"');
  AppendBase64(bytes, out);
  out->push_back('"');
}

template <typename Array>
void AppendInt(const arrow::Array& array, int64_t row, std::string* out) {
  char text[24];
  const auto end = std::to_chars(text, text + sizeof(text),
                                 static_cast<const Array&>(array).Value(row))
                       .ptr;
  out->append(text, static_cast<size_t>(end - text));
}

}  // namespace

bool AppendIsoDate(int64_t days, std::string* out) {
  if (days < -719162 || days > 2932896) return false;
  dxt::AppendDate(static_cast<int32_t>(days), out);
  return true;
}

bool AppendIsoTimestamp(int64_t value, bool nanoseconds, bool zoned, std::string* out) {
  constexpr int64_t kMicrosPerDay = 86'400'000'000LL;
  constexpr int64_t kFirst = -719162 * kMicrosPerDay;
  constexpr int64_t kLast = 2932897 * kMicrosPerDay - 1;
  if (!nanoseconds && (value < kFirst || value > kLast)) return false;
  // The smallest and largest nanoseconds stand for the infinities.
  if (nanoseconds && (value == INT64_MIN || value == INT64_MAX)) return false;
  const size_t from = out->size();
  dxt::AppendTimestamp(value, nanoseconds, false, out);
  (*out)[from + 10] = 'T';
  if (zoned) out->push_back('Z');
  return true;
}

arrow::Status AppendJson(const arrow::Array& array, int64_t row, const JsonStyle& style,
                         std::string* out) {
  using arrow::Type;
  if (array.IsNull(row)) {
    out->append("null");
    return arrow::Status::OK();
  }
  switch (array.type_id()) {
    case Type::NA:
      out->append("null");
      break;
    case Type::BOOL:
      out->append(static_cast<const arrow::BooleanArray&>(array).Value(row) ? "true"
                                                                            : "false");
      break;
    case Type::INT8:
      AppendInt<arrow::Int8Array>(array, row, out);
      break;
    case Type::INT16:
      AppendInt<arrow::Int16Array>(array, row, out);
      break;
    case Type::INT32:
      AppendInt<arrow::Int32Array>(array, row, out);
      break;
    case Type::INT64:
      AppendInt<arrow::Int64Array>(array, row, out);
      break;
    case Type::UINT8:
      AppendInt<arrow::UInt8Array>(array, row, out);
      break;
    case Type::UINT16:
      AppendInt<arrow::UInt16Array>(array, row, out);
      break;
    case Type::UINT32:
      AppendInt<arrow::UInt32Array>(array, row, out);
      break;
    case Type::UINT64:
      AppendInt<arrow::UInt64Array>(array, row, out);
      break;
    case Type::FLOAT:
      return AppendFloatToken(static_cast<const arrow::FloatArray&>(array).Value(row),
                              true, out);
    case Type::DOUBLE:
      return AppendFloatToken(static_cast<const arrow::DoubleArray&>(array).Value(row),
                              false, out);
    case Type::DECIMAL32:
    case Type::DECIMAL64:
    case Type::DECIMAL128:
    case Type::DECIMAL256: {
      const auto& type = static_cast<const arrow::DecimalType&>(*array.type());
      const auto& fixed = static_cast<const arrow::FixedSizeBinaryArray&>(array);
      if (!style.decimal_number) out->push_back('"');
      // Narrower ones are extended by their sign.
      const int width = type.byte_width();
      const uint8_t* bytes = fixed.Value(row);
      uint64_t words[4];
      std::memset(words, bytes[width - 1] & 0x80 ? 0xff : 0, sizeof(words));
      std::memcpy(words, bytes, static_cast<size_t>(width));
      AppendDecimal(words, width == 32 ? 4 : 2, type.scale(), out);
      if (!style.decimal_number) out->push_back('"');
      break;
    }
    case Type::DATE32:
    case Type::DATE64: {
      const int64_t days =
          array.type_id() == Type::DATE32
              ? static_cast<const arrow::Date32Array&>(array).Value(row)
              : static_cast<const arrow::Date64Array&>(array).Value(row) / 86'400'000;
      out->push_back('"');
      if (!AppendIsoDate(days, out)) return OutOfRange(*array.type());
      out->push_back('"');
      break;
    }
    case Type::TIME32:
    case Type::TIME64:
      return AppendTimeString(array, row, out);
    case Type::TIMESTAMP:
      return AppendTimestampString(array, row, out);
    case Type::STRING:
      return AppendText(ViewOf<arrow::StringArray>(array, row), out);
    case Type::LARGE_STRING:
      return AppendText(ViewOf<arrow::LargeStringArray>(array, row), out);
    case Type::BINARY:
      AppendBytes(ViewOf<arrow::BinaryArray>(array, row), out);
      break;
    case Type::LARGE_BINARY:
      AppendBytes(ViewOf<arrow::LargeBinaryArray>(array, row), out);
      break;
    case Type::FIXED_SIZE_BINARY:
      AppendBytes(ViewOf<arrow::FixedSizeBinaryArray>(array, row), out);
      break;
    case Type::LIST:
      return AppendList<arrow::ListArray>(array, row, style, out);
    case Type::LARGE_LIST:
      return AppendList<arrow::LargeListArray>(array, row, style, out);
    case Type::FIXED_SIZE_LIST:
      return AppendList<arrow::FixedSizeListArray>(array, row, style, out);
    case Type::MAP:
      return AppendMap(static_cast<const arrow::MapArray&>(array), row, style, out);
    case Type::STRUCT:
      return AppendStruct(static_cast<const arrow::StructArray&>(array), row, style, out);
    case Type::DICTIONARY: {
      const auto& dictionary = static_cast<const arrow::DictionaryArray&>(array);
      return AppendJson(*dictionary.dictionary(), dictionary.GetValueIndex(row), style,
                        out);
    }
    case Type::EXTENSION:
      return AppendJson(*static_cast<const arrow::ExtensionArray&>(array).storage(), row,
                        style, out);
    default:
      return MakeError(
          ErrorClass::kUnsupported, "type.unsupported",
          "Values of type " + array.type()->ToString() + " cannot become JSON");
  }
  return arrow::Status::OK();
}

}  // namespace dxt::file
