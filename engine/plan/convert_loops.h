#pragma once
// Loops over fixed-width arrays. Included by convert_*.cc only: it needs whole Arrow
// headers.
#include <cstring>

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/util/bit_util.h>
#include <arrow/util/bitmap_ops.h>

#include "engine/plan/convert_kernels.h"

namespace dxt::convert {

/// The validity of `array` as a bitmap that starts at bit 0; null when nothing is null.
inline arrow::Result<std::shared_ptr<arrow::Buffer>> Validity(const arrow::Array& array) {
  if (array.null_count() == 0) return nullptr;
  return arrow::internal::CopyBitmap(arrow::default_memory_pool(),
                                     array.null_bitmap_data(), array.offset(),
                                     array.length());
}

inline std::shared_ptr<arrow::Array> Assemble(const Context& context,
                                              const arrow::Array& source,
                                              std::shared_ptr<arrow::Buffer> validity,
                                              std::shared_ptr<arrow::Buffer> values) {
  return arrow::MakeArray(arrow::ArrayData::Make(ArrowType(context.to), source.length(),
                                                 {std::move(validity), std::move(values)},
                                                 source.null_count()));
}

/// Maps fixed-width values one by one with `map(In, Out*) -> Fault`, which must also bear
/// the arbitrary content of null rows. The first pass has no branches; only when a fault
/// was seen is the row looked for.
template <typename In, typename Out, typename Map>
ArrayResult MapFixed(const Context& context, const arrow::Array& array, int64_t* bad_row,
                     Map map) {
  ARROW_ASSIGN_OR_RAISE(auto validity, Validity(array));
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> values,
                        arrow::AllocateBuffer(array.length() * sizeof(Out)));
  const auto* in = array.data()->GetValues<In>(1);
  auto* out = reinterpret_cast<Out*>(values->mutable_data());
  const int64_t count = array.length();
  uint8_t faults = 0;
  for (int64_t i = 0; i < count; ++i) {
    faults |= static_cast<uint8_t>(map(in[i], &out[i]));
  }
  if (faults != 0) {
    for (int64_t i = 0; i < count; ++i) {
      if (array.IsNull(i)) continue;
      const Fault fault = map(in[i], &out[i]);
      if (fault != Fault::kNone) return context.Fail(fault, array, i, bad_row);
    }
  }
  return Assemble(context, array, std::move(validity), std::move(values));
}

/// The same values under another type of equal layout.
inline std::shared_ptr<arrow::Array> Relabel(const Context& context,
                                             const arrow::Array& array) {
  auto data = array.data()->Copy();
  data->type = ArrowType(context.to);
  return arrow::MakeArray(data);
}

/// Maps text rows with `parse(string_view, Out*) -> Fault`.
template <typename Out, typename Parse>
ArrayResult MapText(const Context& context, const arrow::Array& array, int64_t* bad_row,
                    Parse parse) {
  ARROW_ASSIGN_OR_RAISE(auto validity, Validity(array));
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> values,
                        arrow::AllocateBuffer(array.length() * sizeof(Out)));
  const auto& texts = static_cast<const arrow::StringArray&>(array);
  auto* out = reinterpret_cast<Out*>(values->mutable_data());
  for (int64_t i = 0; i < array.length(); ++i) {
    if (array.IsNull(i)) {
      out[i] = Out{};
      continue;
    }
    const Fault fault = parse(texts.GetView(i), &out[i]);
    if (fault != Fault::kNone) return context.Fail(fault, array, i, bad_row);
  }
  return Assemble(context, array, std::move(validity), std::move(values));
}

/// Bool rows, bit by bit.
template <typename Parse>
ArrayResult MapToBool(const Context& context, const arrow::Array& array, int64_t* bad_row,
                      Parse parse) {
  ARROW_ASSIGN_OR_RAISE(auto validity, Validity(array));
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> values,
                        arrow::AllocateEmptyBitmap(array.length()));
  for (int64_t i = 0; i < array.length(); ++i) {
    if (array.IsNull(i)) continue;
    bool value = false;
    const Fault fault = parse(i, &value);
    if (fault != Fault::kNone) return context.Fail(fault, array, i, bad_row);
    if (value) arrow::bit_util::SetBit(values->mutable_data(), i);
  }
  return Assemble(context, array, std::move(validity), std::move(values));
}

/// Calls `call` with a value of the C type of an integer or float dtype; null otherwise.
template <typename Call>
Kernel WithNumber(DType dtype, Call call) {
  switch (dtype) {
    case DType::kInt8:
      return call(int8_t{});
    case DType::kInt16:
      return call(int16_t{});
    case DType::kInt32:
      return call(int32_t{});
    case DType::kInt64:
      return call(int64_t{});
    case DType::kUint8:
      return call(uint8_t{});
    case DType::kUint16:
      return call(uint16_t{});
    case DType::kUint32:
      return call(uint32_t{});
    case DType::kUint64:
      return call(uint64_t{});
    case DType::kFloat32:
      return call(float{});
    case DType::kFloat64:
      return call(double{});
    default:
      return nullptr;
  }
}

}  // namespace dxt::convert
