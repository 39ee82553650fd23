#include "engine/run/cell_text.h"

#include <arrow/api.h>

#include "connectors/sdk/cursor.h"

namespace dxt {

std::optional<std::string> CellText(const arrow::Array& array, int64_t row,
                                    const FieldType& type) {
  if (array.IsNull(row)) return std::nullopt;
  if (CanBeCursor(type)) {
    if (auto text = CursorText(array, row, type); text.ok()) return *text;
  }
  const auto scalar = array.GetScalar(row);
  return scalar.ok() ? (*scalar)->ToString() : "?";
}

}  // namespace dxt
