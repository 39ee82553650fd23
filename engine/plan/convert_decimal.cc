#include <algorithm>
#include <array>
#include <cmath>
#include <type_traits>

#include <arrow/util/decimal.h>

#include "connectors/sdk/cursor.h"
#include "connectors/sdk/value_text.h"
#include "engine/plan/convert_decimal.h"
#include "engine/plan/convert_loops.h"

namespace dxt::convert {
namespace {

using Int128 = __int128;
using Uint128 = unsigned __int128;

constexpr auto kPowers = [] {
  std::array<Uint128, 39> powers{};
  powers[0] = 1;
  for (size_t i = 1; i < powers.size(); ++i) powers[i] = powers[i - 1] * 10;
  return powers;
}();

/// 10^n for n of 0 to 38; nothing below 1 holds only zero.
Uint128 Power(int n) { return n < 0 ? 1 : kPowers[static_cast<size_t>(std::min(n, 38))]; }

struct Shape {
  int precision, scale;
};

/// Two's complement of 128 bits as it lies in a decimal128 array, which need not be
/// aligned for an __int128.
struct Wide {
  uint64_t low = 0;
  uint64_t high = 0;

  Int128 value() const {
    return static_cast<Int128>(static_cast<Uint128>(high) << 64 | low);
  }
  void Set(Int128 value) {
    low = static_cast<uint64_t>(value);
    high = static_cast<uint64_t>(static_cast<Uint128>(value) >> 64);
  }
};
static_assert(sizeof(Wide) == 16);

Uint128 Magnitude(Int128 value) {
  return value < 0 ? Uint128{0} - static_cast<Uint128>(value)
                   : static_cast<Uint128>(value);
}

/// v × 10^(to.scale - from_scale), without rounding and within to.precision digits (<=
/// 38).
Fault Rescale(Int128 value, int from_scale, Shape to, Wide* out) {
  out->Set(0);
  if (value == 0) return Fault::kNone;
  const Uint128 magnitude = Magnitude(value);
  const int shift = to.scale - from_scale;
  if (shift >= 0) {
    if (to.precision - shift <= 0 || magnitude >= Power(to.precision - shift)) {
      return Fault::kOutOfRange;
    }
    out->Set(value * static_cast<Int128>(Power(shift)));
    return Fault::kNone;
  }
  if (-shift > 38) return Fault::kInexact;
  const auto divisor = static_cast<Int128>(Power(-shift));
  if (value % divisor != 0) return Fault::kInexact;
  out->Set(value / divisor);
  return Magnitude(out->value()) < Power(to.precision) ? Fault::kNone
                                                       : Fault::kOutOfRange;
}

/// The same with up to 76 digits, over the text: only wide decimals come here.
Fault RescaleText(std::string_view text, Shape to, arrow::Decimal256* out) {
  *out = arrow::Decimal256();
  const auto number = ParseDecimalText(text);
  if (!number) return Fault::kInvalidText;
  std::string digits = number->digits;
  if (digits == "0") return Fault::kNone;
  const int64_t shift = to.scale - number->scale;
  if (shift < 0) {
    if (static_cast<int64_t>(digits.size()) <= -shift) return Fault::kInexact;
    const size_t keep = digits.size() - static_cast<size_t>(-shift);
    if (digits.find_first_not_of('0', keep) != std::string::npos) return Fault::kInexact;
    digits.erase(keep);
  } else if (static_cast<int64_t>(digits.size()) + shift > to.precision) {
    return Fault::kOutOfRange;
  } else {
    digits.append(static_cast<size_t>(shift), '0');
  }
  if (static_cast<int>(digits.size()) > to.precision) return Fault::kOutOfRange;
  auto parsed = arrow::Decimal256::FromString(digits);
  if (!parsed.ok()) return Fault::kInvalidText;
  *out = number->negative ? arrow::Decimal256(-*parsed) : *parsed;
  return Fault::kNone;
}

template <typename In>
Int128 ToInt128(In value) {
  if constexpr (std::is_same_v<In, Wide>) {
    return value.value();
  } else {
    return value;
  }
}

bool Narrow(const FieldType& type) { return type.precision > 0 && type.precision <= 38; }
bool Declared(const FieldType& type) {
  return type.dtype == DType::kDecimal && type.precision > 0;
}

/// From an integer or a decimal128 to a decimal128.
template <typename In>
Kernel ToNarrow(int from_scale) {
  return [from_scale](const Context& context, const std::shared_ptr<arrow::Array>& array,
                      int64_t* bad_row) {
    const Shape to{context.to.precision, context.to.scale};
    return MapFixed<In, Wide>(context, *array, bad_row, [=](In value, Wide* out) {
      return Rescale(ToInt128(value), from_scale, to, out);
    });
  };
}

/// From a decimal128 to an integer.
template <typename Out>
Kernel NarrowToInteger() {
  return [](const Context& context, const std::shared_ptr<arrow::Array>& array,
            int64_t* bad_row) {
    const int scale = context.from.scale;
    return MapFixed<Wide, Out>(context, *array, bad_row, [=](Wide value, Out* out) {
      Wide whole;
      const Fault fault = Rescale(value.value(), scale, {38, 0}, &whole);
      *out = static_cast<Out>(whole.value());
      if (fault != Fault::kNone) return fault;
      return static_cast<Int128>(*out) == whole.value() ? Fault::kNone
                                                        : Fault::kOutOfRange;
    });
  };
}

/// Any pair with a decimal256, and floats on either side: through the exact text.
template <typename Out>
Kernel ThroughText() {
  return [](const Context& context, const std::shared_ptr<arrow::Array>& array,
            int64_t* bad_row) -> ArrayResult {
    ARROW_ASSIGN_OR_RAISE(auto validity, Validity(*array));
    ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> values,
                          arrow::AllocateBuffer(array->length() * sizeof(Out)));
    auto* out = reinterpret_cast<Out*>(values->mutable_data());
    std::string text;
    for (int64_t i = 0; i < array->length(); ++i) {
      out[i] = Out{};
      if (array->IsNull(i)) continue;
      text.clear();
      AppendValue(*array, i, context.from, false, &text);
      const Fault fault = DecimalFromText(text, context.to, &out[i]);
      if (fault != Fault::kNone) return context.Fail(fault, *array, i, bad_row);
    }
    return Assemble(context, *array, std::move(validity), std::move(values));
  };
}

Kernel Same() {
  return [](const Context& context, const std::shared_ptr<arrow::Array>& array,
            int64_t*) -> ArrayResult { return Relabel(context, *array); };
}

}  // namespace

