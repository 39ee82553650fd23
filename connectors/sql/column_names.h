#pragma once
#include <arrow/result.h>

#include "connectors/sdk/destination.h"

namespace dxt::sql {

/// Which names a system takes for the same column.
enum class NameCase : uint8_t { kMatters, kFolded };

/// kConfig "target.column_names" where a column has no name, or two have one that the
/// target cannot tell apart: known before anything is read.
arrow::Status CheckColumnNames(const TableSpec& wanted, NameCase name_case);

}  // namespace dxt::sql
