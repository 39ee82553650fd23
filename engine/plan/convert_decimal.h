#pragma once
#include <string_view>

#include "engine/plan/convert_kernels.h"

namespace dxt::convert {

/// Reads a decimal number's text as a value of `to`, whose C type Out is (integers,
/// floats, arrow::Decimal128, arrow::Decimal256). Whole numbers may have zeros behind the
/// point; a float must read back as the same number.
template <typename Out>
Fault DecimalFromText(std::string_view text, const FieldType& to, Out* out);

}  // namespace dxt::convert
