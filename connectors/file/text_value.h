#pragma once
// Texts of cells and what they mean. Everything here is exact: a text that a type cannot
// hold without loss is not of that type.
#include <cstdint>
#include <string>
#include <string_view>

#include "connectors/sdk/types.h"

namespace dxt::file {

/// How a text is read: as inference saw it (the text can be written back unchanged), or
/// as a declared type allows (leading zeros, exponents, t and f).
enum class Reading : uint8_t { kInferred, kDeclared };

bool ParseInteger(std::string_view text, Reading reading, int64_t* value);
bool ParseUnsigned(std::string_view text, Reading reading, uint64_t* value);
/// Inferred: plain digits with a point that a double keeps. JSON: `json_number` also
/// allows exponents.
bool ParseDouble(std::string_view text, Reading reading, bool json_number, double* value);
bool ParseTruth(std::string_view text, Reading reading, bool* value);
/// YYYY-MM-DD, years 0001 to 9999; days since 1970.
bool ParseDate(std::string_view text, int32_t* days);

struct TimestampText {
  int64_t value = 0;   ///< In the unit asked for, UTC when `zoned`.
  bool zoned = false;  ///< Had Z or an offset.
  int fraction_digits = 0;
};
/// YYYY-MM-DD, `T` or blank, HH:MM[:SS[.fraction]], then nothing, Z or an offset.
bool ParseTimestamp(std::string_view text, bool nanoseconds, TimestampText* value);
/// Digits with sign, point and exponent, or NaN and ±Infinity when `special`.
bool IsDecimalText(std::string_view text, bool special);
/// True for one whole JSON value with nothing behind it.
bool IsJson(std::string_view text);

/// Finds the type that all texts of a column have in common (contracts 2.6).
class TextInference {
 public:
  void Add(std::string_view text);
  /// A number of JSON: exponents allowed; what a double cannot keep becomes decimal.
  void AddJsonNumber(std::string_view text);
  void AddJsonTruth() {
    json_ = true;
    seen_ |= kTruth;
  }
  /// A string of JSON: text, date or timestamp; never a number.
  void AddJsonString(std::string_view text);
  void AddJsonNested() { seen_ |= kNested; }
  FieldType Type() const;

 private:
  enum Kind : uint32_t {
    kInteger = 1,
    kFloat = 2,
    kTruth = 4,
    kDate = 8,
    kTimestamp = 16,
    kTimestampTz = 32,
    kText = 64,
    kNested = 128,
    kWide = 256,         ///< An integer beyond 2^53.
    kNanoseconds = 512,  ///< A fraction of more than six digits.
    kExact = 1024,       ///< A number that neither int64 nor double keeps.
  };
  uint32_t Temporal(std::string_view text) const;
  uint32_t seen_ = 0;
  bool json_ = false;
};

}  // namespace dxt::file
