#include "connectors/postgres/cursor_value.h"

#include <arrow/array.h>

#include "base/error.h"
#include "connectors/postgres/connection.h"
#include "connectors/postgres/decoder.h"
#include "connectors/postgres/type_map.h"
#include "connectors/sdk/cursor.h"

namespace dxt::postgres {

std::string CursorOperand(const std::string& column, ColumnRead* read) {
  if (read->type.dtype != DType::kString) return column;
  // Text compares bytewise, as cursors do.
  read->native = {std::string(kSystem), "text"};
  return column + "::text COLLATE \"C\"";
}

arrow::Result<std::optional<std::string>> QueryCursor(
    Connection& connection, const std::string& sql, const ColumnRead& read,
    const FieldType& type, std::string_view doing, std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(auto rows,
                        connection.Query(sql, {}, doing, stop, /*binary=*/true));
  if (rows.rows() == 0 || rows.IsNull(0, 0)) return std::nullopt;
  ColumnBuilder builder;
  ARROW_RETURN_NOT_OK(builder.Init(read.type, ArrivalOf(read), false));
  const auto bytes = rows.Get(0, 0);
  if (const auto* problem = builder.Append(reinterpret_cast<const uint8_t*>(bytes.data()),
                                           static_cast<int32_t>(bytes.size()))) {
    return MakeError(ErrorClass::kData, problem->code,
                     "Column '" + read.name + "' " + problem->what);
  }
  ARROW_ASSIGN_OR_RAISE(auto data, builder.Finish());
  ARROW_ASSIGN_OR_RAISE(auto text, CursorText(*arrow::MakeArray(data), 0, read.type));
  ARROW_ASSIGN_OR_RAISE(text, CanonicalCursor(text, type));
  return std::optional<std::string>(std::move(text));
}

}  // namespace dxt::postgres