template <typename Out>
Fault DecimalFromText(std::string_view text, const FieldType& to, Out* out) {
  if (IsSpecialDecimal(text)) {
    if constexpr (std::is_floating_point_v<Out>) {
      *out = static_cast<Out>(*ParseFloat64(text.front() == '+' ? text.substr(1) : text));
      return Fault::kNone;
    }
    return Fault::kSpecialFloat;
  }
  if constexpr (std::is_floating_point_v<Out>) {
    const auto parsed = [&] {
      if constexpr (sizeof(Out) == 4)
        return ParseFloat32(text);
      else
        return ParseFloat64(text);
    }();
    if (!parsed) return ParseDecimalText(text) ? Fault::kOutOfRange : Fault::kInvalidText;
    *out = *parsed;
    std::string back;
    AppendFloat(*parsed, &back);
    FieldType decimal;
    decimal.dtype = DType::kDecimal;
    return CompareCursors(back, text, decimal) == 0 ? Fault::kNone : Fault::kInexact;
  } else if constexpr (std::is_integral_v<Out>) {
    arrow::Decimal256 whole;
    const Fault fault = RescaleText(text, {76, 0}, &whole);
    if (fault != Fault::kNone) return fault;
    const auto low = static_cast<Out>(whole.low_bits());
    *out = low;
    return arrow::Decimal256(low) == whole ? Fault::kNone : Fault::kOutOfRange;
  } else {
    arrow::Decimal256 wide;
    const Fault fault = RescaleText(text, {to.precision, to.scale}, &wide);
    if (fault != Fault::kNone) return fault;
    if constexpr (sizeof(Out) == 16) {
      *out = arrow::Decimal128(arrow::BasicDecimal128(
          static_cast<int64_t>(wide.little_endian_array()[1]), wide.low_bits()));
    } else {
      *out = wide;
    }
    return Fault::kNone;
  }
}

template Fault DecimalFromText(std::string_view, const FieldType&, int8_t*);
template Fault DecimalFromText(std::string_view, const FieldType&, int16_t*);
template Fault DecimalFromText(std::string_view, const FieldType&, int32_t*);
template Fault DecimalFromText(std::string_view, const FieldType&, int64_t*);
template Fault DecimalFromText(std::string_view, const FieldType&, uint8_t*);
template Fault DecimalFromText(std::string_view, const FieldType&, uint16_t*);
template Fault DecimalFromText(std::string_view, const FieldType&, uint32_t*);
template Fault DecimalFromText(std::string_view, const FieldType&, uint64_t*);
template Fault DecimalFromText(std::string_view, const FieldType&, float*);
template Fault DecimalFromText(std::string_view, const FieldType&, double*);
template Fault DecimalFromText(std::string_view, const FieldType&, arrow::Decimal128*);
template Fault DecimalFromText(std::string_view, const FieldType&, arrow::Decimal256*);

Kernel DecimalKernel(const FieldType& from, const FieldType& to) {
  const bool from_float = from.dtype == DType::kFloat32 || from.dtype == DType::kFloat64;
  const bool to_float = to.dtype == DType::kFloat32 || to.dtype == DType::kFloat64;
  const bool from_integer = from.dtype <= DType::kUint64;
  const bool to_integer = to.dtype <= DType::kUint64;
  if (Declared(to)) {
    if (from_integer && Narrow(to)) {
      return WithNumber(from.dtype, [](auto in) { return ToNarrow<decltype(in)>(0); });
    }
    if (Declared(from)) {
      if (Narrow(from) == Narrow(to) && from.scale == to.scale &&
          from.precision <= to.precision) {
        return Same();
      }
      if (Narrow(from) && Narrow(to)) return ToNarrow<Wide>(from.scale);
    }
    if (!from_integer && !from_float && !Declared(from)) return nullptr;
    return Narrow(to) ? ThroughText<arrow::Decimal128>()
                      : ThroughText<arrow::Decimal256>();
  }
  if (!Declared(from)) return nullptr;
  if (to_integer && Narrow(from)) {
    return WithNumber(to.dtype,
                      [](auto out) { return NarrowToInteger<decltype(out)>(); });
  }
  if (to_integer || to_float) {
    return WithNumber(to.dtype, [](auto out) { return ThroughText<decltype(out)>(); });
  }
  return nullptr;
}

}  // namespace dxt::convert
