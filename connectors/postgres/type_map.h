#pragma once
// PostgreSQL types <-> dtypes (contracts §7), in one place.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "connectors/sdk/destination.h"
#include "connectors/sdk/stream.h"
#include "connectors/sdk/types.h"

namespace dxt::postgres {

inline constexpr std::string_view kSystem = "postgres";

/// Binary representations that dxt reads and writes itself.
enum class Wire : uint8_t {
  kNone,  ///< Not one of these: travels as the server's text.
  kBool,
  kInt2,
  kInt4,
  kInt8,
  kFloat4,
  kFloat8,
  kNumeric,
  kText,
  kBytea,
  kDate,
  kTime,
  kTimestamp,
  kTimestampTz,
  kJson,
  kJsonb,
  kUuid,
};

/// A type as format_type() writes it (with an empty search_path, so that only built-in
/// types are unqualified), taken apart.
struct PgType {
  std::string name;  ///< Canonical, without modifiers and brackets: "character varying".
  std::vector<int32_t> modifiers;
  bool array = false;
  Wire wire = Wire::kNone;  ///< Of the type, or of the array's elements.

  bool built_in() const;
};

/// Accepts the short names of documents (varchar, int8, timestamptz) too.
PgType ParseType(std::string_view text);

/// OID of a wire representation's own type, for array headers.
uint32_t WireOid(Wire wire);

/// What a column of this type is read as. `composite`: a row type; `dimensions`: as
/// declared.
FieldType ReadAs(const PgType& type, bool composite, int dimensions);

/// The select list's expression over `sql` (a quoted column or a parenthesized
/// expression) that makes it arrive as `column.type`; kUnsupported "pg.read_type" where
/// that would need a conversion by the server.
arrow::Result<std::string> SelectItem(const ColumnRead& column, const std::string& sql);

/// How the values of a select item of `column` arrive.
struct Arrival {
  Wire wire = Wire::kText;
  bool array = false;
};
Arrival ArrivalOf(const ColumnRead& column);

/// The type of a new column for a field from elsewhere; kUnsupported when there is none.
arrow::Result<std::string> NewColumnType(const Field& field);

/// What a column declared as `type` holds, for values of dtype `wanted`; kUnsupported
/// "type.refused" when the pair is refused.
arrow::Result<ValueDomain> DomainOf(const PgType& type, std::string_view declared,
                                    const FieldType& wanted);
/// The same without a wanted type, for listings.
ValueDomain NaturalDomain(const PgType& type);

/// True when the server would round or reinterpret a value of another type on its way
/// into this one without an error, so that only columns of the same type may go there.
bool RoundsSilently(const PgType& type);

/// "::type" that turns a staged text into a value of `type`, declared as `declared`.
std::string CastFromText(const PgType& type, std::string_view declared);

/// What is written behind two values of the type to tell them apart by `IS DISTINCT
/// FROM`: "" where its own equality does, else their text, bytewise. A box equals another
/// of its area, a month thirty days, and json has no equality at all.
std::string ToldApartBy(const PgType& type);

/// True when COPY bytes of this type mean the same on every server: built in, and holding
/// no OID of a catalogue.
bool RawSafe(const PgType& type);

}  // namespace dxt::postgres
