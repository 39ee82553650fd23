#pragma once
// NUMERIC's binary format: ndigits, weight, sign, display scale, digits in base 10,000.
#include <cstdint>
#include <string>
#include <string_view>

#include "connectors/postgres/wire.h"

namespace dxt::postgres {

/// Reads a numeric as an integer of `scale` decimals. Refuses NaN, infinities, more than
/// `precision` digits and digits beyond `scale`. precision <= 38.
const ValueProblem* NumericToInt128(const uint8_t* data, int32_t size, int32_t precision,
                                    int32_t scale, __int128* value);
/// The same for precision <= 76, into the 32 little-endian bytes of an Arrow decimal256.
const ValueProblem* NumericToBytes256(const uint8_t* data, int32_t size,
                                      int32_t precision, int32_t scale, uint8_t* out);

/// An upper bound of the text's length, -1 for malformed data.
int64_t NumericTextSize(const uint8_t* data, int32_t size);
/// Writes the server's own text (numeric_out) and returns its length.
int64_t NumericToText(const uint8_t* data, int32_t size, char* out);

/// Room that any int128 needs as a numeric.
inline constexpr int64_t kInt128NumericSize = 8 + 2 * 12;
/// Writes `value` / 10^scale as a numeric and returns its length. 0 <= scale <= 38.
int64_t Int128ToNumeric(__int128 value, int32_t scale, uint8_t* out);

/// Room that `text` needs as a numeric.
int64_t TextNumericSize(std::string_view text);
/// Reads digits with sign, point and exponent, NaN, Infinity; writes a numeric and its
/// length.
const ValueProblem* TextToNumeric(std::string_view text, uint8_t* out, int64_t* size);

}  // namespace dxt::postgres
