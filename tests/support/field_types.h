#pragma once
// Field types as tests write them down.
#include <memory>

#include "connectors/sdk/types.h"

namespace dxt {

inline FieldType Of(DType dtype, int precision = 0, int scale = 0) {
  FieldType type;
  type.dtype = dtype;
  type.precision = precision;
  type.scale = scale;
  return type;
}

inline FieldType Nano(DType dtype) {
  FieldType type = Of(dtype);
  type.nanoseconds = true;
  return type;
}

inline FieldType ListOf(FieldType element) {
  FieldType type = Of(DType::kArray);
  type.element = std::make_shared<FieldType>(std::move(element));
  return type;
}

}  // namespace dxt
