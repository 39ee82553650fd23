#pragma once
// The 21 dtypes, what they are in Arrow, and the values that a target column can hold.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

namespace dxt {

enum class DType : uint8_t {
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kFloat32,
  kFloat64,
  kDecimal,
  kString,
  kBool,
  kDate,
  kTime,
  kTimestamp,
  kTimestampTz,
  kBinary,
  kJson,
  kArray,
  kObject,
};

std::string_view DTypeName(DType dtype);
std::optional<DType> ParseDType(std::string_view name);
/// Every name, for "did you mean" and the JSON Schema.
const std::vector<std::string>& DTypeNames();

/// A dtype with its parameters.
struct FieldType {
  DType dtype = DType::kString;
  /// Decimal digits; 0 = not declared: values travel as the source's own text
  /// (so NaN and Infinity survive), dtype metadata says "decimal".
  int32_t precision = 0;
  int32_t scale = 0;
  /// Timestamps only: nanoseconds instead of microseconds.
  bool nanoseconds = false;
  /// kArray of typed scalars; null means the value travels as JSON text.
  std::shared_ptr<const FieldType> element = nullptr;

  bool operator==(const FieldType& other) const;
};

/// "decimal(15,2)", "timestamp_tz", "array<int64>".
std::string ToString(const FieldType& type);
/// The inverse of ToString; also "decimal(15)". kConfig "type.unknown" otherwise.
arrow::Result<FieldType> ParseFieldType(std::string_view text);

/// A column's type in the words of the system it came from, e.g. {"postgres", "inet"}.
/// Empty when the system has no more to say than the FieldType.
struct NativeType {
  std::string system;
  std::string type;
  bool operator==(const NativeType&) const = default;
};

/// One column of a stream on its way.
struct Field {
  std::string name;
  FieldType type;
  bool nullable = true;
  NativeType native;
};

/// The shape of a stream's records. Column names are unique, order is significant.
struct StreamSchema {
  std::vector<Field> fields;
  std::vector<std::string> primary_key;  ///< Names of fields; empty when unknown.

  const Field* Find(std::string_view name) const;
};

/// The Arrow type in which a field travels. This is the only place that decides it:
///   decimal(p<=38) decimal128, decimal(<=76) decimal256, decimal without p utf8,
///   json and untyped array/object utf8 (JSON text), time time64[us], timestamp[us|ns],
///   timestamp_tz timestamp[us|ns, "UTC"], date date32, binary binary.
/// Infinite dates and timestamps travel as the type's largest and smallest integer.
std::shared_ptr<arrow::DataType> ArrowType(const FieldType& type);
/// ArrowType plus name, nullability and metadata key "dxt.dtype" (the dtype's name).
std::shared_ptr<arrow::Field> ArrowField(const Field& field);
std::shared_ptr<arrow::Schema> ArrowSchema(const StreamSchema& schema);
/// The inverse: reads "dxt.dtype", "ARROW:extension:name" = "arrow.json" and, without
/// metadata, the Arrow type alone. Types outside the map fail with kUnsupported.
arrow::Result<FieldType> FieldTypeOf(const arrow::Field& field);

/// The set of values that a target column can hold, as its declared type says. The engine
/// converts each batch to `deliver` and tests every value that might fall outside before
/// a Writer sees it, so that a server never rounds, clamps or casts for us.
struct ValueDomain {
  FieldType deliver;              ///< The type that the Writer must be handed.
  int64_t max_characters = 0;     ///< Text; 0 = no limit. Unicode code points.
  int64_t max_bytes = 0;          ///< Binary and text; 0 = no limit.
  bool nul = true;                ///< Text may hold U+0000.
  bool nan = true;                ///< Floats and undeclared decimals.
  bool infinity = true;           ///< Likewise.
  bool signed_zero = true;        ///< Floats: -0.0 keeps its sign; it is 0.0 otherwise.
  bool infinite_time = false;     ///< Dates and timestamps of ±infinity.
  bool end_of_day = true;         ///< time 24:00:00.
  int32_t fraction_digits = 6;    ///< Of a second: time and timestamps, 0 to 9.
  int64_t first_day = INT64_MIN;  ///< Days since 1970-01-01, dates and timestamps.
  int64_t last_day = INT64_MAX;
  uint64_t max_unsigned = UINT64_MAX;  ///< Upper bound for uint64 values.
  /// Undeclared decimals: most digits before and after the point; 0 = no limit.
  int32_t max_integer_digits = 0;
  int32_t max_fraction_digits = 0;
  bool duplicate_json_keys = true;
  bool nul_in_json = true;  ///< The escape \u0000 inside JSON text.
};

}  // namespace dxt
