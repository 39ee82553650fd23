#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include <arrow/type_fwd.h>

#include "connectors/sdk/types.h"

namespace dxt {

/// A value as people read it, bytes as base64; nullopt = NULL. Equal values of one type
/// have equal texts.
std::optional<std::string> CellText(const arrow::Array& array, int64_t row,
                                    const FieldType& type);

}  // namespace dxt
