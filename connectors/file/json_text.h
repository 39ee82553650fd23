#pragma once
#include <string>
#include <string_view>

#include <arrow/status.h>
#include <arrow/type_fwd.h>

namespace dxt::file {

struct JsonStyle {
  bool decimal_number = false;  ///< Decimals as numbers instead of strings.
};

/// Appends one value as JSON (contracts §7): any Arrow type, nested ones included. For
/// values inside lists and structs; the columns of JSONL have a faster way. kData
/// "file.json_number" for NaN and infinities, "file.invalid_utf8", "file.out_of_range".
arrow::Status AppendJson(const arrow::Array& array, int64_t row, const JsonStyle& style,
                         std::string* out);

/// YYYY-MM-DDTHH:MM:SS.ffffff (nine digits for nanoseconds), Z behind it when `zoned`;
/// false (and nothing appended) outside the years 0001 to 9999.
bool AppendIsoTimestamp(int64_t value, bool nanoseconds, bool zoned, std::string* out);
/// YYYY-MM-DD; false outside the years 0001 to 9999.
bool AppendIsoDate(int64_t days, std::string* out);

}  // namespace dxt::file
