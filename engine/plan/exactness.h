#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "connectors/sdk/destination.h"
#include "connectors/sdk/types.h"

namespace dxt {

/// What a pair of types promises (contracts 2.4).
enum class Exactness : uint8_t {
  kExact,    ///< Every value of the source type is a value of the target column.
  kChecked,  ///< Each value is tested; one that does not fit fails the stream.
  kRefused,  ///< Not moved without an explicit `dtype` or `target.dtype`.
};
std::string_view ExactnessName(Exactness exactness);

/// Judges moving `from` (after the stream's own `dtype:` casts) into `to`; `timezone` is
/// the field's `timezone` or "". Pure. `reason` (may be null) is left empty for exact,
/// else says in half a sentence what is tested or why it is refused. Raw columns need no
/// judgement and must not be asked about.
Exactness Classify(const Field& from, const TablePlan::Column& to,
                   std::string_view timezone, std::string* reason);

/// Judges an explicit cast of the document (`fields[].dtype`) of `from` to `to`: as
/// Classify, but text may be parsed and numbers may change kind where no value changes.
Exactness ClassifyCast(const Field& from, const FieldType& to, std::string_view timezone,
                       std::string* reason);

/// Tests that values of a source type need before a target column may see them, as bits.
enum DomainTest : uint32_t {
  kTestNul = 1u << 0,           ///< U+0000 in text.
  kTestUtf8 = 1u << 1,          ///< Always set for text; costs little and makes no pair
                                ///< `checked`.
  kTestSpecialFloat = 1u << 2,  ///< NaN and infinities of numbers.
  kTestInfinity = 1u << 3,      ///< Infinite dates and timestamps.
  kTestRange = 1u << 4,     ///< Days, unsigned maximum, 24:00:00, digits of a decimal.
  kTestFraction = 1u << 5,  ///< Fraction of a second; fraction digits of a decimal.
  kTestLength = 1u << 6,
  kTestJsonKeys = 1u << 7,
  kTestJsonNul = 1u << 8,
};
/// The tests that a value of `from`, converted to `domain.deliver`, can fail.
uint32_t DomainTests(const FieldType& from, const ValueDomain& domain);

}  // namespace dxt
