#pragma once
// The type map of contracts §7 for SQLite, in both directions.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <arrow/result.h>

#include "connectors/sdk/config.h"
#include "connectors/sdk/types.h"

namespace dxt::sqlite {

/// SQLite's own five (sqlite.org/datatype3.html, 3.1).
enum class Affinity : uint8_t { kInteger, kText, kBlob, kReal, kNumeric };
Affinity AffinityOf(std::string_view declared);

/// The dtype that a declared type says; nullopt when it says nothing (no type, ANY, or a
/// name that neither SQLite nor dxt knows): then the values decide.
std::optional<FieldType> TypeOfDeclared(std::string_view declared);

/// The declared type of a new column.
std::string DeclaredType(const FieldType& type);

/// What a column that holds `type` can be given.
ValueDomain DomainOf(const FieldType& type);

/// How numbers in date and timestamp columns are read: `options.datetime`.
enum class NumericTime : uint8_t {
  kNone,    ///< ISO text only.
  kUnix,    ///< Seconds since 1970.
  kUnixMs,  ///< Milliseconds since 1970.
  kJulian,  ///< Julian day numbers, to the millisecond as SQLite's own functions.
};
/// Reads `datetime` of a stream's options; kConfig "sqlite.option" for other words.
arrow::Result<NumericTime> NumericTimeOf(const ConfigValue& options);

/// Milliseconds since 1970 of a Julian day, rounded as SQLite rounds.
int64_t MillisOfJulianDay(double day);

}  // namespace dxt::sqlite
