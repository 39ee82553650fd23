#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "connectors/sdk/types.h"

namespace dxt {

struct ConversionOptions {
  /// IANA name: how a timestamp without zone and one with zone are read as each other.
  std::string timezone;
  /// A text buffer's round trip: binary is base64, floats inside arrays may be NaN.
  bool text_buffer = false;
};

/// Turns arrays of one field type into another without ever changing a value: what the
/// other type cannot hold fails. Used twice per column: source type -> declared `dtype`,
/// and field type -> `ValueDomain.deliver`. Immutable; safe from any thread.
class Conversion {
 public:
  virtual ~Conversion() = default;

  /// kUnsupported "type.no_conversion" for pairs that ClassifyCast refuses; kConfig
  /// "timezone.unknown".
  static arrow::Result<std::unique_ptr<Conversion>> Make(
      const Field& from, const FieldType& to, const ConversionOptions& options);

  /// True when Apply returns its argument: the Arrow types are the same and every value
  /// of one is a value of the other.
  virtual bool identity() const = 0;

  /// `array` must be of ArrowType(from); the result is of ArrowType(to). A value that
  /// does not fit is kData "value.out_of_range", "value.inexact", "value.invalid_text",
  /// "value.special_float", "value.infinity", with the column's name; its row in the
  /// array goes to `bad_row` (may be null).
  virtual arrow::Result<std::shared_ptr<arrow::Array>> Apply(
      const std::shared_ptr<arrow::Array>& array, int64_t* bad_row = nullptr) const = 0;
};

}  // namespace dxt
