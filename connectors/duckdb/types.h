#pragma once
// DuckDB's types and dxt's: contracts section 7.
#include <optional>
#include <string>
#include <string_view>

#include <arrow/result.h>

#include "connectors/sdk/destination.h"
#include "connectors/sdk/types.h"

namespace dxt::duckdb {

inline constexpr char kSystem[] = "duckdb";

/// How a DuckDB column arrives.
struct ReadType {
  FieldType type;
  /// Text around the column's SQL that makes it arrive as `type`; {} stands for the
  /// column.
  std::string cast = "{}";
};

/// `native` as DuckDB prints it: "DECIMAL(15,2)", "INTEGER[]", "ENUM('a', 'b')". Every
/// type can be read: what has no dtype of its own arrives as text.
ReadType ReadTypeOf(std::string_view native);

/// The column's SQL with the cast of its native type applied.
std::string ReadItem(std::string_view native, std::string_view sql);

/// The declared type of a new column for values of `field`; kUnsupported for decimals of
/// more than 38 digits. A field that came from DuckDB keeps its native type.
arrow::Result<std::string> NewColumnType(const Field& field);

/// DuckDB's own spelling of a type as a user may write it: "text" is VARCHAR,
/// "numeric(9,2)" is DECIMAL(9,2). An unknown name stays as it is.
std::string CanonicalType(std::string_view written);

/// False for the types that are read as JSON or as text of their own and have no exact
/// way back: STRUCT, MAP, UNION, VARIANT, nested lists, BIGNUM.
bool CanStore(std::string_view native);

/// What a column of this declared type can hold, and the type in which the Writer wants
/// the values. `field` is what arrives.
ValueDomain DomainOf(std::string_view native, const Field& field);

/// The SQL that turns a staged value into the declared type, exactly; {} stands for it.
std::string StoreCast(std::string_view native, const FieldType& delivered);

/// The type of a staging column that holds `delivered` without change.
std::string StagedType(const FieldType& delivered);

}  // namespace dxt::duckdb
