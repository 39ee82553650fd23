#pragma once
// What the convert_*.cc files share. Not for other folders.
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "engine/plan/convert.h"

namespace dxt::convert {

/// Why a value cannot be converted; kNone = it can.
enum class Fault : uint8_t {
  kNone,
  kOutOfRange,
  kInexact,
  kInvalidText,
  kSpecialFloat,
  kInfinity,
};

/// One pair of types being converted.
struct Context {
  std::string column;
  FieldType from, to;
  ConversionOptions options;

  /// Makes the error of `row` of `array` and stores the row.
  arrow::Status Fail(Fault fault, const arrow::Array& array, int64_t row,
                     int64_t* bad_row) const;
};

using ArrayResult = arrow::Result<std::shared_ptr<arrow::Array>>;
/// Converts a whole array; null rows stay null.
using Kernel = std::function<ArrayResult(
    const Context&, const std::shared_ptr<arrow::Array>&, int64_t* bad_row)>;

// Each returns null where the pair is not its business. `identity` of MakeKernel is set
// where the array itself is the result.
Kernel NumberKernel(const FieldType& from, const FieldType& to);
Kernel DecimalKernel(const FieldType& from, const FieldType& to);
Kernel TimeKernel(const FieldType& from, const FieldType& to);
Kernel ParseKernel(const FieldType& from, const FieldType& to);
Kernel TextKernel(const FieldType& from, const FieldType& to);
arrow::Result<Kernel> NestedKernel(const Context& context);

/// Looks the time zone up; kConfig "timezone.unknown".
arrow::Status CheckZone(const std::string& name);

/// Appends the value at `row` (not null) in its text form; false for text that is not
/// UTF-8 where JSON needs it. `json`: as a JSON value.
bool AppendValue(const arrow::Array& array, int64_t row, const FieldType& type, bool json,
                 std::string* out);

}  // namespace dxt::convert
