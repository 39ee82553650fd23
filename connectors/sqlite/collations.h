#pragma once
#include <string>
#include <string_view>

#include <arrow/status.h>

#include "connectors/sdk/types.h"

struct sqlite3;

namespace dxt::sqlite {

/// Adds dxt_decimal, dxt_instant and dxt_bytes to a connection: decimals compare as
/// numbers, dates and timestamps as instants however they are written, text bytewise
/// whatever the column's own collation and the file's encoding. What is not a value of
/// the type sorts behind all that are.
arrow::Status RegisterCollations(sqlite3* connection);

/// `sql` as it must be compared and ordered, when its values are texts of `type`.
std::string Comparable(std::string_view sql, const FieldType& type);

/// The orders themselves: <0, 0, >0.
int CompareDecimals(std::string_view a, std::string_view b);
int CompareInstants(std::string_view a, std::string_view b);

}  // namespace dxt::sqlite
