#include "engine/run/cell_text.h"

#include <arrow/api.h>

#include "connectors/sdk/cursor.h"
#include "connectors/sdk/value_text.h"

namespace dxt {

std::optional<std::string> CellText(const arrow::Array& array, int64_t row,
                                    const FieldType& type) {
  if (array.IsNull(row)) return std::nullopt;
  if (CanBeCursor(type)) {
    if (auto text = CursorText(array, row, type); text.ok()) return *text;
  }
  if (type.dtype == DType::kBinary && array.type_id() == arrow::Type::BINARY) {
    std::string text;
    AppendBase64(static_cast<const arrow::BinaryArray&>(array).GetView(row), &text);
    return text;
  }
  const auto scalar = array.GetScalar(row);
  return scalar.ok() ? (*scalar)->ToString() : "?";
}

}  // namespace dxt
