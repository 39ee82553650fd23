#pragma once
#include <memory>
#include <string>
#include <string_view>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "connectors/sdk/types.h"

namespace dxt {

/// `array`, rewritten so that equal values have equal bytes: one zero and one NaN of
/// floats, decimals that travel as text by their number, JSON by its contents (the order
/// of the keys of an object, spaces and the way a number is written do not count; the
/// last of equal keys does). The array itself where its type has one form for each value.
arrow::Result<std::shared_ptr<arrow::Array>> CanonicalValues(
    const std::shared_ptr<arrow::Array>& array, const FieldType& type);

/// "12.50", "1.25e1" and "0012.5" are one text; what is no decimal number stays.
std::string CanonicalNumber(std::string_view text);
/// What is no JSON stays.
std::string CanonicalJson(std::string_view text);

}  // namespace dxt
