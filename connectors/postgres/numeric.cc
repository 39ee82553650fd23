#include "connectors/postgres/numeric.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <arrow/util/decimal.h>
#include <strings.h>

namespace dxt::postgres {
namespace {

constexpr ValueProblem kMalformed{"pg.protocol", "has a malformed numeric value"};
constexpr ValueProblem kNaN{"pg.nan", "holds NaN, which an exact decimal cannot hold",
                            "Filter it out, or read it as text: `column::text` in "
                            "`source.expression`"};
constexpr ValueProblem kInfinite{
    "pg.infinity", "holds an infinite numeric, which an exact decimal cannot hold",
    "Filter it out, or read it as text: `column::text` in "
    "`source.expression`"};
constexpr ValueProblem kTooWide{
    "pg.numeric_out_of_range",
    "holds a number with more digits than its declared precision",
    "Declare a wider decimal for the field"};
constexpr ValueProblem kInexact{
    "pg.numeric_inexact", "holds a number with more decimals than its declared scale",
    "Declare a decimal with a larger scale for the field"};
constexpr ValueProblem kNotANumber{"pg.invalid_numeric",
                                   "holds text that is not a number"};
constexpr ValueProblem kServerLimit{"pg.numeric_out_of_range",
                                    "holds a number beyond what numeric can hold"};

using Wide = unsigned __int128;

constexpr std::array<Wide, 39> kPowers = [] {
  std::array<Wide, 39> powers{};
  Wide power = 1;
  for (auto& slot : powers) {
    slot = power;
    power *= 10;
  }
  return powers;
}();

struct Header {
  int ndigits;
  int weight;
  uint16_t sign;
  int dscale;
  const uint8_t* digits;
};

bool Parse(const uint8_t* data, int32_t size, Header* header) {
  if (size < 8) return false;
  header->ndigits = Load16(data);
  header->weight = static_cast<int16_t>(Load16(data + 2));
  header->sign = Load16(data + 4);
  header->dscale = Load16(data + 6);
  header->digits = data + 8;
  if (size != 8 + 2 * header->ndigits) return false;
  // More in a group would be more digits than are counted.
  for (int i = 0; i < header->ndigits; ++i) {
    if (Load16(header->digits + 2 * i) > 9999) return false;
  }
  return true;
}

const ValueProblem* Special(uint16_t sign) {
  if (sign == kNumericNaN) return &kNaN;
  if (sign == kNumericInfinity || sign == kNumericMinusInfinity) return &kInfinite;
  return nullptr;
}

int DigitsOf(int group) {
  return group >= 1000 ? 4 : group >= 100 ? 3 : group >= 10 ? 2 : 1;
}

}  // namespace

const ValueProblem* NumericToInt128(const uint8_t* data, int32_t size, int32_t precision,
                                    int32_t scale, __int128* value) {
  Header number;
  if (!Parse(data, size, &number)) return &kMalformed;
  if (number.sign != 0 && number.sign != kNumericNegative) {
    const auto* problem = Special(number.sign);
    return problem ? problem : &kMalformed;
  }
  if (number.ndigits == 0) {
    *value = 0;
    return nullptr;
  }
  // Power of ten of the last group's lowest digit, in units of 10^-scale.
  int lowest = 4 * (number.weight - number.ndigits + 1) + scale;
  const int total = DigitsOf(Load16(number.digits)) + 4 * number.weight + scale;
  if (total > precision) return &kTooWide;
  Wide wide = 0;
  int whole = number.ndigits;
  if (lowest < 0) {
    // Only the last group may reach beyond the scale, and only with zeros.
    whole = number.ndigits - 1;
    if (lowest <= -4) return &kInexact;
  }
  if (whole <= 4) {
    uint64_t narrow = 0;
    for (int i = 0; i < whole; ++i)
      narrow = narrow * 10000 + Load16(number.digits + 2 * i);
    wide = narrow;
  } else {
    for (int i = 0; i < whole; ++i) wide = wide * 10000 + Load16(number.digits + 2 * i);
  }
  if (lowest < 0) {
    const int dropped = -lowest;
    const auto divisor = static_cast<uint32_t>(kPowers[dropped]);
    const uint32_t last = Load16(number.digits + 2 * whole);
    if (last % divisor != 0) return &kInexact;
    wide = wide * kPowers[4 - dropped] + last / divisor;
  } else if (lowest > 0) {
    wide *= kPowers[lowest];
  }
  *value = number.sign == kNumericNegative ? -static_cast<__int128>(wide)
                                           : static_cast<__int128>(wide);
  return nullptr;
}

const ValueProblem* NumericToBytes256(const uint8_t* data, int32_t size,
                                      int32_t precision, int32_t scale, uint8_t* out) {
  Header number;
  if (!Parse(data, size, &number)) return &kMalformed;
  if (const auto* problem = Special(number.sign)) return problem;
  arrow::Decimal256 value(0);
  if (number.ndigits > 0) {
    const int lowest = 4 * (number.weight - number.ndigits + 1) + scale;
    if (DigitsOf(Load16(number.digits)) + 4 * number.weight + scale > precision) {
      return &kTooWide;
    }
    if (lowest <= -4) return &kInexact;
    const int whole = lowest < 0 ? number.ndigits - 1 : number.ndigits;
    for (int i = 0; i < whole; ++i) {
      value = value * arrow::Decimal256(10000) +
              arrow::Decimal256(static_cast<int64_t>(Load16(number.digits + 2 * i)));
    }
    if (lowest < 0) {
      const auto divisor = static_cast<uint32_t>(kPowers[-lowest]);
      const uint32_t last = Load16(number.digits + 2 * whole);
      if (last % divisor != 0) return &kInexact;
      value = value * arrow::Decimal256(static_cast<int64_t>(kPowers[4 + lowest])) +
              arrow::Decimal256(static_cast<int64_t>(last / divisor));
    } else if (lowest > 0) {
      value = value.IncreaseScaleBy(lowest);
    }
    if (number.sign == kNumericNegative) value.Negate();
  }
  value.ToBytes(out);
  return nullptr;
}

int64_t NumericTextSize(const uint8_t* data, int32_t size) {
  Header number;
  if (!Parse(data, size, &number)) return -1;
  return 16 + 4 * std::max(1, number.weight + 1) + number.dscale + 4;
}

int64_t NumericToText(const uint8_t* data, int32_t size, char* out) {
  Header number;
  if (!Parse(data, size, &number)) return 0;
  const auto word = [&](std::string_view text) {
    std::memcpy(out, text.data(), text.size());
    return static_cast<int64_t>(text.size());
  };
  if (number.sign == kNumericNaN) return word("NaN");
  if (number.sign == kNumericInfinity) return word("Infinity");
  if (number.sign == kNumericMinusInfinity) return word("-Infinity");
  char* at = out;
  if (number.sign == kNumericNegative) *at++ = '-';
  const auto group = [&](int i) {
    return i >= 0 && i < number.ndigits ? static_cast<int>(Load16(number.digits + 2 * i))
                                        : 0;
  };
  const auto four = [](int value, char* to) {
    to[0] = static_cast<char>('0' + value / 1000);
    to[1] = static_cast<char>('0' + value / 100 % 10);
    to[2] = static_cast<char>('0' + value / 10 % 10);
    to[3] = static_cast<char>('0' + value % 10);
  };
  if (number.weight < 0) {
    *at++ = '0';
  } else {
    char first[4];
    four(group(0), first);
    const int digits = DigitsOf(group(0));
    std::memcpy(at, first + 4 - digits, static_cast<size_t>(digits));
    at += digits;
    for (int i = 1; i <= number.weight; ++i, at += 4) four(group(i), at);
  }
  if (number.dscale > 0) {
    *at++ = '.';
    char* const fraction = at;
    for (int i = number.weight + 1; at - fraction < number.dscale; ++i, at += 4) {
      four(group(i), at);
    }
    at = fraction + number.dscale;
  }
  return at - out;
}

namespace {

/// Writes header and groups (most significant first, without zero groups at either end).
int64_t WriteNumeric(const uint16_t* groups, int count, int weight, bool negative,
                     int dscale, uint8_t* out) {
  while (count > 0 && groups[0] == 0) {
    ++groups;
    --count;
    --weight;
  }
  while (count > 0 && groups[count - 1] == 0) --count;
  if (count == 0) weight = 0;
  Store16(out, static_cast<uint16_t>(count));
  Store16(out + 2, static_cast<uint16_t>(weight));
  Store16(out + 4, negative && count > 0 ? kNumericNegative : 0);
  Store16(out + 6, static_cast<uint16_t>(dscale));
  for (int i = 0; i < count; ++i) Store16(out + 8 + 2 * i, groups[i]);
  return 8 + 2 * count;
}

}  // namespace

int64_t Int128ToNumeric(__int128 value, int32_t scale, uint8_t* out) {
  const bool negative = value < 0;
  Wide rest = negative ? -static_cast<Wide>(value) : static_cast<Wide>(value);
  // Filled from the back: 39 digits need 10 groups, a partial one at the point one more.
  uint16_t groups[12];
  int at = 12;
  int below = 0;  // Groups behind the point.
  if (const int odd = scale % 4; odd != 0) {
    const auto divisor = static_cast<uint64_t>(kPowers[odd]);
    groups[--at] = static_cast<uint16_t>(static_cast<uint64_t>(rest % divisor) *
                                         static_cast<uint64_t>(kPowers[4 - odd]));
    rest /= divisor;
    ++below;
  }
  below += scale / 4;
  while (rest > UINT64_MAX) {
    groups[--at] = static_cast<uint16_t>(rest % 10000);
    rest /= 10000;
  }
  auto narrow = static_cast<uint64_t>(rest);
  while (narrow != 0) {
    groups[--at] = static_cast<uint16_t>(narrow % 10000);
    narrow /= 10000;
  }
  const int count = 12 - at;
  return WriteNumeric(groups + at, count, count - 1 - below, negative, scale, out);
}

int64_t TextNumericSize(std::string_view text) {
  return 8 + 2 * (static_cast<int64_t>(text.size()) / 4 + 4);
}

const ValueProblem* TextToNumeric(std::string_view text, uint8_t* out, int64_t* size) {
  const auto special = [&](uint16_t sign) {
    Store16(out, 0);
    Store16(out + 2, 0);
    Store16(out + 4, sign);
    Store16(out + 6, 0);
    *size = 8;
    return nullptr;
  };
  const auto is = [&](std::string_view word) {
    return text.size() == word.size() &&
           strncasecmp(text.data(), word.data(), word.size()) == 0;
  };
  if (is("NaN")) return special(kNumericNaN);
  if (is("Infinity") || is("+Infinity") || is("inf")) return special(kNumericInfinity);
  if (is("-Infinity") || is("-inf")) return special(kNumericMinusInfinity);
  bool negative = false;
  size_t at = 0;
  if (at < text.size() && (text[at] == '-' || text[at] == '+'))
    negative = text[at++] == '-';
  size_t mantissa_end = text.find_first_of("eE", at);
  int exponent = 0;
  if (mantissa_end != std::string_view::npos) {
    std::string_view tail = text.substr(mantissa_end + 1);
    if (tail.starts_with('+')) tail.remove_prefix(1);
    const auto [end, error] =
        std::from_chars(tail.data(), tail.data() + tail.size(), exponent);
    if (error != std::errc() || end != tail.data() + tail.size()) return &kNotANumber;
    if (exponent > 131072 || exponent < -16383) return &kServerLimit;
  } else {
    mantissa_end = text.size();
  }
  const std::string_view mantissa = text.substr(at, mantissa_end - at);
  const size_t point = std::min(mantissa.find('.'), mantissa.size());
  const auto digit_count = static_cast<int>(mantissa.size() - (point < mantissa.size()));
  if (digit_count == 0) return &kNotANumber;
  // Decimal digit i (0 = first) stands for 10^(before - 1 - i).
  const int before = static_cast<int>(point) + exponent;
  const int dscale = std::max(0, digit_count - before);
  if (dscale > 16383 || before > 131072) return &kServerLimit;
  const int weight = before > 0 ? (before - 1) / 4 : -((-before) / 4) - 1;
  // First digit's place inside its group of four.
  const int lead = 4 * (weight + 1) - before;
  const int count = (lead + digit_count + 3) / 4;
  int first = -1, last = -1;
  const auto digit = [&](int i) -> int {
    if (i < 0 || i >= digit_count) return 0;
    const size_t index =
        static_cast<size_t>(i) + (static_cast<size_t>(i) >= point ? 1 : 0);
    return mantissa[index] - '0';
  };
  for (int i = 0; i < digit_count; ++i) {
    const int d = digit(i);
    if (d < 0 || d > 9) return &kNotANumber;
  }
  uint8_t* const digits = out + 8;
  int written = 0;
  for (int g = 0; g < count; ++g) {
    const int base = 4 * g - lead;
    const int value = digit(base) * 1000 + digit(base + 1) * 100 + digit(base + 2) * 10 +
                      digit(base + 3);
    if (value != 0) {
      if (first < 0) first = g;
      last = g;
    }
    if (first >= 0) {
      Store16(digits + 2 * written, static_cast<uint16_t>(value));
      ++written;
    }
  }
  const int kept = first < 0 ? 0 : last - first + 1;
  Store16(out, static_cast<uint16_t>(kept));
  Store16(out + 2, static_cast<uint16_t>(kept == 0 ? 0 : weight - first));
  Store16(out + 4, negative && kept > 0 ? kNumericNegative : 0);
  Store16(out + 6, static_cast<uint16_t>(dscale));
  *size = 8 + 2 * kept;
  return nullptr;
}

}  // namespace dxt::postgres
