#include "connectors/sdk/types.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <arrow/extension_type.h>
#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>

#include "base/error.h"

namespace dxt {
namespace {

constexpr std::array<std::string_view, 21> kNames = {
    "int8",   "int16",     "int32",        "int64",   "uint8",  "uint16", "uint32",
    "uint64", "float32",   "float64",      "decimal", "string", "bool",   "date",
    "time",   "timestamp", "timestamp_tz", "binary",  "json",   "array",  "object"};

constexpr char kDTypeKey[] = "dxt.dtype";
constexpr char kExtensionKey[] = "ARROW:extension:name";

}  // namespace

std::string_view DTypeName(DType dtype) { return kNames[static_cast<size_t>(dtype)]; }

std::optional<DType> ParseDType(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<DType>(found - kNames.begin());
}

const std::vector<std::string>& DTypeNames() {
  static const std::vector<std::string> names(kNames.begin(), kNames.end());
  return names;
}

bool FieldType::operator==(const FieldType& other) const {
  if (dtype != other.dtype) return false;
  switch (dtype) {
    case DType::kDecimal:
      return precision == other.precision && (precision == 0 || scale == other.scale);
    case DType::kTimestamp:
    case DType::kTimestampTz:
      return nanoseconds == other.nanoseconds;
    case DType::kArray:
      if (!element || !other.element) return !element && !other.element;
      return *element == *other.element;
    default:
      return true;
  }
}

std::string ToString(const FieldType& type) {
  std::string text(DTypeName(type.dtype));
  if (type.dtype == DType::kDecimal && type.precision > 0) {
    text += "(" + std::to_string(type.precision) + "," + std::to_string(type.scale) + ")";
  } else if (type.dtype == DType::kArray && type.element) {
    text += "<" + ToString(*type.element) + ">";
  } else if (type.nanoseconds &&
             (type.dtype == DType::kTimestamp || type.dtype == DType::kTimestampTz)) {
    text += "(9)";
  }
  return text;
}

arrow::Result<FieldType> ParseFieldType(std::string_view text) {
  const auto unknown = [&] {
    return MakeError(ErrorClass::kConfig, "type.unknown",
                     "'" + std::string(text) + "' is not a dtype",
                     "Write a dtype, decimal(p,s), timestamp(9) or array<dtype>");
  };
  FieldType type;
  const auto dtype = ParseDType(text.substr(0, text.find_first_of("(<")));
  if (!dtype) return unknown();
  type.dtype = *dtype;
  const std::string_view rest = text.substr(DTypeName(*dtype).size());
  if (rest.empty()) return type;
  const std::string_view inner =
      rest.substr(1, rest.size() - std::min<size_t>(2, rest.size()));
  if (rest.front() == '<' && rest.back() == '>' && *dtype == DType::kArray) {
    ARROW_ASSIGN_OR_RAISE(auto element, ParseFieldType(inner));
    type.element = std::make_shared<FieldType>(std::move(element));
    return type;
  }
  if (rest.front() != '(' || rest.back() != ')') return unknown();
  const char* end = inner.data() + inner.size();
  int32_t first = 0, second = 0;
  auto [at, error] = std::from_chars(inner.data(), end, first);
  if (error != std::errc()) return unknown();
  if (*dtype == DType::kDecimal) {
    if (at != end && *at == ',') {
      const auto last = std::from_chars(at + 1, end, second);
      if (last.ec != std::errc()) return unknown();
      at = last.ptr;
    }
    if (at != end || first < 1 || first > 76 || second < 0 || second > first)
      return unknown();
    type.precision = first;
    type.scale = second;
    return type;
  }
  const bool timestamp = *dtype == DType::kTimestamp || *dtype == DType::kTimestampTz;
  if (at != end || !timestamp || (first != 6 && first != 9)) return unknown();
  type.nanoseconds = first == 9;
  return type;
}

const Field* StreamSchema::Find(std::string_view name) const {
  for (const auto& field : fields) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

std::shared_ptr<arrow::DataType> ArrowType(const FieldType& type) {
  const auto unit = type.nanoseconds ? arrow::TimeUnit::NANO : arrow::TimeUnit::MICRO;
  switch (type.dtype) {
    case DType::kInt8:
      return arrow::int8();
    case DType::kInt16:
      return arrow::int16();
    case DType::kInt32:
      return arrow::int32();
    case DType::kInt64:
      return arrow::int64();
    case DType::kUint8:
      return arrow::uint8();
    case DType::kUint16:
      return arrow::uint16();
    case DType::kUint32:
      return arrow::uint32();
    case DType::kUint64:
      return arrow::uint64();
    case DType::kFloat32:
      return arrow::float32();
    case DType::kFloat64:
      return arrow::float64();
    case DType::kDecimal:
      if (type.precision == 0) return arrow::utf8();
      if (type.precision <= 38) return arrow::decimal128(type.precision, type.scale);
      return arrow::decimal256(type.precision, type.scale);
    case DType::kString:
      return arrow::utf8();
    case DType::kBool:
      return arrow::boolean();
    case DType::kDate:
      return arrow::date32();
    case DType::kTime:
      return arrow::time64(arrow::TimeUnit::MICRO);
    case DType::kTimestamp:
      return arrow::timestamp(unit);
    case DType::kTimestampTz:
      return arrow::timestamp(unit, "UTC");
    case DType::kBinary:
      return arrow::binary();
    case DType::kJson:
      return arrow::utf8();
    case DType::kArray:
      return type.element ? arrow::list(ArrowType(*type.element)) : arrow::utf8();
    case DType::kObject:
      return arrow::utf8();
  }
  return arrow::utf8();
}

std::shared_ptr<arrow::Field> ArrowField(const Field& field) {
  return arrow::field(
      field.name, ArrowType(field.type), field.nullable,
      arrow::key_value_metadata({{kDTypeKey, std::string(DTypeName(field.type.dtype))}}));
}

std::shared_ptr<arrow::Schema> ArrowSchema(const StreamSchema& schema) {
  arrow::FieldVector fields;
  fields.reserve(schema.fields.size());
  for (const auto& field : schema.fields) fields.push_back(ArrowField(field));
  return arrow::schema(std::move(fields));
}

arrow::Result<FieldType> FieldTypeOf(const arrow::Field& field) {
  FieldType type;
  std::string declared, extension;
  if (const auto& metadata = field.metadata()) {
    if (auto value = metadata->Get(kDTypeKey); value.ok()) declared = *value;
    if (auto value = metadata->Get(kExtensionKey); value.ok()) extension = *value;
  }
  const auto text = [&]() {
    const auto dtype = ParseDType(declared);
    if (dtype == DType::kDecimal || dtype == DType::kJson || dtype == DType::kArray ||
        dtype == DType::kObject) {
      type.dtype = *dtype;
    } else {
      type.dtype = extension == "arrow.json" ? DType::kJson : DType::kString;
    }
    return type;
  };
  const arrow::DataType& arrow_type = *field.type();
  switch (arrow_type.id()) {
    case arrow::Type::INT8:
      type.dtype = DType::kInt8;
      return type;
    case arrow::Type::INT16:
      type.dtype = DType::kInt16;
      return type;
    case arrow::Type::INT32:
      type.dtype = DType::kInt32;
      return type;
    case arrow::Type::INT64:
      type.dtype = DType::kInt64;
      return type;
    case arrow::Type::UINT8:
      type.dtype = DType::kUint8;
      return type;
    case arrow::Type::UINT16:
      type.dtype = DType::kUint16;
      return type;
    case arrow::Type::UINT32:
      type.dtype = DType::kUint32;
      return type;
    case arrow::Type::UINT64:
      type.dtype = DType::kUint64;
      return type;
    case arrow::Type::HALF_FLOAT:
    case arrow::Type::FLOAT:
      type.dtype = DType::kFloat32;
      return type;
    case arrow::Type::DOUBLE:
      type.dtype = DType::kFloat64;
      return type;
    case arrow::Type::BOOL:
      type.dtype = DType::kBool;
      return type;
    case arrow::Type::DATE32:
    case arrow::Type::DATE64:
      type.dtype = DType::kDate;
      return type;
    case arrow::Type::TIME32:
    case arrow::Type::TIME64:
      type.dtype = DType::kTime;
      return type;
    case arrow::Type::TIMESTAMP: {
      const auto& timestamp = static_cast<const arrow::TimestampType&>(arrow_type);
      type.dtype = timestamp.timezone().empty() ? DType::kTimestamp : DType::kTimestampTz;
      type.nanoseconds = timestamp.unit() == arrow::TimeUnit::NANO;
      return type;
    }
    case arrow::Type::DECIMAL32:
    case arrow::Type::DECIMAL64:
    case arrow::Type::DECIMAL128:
    case arrow::Type::DECIMAL256: {
      const auto& decimal = static_cast<const arrow::DecimalType&>(arrow_type);
      type.dtype = DType::kDecimal;
      type.precision = decimal.precision();
      type.scale = decimal.scale();
      return type;
    }
    case arrow::Type::STRING:
    case arrow::Type::LARGE_STRING:
    case arrow::Type::STRING_VIEW:
      return text();
    case arrow::Type::BINARY:
    case arrow::Type::LARGE_BINARY:
    case arrow::Type::BINARY_VIEW:
    case arrow::Type::FIXED_SIZE_BINARY:
      type.dtype = DType::kBinary;
      return type;
    case arrow::Type::DICTIONARY:
      return FieldTypeOf(*field.WithType(
          static_cast<const arrow::DictionaryType&>(arrow_type).value_type()));
    case arrow::Type::EXTENSION: {
      const auto& custom = static_cast<const arrow::ExtensionType&>(arrow_type);
      extension = custom.extension_name();
      if (extension == "arrow.json") return text();
      return FieldTypeOf(*field.WithType(custom.storage_type()));
    }
    case arrow::Type::LIST:
    case arrow::Type::LARGE_LIST:
    case arrow::Type::FIXED_SIZE_LIST: {
      type.dtype = DType::kArray;
      const auto& list = static_cast<const arrow::BaseListType&>(arrow_type);
      ARROW_ASSIGN_OR_RAISE(auto element, FieldTypeOf(*list.value_field()));
      type.element = std::make_shared<FieldType>(element);
      return type;
    }
    case arrow::Type::STRUCT:
    case arrow::Type::MAP:
      type.dtype = DType::kObject;
      return type;
    default:
      return MakeError(ErrorClass::kUnsupported, "type.unsupported",
                       "Column '" + field.name() + "' has the Arrow type " +
                           arrow_type.ToString() + ", which dxt cannot carry");
  }
}

}  // namespace dxt
