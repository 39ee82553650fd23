#pragma once
// Cursor values as exact text: how watermarks are stored, compared and shown.
#include <cstdint>
#include <string>
#include <string_view>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "connectors/sdk/types.h"

namespace dxt {

/// Returns true for the dtypes that can be a watermark: integers, decimals, date,
/// timestamp, timestamp_tz, string.
bool CanBeCursor(const FieldType& type);

/// Writes the value at `row` exactly: integers and decimals as digits, date as
/// YYYY-MM-DD, timestamps as "YYYY-MM-DD HH:MM:SS.ffffff" (nine digits for nanoseconds),
/// timestamp_tz with "+00:00" behind it, strings as they are. The value must not be NULL.
arrow::Result<std::string> CursorText(const arrow::Array& array, int64_t row,
                                      const FieldType& type);

/// Reads a cursor as a user may write it (ISO date or timestamp, `T` or blank, offset or
/// `Z` for timestamp_tz, digits) and returns the canonical text; kConfig
/// "cursor.invalid".
arrow::Result<std::string> CanonicalCursor(std::string_view text, const FieldType& type);

/// The cursor `amount` below a canonical one: whole numbers as they are, dates by days,
/// timestamps by microseconds. Ends at the smallest value of the type. Other types are
/// kUnsupported "cursor.no_distance".
arrow::Result<std::string> CursorBelow(std::string_view text, int64_t amount,
                                       const FieldType& type);

/// Compares two canonical texts of one type: <0, 0, >0.
int CompareCursors(std::string_view a, std::string_view b, const FieldType& type);

}  // namespace dxt
