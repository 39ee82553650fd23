#pragma once
#include <string>
#include <string_view>

#include <arrow/result.h>

#include "connectors/sdk/types.h"

namespace dxt::postgres {

class Connection;

/// Writes a cursor, filter or variable value into SQL: the one place where a value is not
/// bound, since COPY takes no parameters (contracts 2.5). The text is checked against its
/// type's alphabet, escaped, and cast to the type; kConfig "cursor.invalid" otherwise.
/// Strings stay untyped so that they compare with enums, uuids and dates too.
arrow::Result<std::string> ValueLiteral(const Connection& connection,
                                        std::string_view value, const FieldType& type);

}  // namespace dxt::postgres
