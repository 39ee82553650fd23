#pragma once
// The one text form of every value: cursors, CSV and JSONL buffers, text targets. All
// writers append to `out` and allocate nothing else; all readers are strict, locale-free
// and return nullopt for anything that is not exactly a value of the type.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dxt {

/// Shortest text that reads back as the same number; "NaN", "Infinity", "-Infinity".
void AppendFloat(double value, std::string* out);
void AppendFloat(float value, std::string* out);
/// YYYY-MM-DD. Years beyond 9999 have more digits, years before 0 a minus sign (year 0 is
/// 1 BC); the extreme integers are "infinity" and "-infinity".
void AppendDate(int32_t days, std::string* out);
/// HH:MM:SS.ffffff; 24:00:00.000000 for the end of the day.
void AppendTime(int64_t micros, std::string* out);
/// YYYY-MM-DD HH:MM:SS.ffffff (nine digits for nanoseconds), "+00:00" behind it when
/// `utc`.
void AppendTimestamp(int64_t value, bool nanoseconds, bool utc, std::string* out);
/// Digits with exactly `scale` of them behind the point. `words` is the little-endian
/// two's complement integer of Arrow's decimal128 (2 words) or decimal256 (4 words).
void AppendDecimal(const uint64_t* words, int word_count, int32_t scale,
                   std::string* out);
void AppendBase64(std::string_view bytes, std::string* out);
/// JSON string with quotes; false when `text` is not valid UTF-8 (then `out` is as
/// before).
bool AppendJsonString(std::string_view text, std::string* out);

std::optional<double> ParseFloat64(std::string_view text);
std::optional<float> ParseFloat32(std::string_view text);
/// YYYY-MM-DD as AppendDate writes it, "infinity" included.
std::optional<int32_t> ParseDate(std::string_view text);
/// HH:MM[:SS[.f…]], at most six digits; 24:00:00 is allowed.
std::optional<int64_t> ParseTime(std::string_view text);

enum class OffsetRule : uint8_t {
  kForbidden,  ///< A timestamp: text with an offset is refused.
  kOptional,   ///< A timestamp_tz: no offset means UTC.
};
/// Date, or date and time parted by blank or `T`; fraction digits beyond the unit must be
/// zero. Offset: Z, +HH, +HH:MM, +HHMM, +HH:MM:SS. Out of the int64's range is nullopt.
std::optional<int64_t> ParseTimestamp(std::string_view text, bool nanoseconds,
                                      OffsetRule offset);
std::optional<std::string> ParseBase64(std::string_view text);

/// A decimal number taken apart: value = ±digits × 10^-scale. `digits` has no leading
/// zeros ("0" for zero); scale may be negative after an exponent.
struct DecimalText {
  bool negative = false;
  std::string digits;
  int64_t scale = 0;
};
/// Digits with optional sign, point and exponent (of at most four digits). NaN and
/// infinities are not numbers here.
std::optional<DecimalText> ParseDecimalText(std::string_view text);
/// True for NaN, Infinity, -Infinity, inf in any case: what undeclared decimals may hold.
bool IsSpecialDecimal(std::string_view text);

}  // namespace dxt
