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
Exactness Classify(const Field& from, const TablePlan::Column& to, std::string_view timezone,
                   std::string* reason);

/// Judges an explicit cast of the document (`fields[].dtype`) of `from` to `to`: as
/// Classify, but text may be parsed and numbers may change kind where no value changes.
Exactness ClassifyCast(const Field& from, const FieldType& to, std::string_view timezone,
                       std::string* reason);

}  // namespace dxt
