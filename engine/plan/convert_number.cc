#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include "engine/plan/convert_loops.h"

namespace dxt::convert {
namespace {

bool IsNumber(DType dtype) { return dtype <= DType::kFloat64; }

template <typename In, typename Out>
Fault IntegerToInteger(In value, Out* out) {
  *out = static_cast<Out>(value);
  return std::in_range<Out>(value) ? Fault::kNone : Fault::kOutOfRange;
}

/// Exact when the bits between the first and the last one fit the mantissa.
template <typename In, typename Out>
Fault IntegerToFloat(In value, Out* out) {
  *out = static_cast<Out>(value);
  using Unsigned = std::make_unsigned_t<In>;
  Unsigned magnitude = static_cast<Unsigned>(value);
  if (std::is_signed_v<In> && value < 0) magnitude = static_cast<Unsigned>(0 - magnitude);
  if (magnitude == 0) return Fault::kNone;
  const auto wide = static_cast<uint64_t>(magnitude);
  const int bits = 64 - std::countl_zero(wide) - std::countr_zero(wide);
  return bits <= std::numeric_limits<Out>::digits ? Fault::kNone : Fault::kInexact;
}

template <typename In, typename Out>
Fault FloatToInteger(In value, Out* out) {
  *out = 0;
  if (!std::isfinite(value)) return Fault::kSpecialFloat;
  // Both bounds are powers of two (or zero), so exact in a float.
  const In low =
      std::is_signed_v<Out> ? static_cast<In>(std::numeric_limits<Out>::min()) : 0;
  const In high = std::ldexp(In{1}, std::numeric_limits<Out>::digits);
  if (!(value >= low && value < high)) return Fault::kOutOfRange;
  *out = static_cast<Out>(value);
  return static_cast<In>(*out) == value ? Fault::kNone : Fault::kInexact;
}

template <typename In, typename Out>
Fault FloatToFloat(In value, Out* out) {
  if constexpr (sizeof(Out) < sizeof(In)) {
    if (std::isfinite(value) && std::abs(value) > std::numeric_limits<Out>::max()) {
      *out = 0;
      return Fault::kOutOfRange;
    }
  }
  *out = static_cast<Out>(value);
  return std::isnan(value) || static_cast<In>(*out) == value ? Fault::kNone
                                                             : Fault::kInexact;
}

template <typename In, typename Out>
Kernel MapKernel() {
  return [](const Context& context, const std::shared_ptr<arrow::Array>& array,
            int64_t* bad_row) {
    return MapFixed<In, Out>(context, *array, bad_row, [](In value, Out* out) {
      if constexpr (std::is_integral_v<In> && std::is_integral_v<Out>) {
        return IntegerToInteger(value, out);
      } else if constexpr (std::is_integral_v<In>) {
        return IntegerToFloat(value, out);
      } else if constexpr (std::is_integral_v<Out>) {
        return FloatToInteger(value, out);
      } else {
        return FloatToFloat(value, out);
      }
    });
  };
}

template <typename Out>
Kernel FromBool() {
  return [](const Context& context, const std::shared_ptr<arrow::Array>& array,
            int64_t*) -> ArrayResult {
    const auto& bools = static_cast<const arrow::BooleanArray&>(*array);
    ARROW_ASSIGN_OR_RAISE(auto validity, Validity(*array));
    ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> values,
                          arrow::AllocateBuffer(array->length() * sizeof(Out)));
    auto* out = reinterpret_cast<Out*>(values->mutable_data());
    for (int64_t i = 0; i < array->length(); ++i)
      out[i] = static_cast<Out>(bools.Value(i));
    return Assemble(context, *array, std::move(validity), std::move(values));
  };
}

template <typename In>
Kernel ToBool() {
  return [](const Context& context, const std::shared_ptr<arrow::Array>& array,
            int64_t* bad_row) {
    const auto* in = array->data()->GetValues<In>(1);
    return MapToBool(context, *array, bad_row, [&](int64_t row, bool* out) {
      *out = in[row] == 1;
      return in[row] == 0 || in[row] == 1 ? Fault::kNone : Fault::kOutOfRange;
    });
  };
}

}  // namespace

Kernel NumberKernel(const FieldType& from, const FieldType& to) {
  if (from.dtype == DType::kBool && to.dtype <= DType::kUint64) {
    return WithNumber(to.dtype, [](auto out) { return FromBool<decltype(out)>(); });
  }
  if (to.dtype == DType::kBool && from.dtype <= DType::kUint64) {
    return WithNumber(from.dtype, [](auto in) { return ToBool<decltype(in)>(); });
  }
  if (!IsNumber(from.dtype) || !IsNumber(to.dtype)) return nullptr;
  return WithNumber(from.dtype, [&](auto in) {
    return WithNumber(to.dtype,
                      [](auto out) { return MapKernel<decltype(in), decltype(out)>(); });
  });
}

}  // namespace dxt::convert
