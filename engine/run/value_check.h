#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include <arrow/status.h>
#include <arrow/type_fwd.h>

#include "connectors/sdk/types.h"

namespace dxt {

class JsonScanner;

/// Tests converted columns against what their target column can hold (contracts §7,
/// `values:`). Immutable; safe from any thread.
class ValueCheck {
 public:
  ValueCheck() = default;
  /// For values that were of type `from` at the source and are `domain.deliver` now.
  /// Works out once which tests such values can fail.
  ValueCheck(const Field& from, const ValueDomain& domain);

  /// No value can fail: Check need not be called.
  bool empty() const { return tests_ == 0; }
  /// Nothing but broken UTF-8 can fail, which whoever reads sealed Parquet files finds
  /// too.
  bool trusts_files() const;

  /// kData with code value.<kind>: nul, invalid_utf8, special_float, infinity,
  /// out_of_range, inexact, too_long, duplicate_json_key. The column's name is filled in;
  /// the row in the array goes to `bad_row` (may be null).
  arrow::Status Check(const arrow::Array& array, int64_t* bad_row = nullptr) const;

 private:
  arrow::Status CheckText(const arrow::Array& array, int64_t* bad_row) const;
  arrow::Status CheckOneText(std::string_view text, uint32_t tests,
                             JsonScanner* scanner) const;
  arrow::Status CheckDecimal(std::string_view text, uint32_t tests) const;
  arrow::Status CheckNumbers(const arrow::Array& array, int64_t* bad_row) const;
  arrow::Status CheckTimes(const arrow::Array& array, int64_t* bad_row) const;
  arrow::Status CheckOneTime(const arrow::Array& array, int64_t row) const;

  uint32_t tests_ = 0;
  std::string column_;
  FieldType from_;
  ValueDomain domain_;
};

}  // namespace dxt
