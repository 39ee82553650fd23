#include "connectors/file/text_value.h"

#include <array>
#include <charconv>

#include "connectors/sdk/value_text.h"

namespace dxt::file {
namespace {

constexpr int64_t kLargestExactDouble = 1LL << 53;

constexpr bool Digit(char c) { return c >= '0' && c <= '9'; }

/// The significant digits and the exponent of a decimal text, for comparing two spellings
/// of one number.
struct Digits {
  std::array<char, 40> text;
  int count = 0;
  int exponent = 0;
  bool overflow = false;
};

Digits SignificantDigits(std::string_view text) {
  Digits digits;
  int zeros = 0;
  bool point = false;
  size_t at = 0;
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '.') {
      point = true;
      continue;
    }
    if (!Digit(c)) break;
    if (point) --digits.exponent;
    if (c == '0') {
      if (digits.count > 0) ++zeros;
      continue;
    }
    for (; zeros > 0; --zeros) {
      if (digits.count == 40) break;
      digits.text[static_cast<size_t>(digits.count++)] = '0';
    }
    if (digits.count == 40) {
      digits.overflow = true;
      return digits;
    }
    digits.text[static_cast<size_t>(digits.count++)] = c;
  }
  digits.exponent += zeros;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    int exponent = 0;
    ++at;
    if (at < text.size() && text[at] == '+') ++at;
    if (std::from_chars(text.data() + at, text.data() + text.size(), exponent).ec !=
        std::errc()) {
      digits.overflow = true;
    }
    digits.exponent += exponent;
  }
  if (digits.count == 0) digits.exponent = 0;
  return digits;
}

/// True when the shortest text of `value` has the digits of `text`: nothing was rounded.
bool KeepsDigits(std::string_view text, double value) {
  const Digits wanted = SignificantDigits(text);
  if (wanted.overflow || wanted.count > 17) return false;
  if (wanted.count <= 15 && wanted.exponent > -290 && wanted.exponent < 290) return true;
  std::array<char, 40> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  const Digits got =
      SignificantDigits({buffer.data(), static_cast<size_t>(end - buffer.data())});
  return got.count == wanted.count && got.exponent == wanted.exponent &&
         std::equal(got.text.begin(), got.text.begin() + got.count, wanted.text.begin());
}

/// -?(0|[1-9][0-9]*) and, where `point`, a fraction of one digit or more.
bool PlainNumber(std::string_view text, bool* point) {
  size_t at = 0;
  if (at < text.size() && text[at] == '-') ++at;
  const size_t first = at;
  while (at < text.size() && Digit(text[at])) ++at;
  const size_t whole = at - first;
  if (whole == 0 || (whole > 1 && text[first] == '0')) return false;
  *point = at < text.size() && text[at] == '.';
  if (!*point) return at == text.size();
  const size_t fraction = ++at;
  while (at < text.size() && Digit(text[at])) ++at;
  return at == text.size() && at > fraction;
}

bool TwoDigits(const char* at, int* value) {
  if (!Digit(at[0]) || !Digit(at[1])) return false;
  *value = (at[0] - '0') * 10 + (at[1] - '0');
  return true;
}

int32_t DaysOf(int year, int month, int day) {
  // Days from civil, by Howard Hinnant.
  year -= month <= 2;
  const int era = (year >= 0 ? year : year - 399) / 400;
  const unsigned yoe = static_cast<unsigned>(year - era * 400);
  const unsigned doy =
      (153u * static_cast<unsigned>(month + (month > 2 ? -3 : 9)) + 2) / 5 +
      static_cast<unsigned>(day) - 1;
  const unsigned doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
  return era * 146097 + static_cast<int32_t>(doe) - 719468;
}

/// HH:MM[:SS[.fraction]] from the start of `text`; advances it. Nanoseconds of the day.
bool TakeTime(std::string_view* text, int64_t* nanos, int* fraction_digits) {
  int hour = 0, minute = 0, second = 0;
  const char* at = text->data();
  size_t size = text->size();
  *fraction_digits = 0;
  if (size < 5 || !TwoDigits(at, &hour) || at[2] != ':' || !TwoDigits(at + 3, &minute)) {
    return false;
  }
  size_t used = 5;
  int64_t fraction = 0;
  if (size >= 8 && at[5] == ':') {
    if (!TwoDigits(at + 6, &second)) return false;
    used = 8;
    if (size > 8 && at[8] == '.') {
      int digits = 0;
      ++used;
      while (used < size && Digit(at[used]) && digits < 9) {
        fraction = fraction * 10 + (at[used] - '0');
        ++digits;
        ++used;
      }
      if (digits == 0 || (used < size && Digit(at[used]))) return false;
      *fraction_digits = digits;
      for (; digits < 9; ++digits) fraction *= 10;
    }
  }
  if (hour > 24 || minute > 59 || second > 59) return false;
  if (hour == 24 && (minute > 0 || second > 0 || fraction > 0)) return false;
  *nanos = ((hour * 60LL + minute) * 60 + second) * 1'000'000'000LL + fraction;
  text->remove_prefix(used);
  return true;
}

/// Z, ±HH, ±HHMM, ±HH:MM, ±HH:MM:SS: all of `text`. Seconds east.
bool ParseOffset(std::string_view text, int* seconds) {
  *seconds = 0;
  if (text == "Z" || text == "z") return true;
  if (text.size() < 3 || (text[0] != '+' && text[0] != '-')) return false;
  const int sign = text[0] == '-' ? -1 : 1;
  int parts[3] = {0, 0, 0};
  if (!TwoDigits(text.data() + 1, &parts[0])) return false;
  text.remove_prefix(3);
  for (int i = 1; i < 3 && !text.empty(); ++i) {
    if (text[0] == ':') text.remove_prefix(1);
    if (text.size() < 2 || !TwoDigits(text.data(), &parts[i])) return false;
    text.remove_prefix(2);
  }
  if (!text.empty() || parts[0] > 23 || parts[1] > 59 || parts[2] > 59) return false;
  *seconds = sign * (parts[0] * 3600 + parts[1] * 60 + parts[2]);
  return true;
}

std::string_view WithoutPlus(std::string_view text, Reading reading) {
  if (reading == Reading::kDeclared && text.size() > 1 && text[0] == '+' &&
      text[1] != '-') {
    text.remove_prefix(1);
  }
  return text;
}

}  // namespace

bool ParseInteger(std::string_view text, Reading reading, int64_t* value) {
  const char* at = text.data();
  const char* const end = at + text.size();
  if (reading == Reading::kDeclared) {
    text = WithoutPlus(text, reading);
    const auto parsed = std::from_chars(text.data(), end, *value);
    return parsed.ec == std::errc() && parsed.ptr == end && !text.empty();
  }
  if (at == end) return false;
  const bool negative = *at == '-';
  if (negative) ++at;
  const auto digits = end - at;
  if (digits < 1 || digits > 18 || (*at == '0' && (digits > 1 || negative))) return false;
  uint64_t number = 0;
  for (; at < end; ++at) {
    const unsigned digit = static_cast<unsigned char>(*at) - '0';
    if (digit > 9) return false;
    number = number * 10 + digit;
  }
  *value = negative ? -static_cast<int64_t>(number) : static_cast<int64_t>(number);
  return true;
}

bool ParseUnsigned(std::string_view text, Reading reading, uint64_t* value) {
  text = WithoutPlus(text, reading);
  if (text.empty() || !Digit(text[0])) return false;
  if (reading == Reading::kInferred && text.size() > 1 && text[0] == '0') return false;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), *value);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

bool ParseDouble(std::string_view text, Reading reading, bool json_number,
                 double* value) {
  if (reading == Reading::kDeclared) {
    const auto number = ParseFloat64(text);
    *value = number.value_or(0);
    return number.has_value();
  }
  if (!json_number) {
    bool point = false;
    if (!PlainNumber(text, &point)) return false;
    if (!point) {
      // An integer among floats: only what a double holds.
      int64_t integer = 0;
      if (!ParseInteger(text, reading, &integer)) return false;
      if (integer > kLargestExactDouble || integer < -kLargestExactDouble) return false;
      *value = static_cast<double>(integer);
      return true;
    }
  }
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), *value);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  return KeepsDigits(text, *value);
}

bool ParseTruth(std::string_view text, Reading reading, bool* value) {
  if (text == "true" || text == "True" || text == "TRUE") {
    *value = true;
    return true;
  }
  if (text == "false" || text == "False" || text == "FALSE") {
    *value = false;
    return true;
  }
  if (reading == Reading::kInferred || text.size() != 1) return false;
  if (text[0] == 't' || text[0] == '1') {
    *value = true;
    return true;
  }
  *value = false;
  return text[0] == 'f' || text[0] == '0';
}

bool ParseDate(std::string_view text, int32_t* days) {
  int high = 0, low = 0, month = 0, day = 0;
  if (text.size() != 10 || text[4] != '-' || text[7] != '-' ||
      !TwoDigits(text.data(), &high) || !TwoDigits(text.data() + 2, &low) ||
      !TwoDigits(text.data() + 5, &month) || !TwoDigits(text.data() + 8, &day)) {
    return false;
  }
  const int year = high * 100 + low;
  static constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (year < 1 || month < 1 || month > 12 || day < 1) return false;
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  if (day > kDays[month - 1] + (month == 2 && leap ? 1 : 0)) return false;
  *days = DaysOf(year, month, day);
  return true;
}

bool ParseTimestamp(std::string_view text, bool nanoseconds, TimestampText* value) {
  int32_t days = 0;
  int64_t nanos = 0;
  if (text.size() < 16 || (text[10] != 'T' && text[10] != ' ') ||
      !ParseDate(text.substr(0, 10), &days)) {
    return false;
  }
  text.remove_prefix(11);
  if (!TakeTime(&text, &nanos, &value->fraction_digits)) return false;
  if (nanos >= 86'400'000'000'000LL) return false;
  int offset = 0;
  value->zoned = !text.empty();
  if (value->zoned && !ParseOffset(text, &offset)) return false;
  const int64_t seconds = days * 86400LL - offset;
  if (!nanoseconds) {
    if (nanos % 1000 != 0) return false;
    value->value = seconds * 1'000'000 + nanos / 1000;
    return true;
  }
  return !__builtin_mul_overflow(seconds, 1'000'000'000LL, &value->value) &&
         !__builtin_add_overflow(value->value, nanos, &value->value);
}

bool IsDecimalText(std::string_view text, bool special) {
  if (special && (text == "NaN" || text == "Infinity" || text == "-Infinity"))
    return true;
  size_t at = 0;
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
  int digits = 0;
  while (at < text.size() && Digit(text[at])) ++at, ++digits;
  if (at < text.size() && text[at] == '.') {
    ++at;
    while (at < text.size() && Digit(text[at])) ++at, ++digits;
  }
  if (digits == 0) return false;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
    const size_t first = at;
    while (at < text.size() && Digit(text[at])) ++at;
    if (at == first) return false;
  }
  return at == text.size();
}

uint32_t TextInference::Temporal(std::string_view text) const {
  int32_t days = 0;
  if (ParseDate(text, &days)) return kDate;
  TimestampText timestamp;
  if (!ParseTimestamp(text, true, &timestamp) &&
      !ParseTimestamp(text, false, &timestamp)) {
    return kText;
  }
  return static_cast<uint32_t>(timestamp.zoned ? kTimestampTz : kTimestamp) |
         (timestamp.fraction_digits > 6 ? static_cast<uint32_t>(kNanoseconds) : 0u);
}

void TextInference::Add(std::string_view text) {
  if (text.empty()) {
    seen_ |= kText;
    return;
  }
  int64_t integer = 0;
  double number = 0;
  bool truth = false;
  if (ParseInteger(text, Reading::kInferred, &integer)) {
    seen_ |= kInteger;
    if (integer > kLargestExactDouble || integer < -kLargestExactDouble) seen_ |= kWide;
  } else if (ParseDouble(text, Reading::kInferred, false, &number)) {
    seen_ |= kFloat;
  } else if (ParseTruth(text, Reading::kInferred, &truth)) {
    seen_ |= kTruth;
  } else {
    seen_ |= Temporal(text);
  }
}

void TextInference::AddJsonNumber(std::string_view text) {
  json_ = true;
  int64_t integer = 0;
  double number = 0;
  if (text.find_first_of(".eE") == std::string_view::npos) {
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), integer);
    seen_ |= kInteger;
    if (parsed.ec != std::errc() || text == "-0") {
      seen_ |= kExact;
    } else if (integer > kLargestExactDouble || integer < -kLargestExactDouble) {
      seen_ |= kWide;
    }
  } else if (ParseDouble(text, Reading::kInferred, true, &number)) {
    seen_ |= kFloat;
  } else {
    seen_ |= kExact;
  }
}

void TextInference::AddJsonString(std::string_view text) {
  json_ = true;
  seen_ |= Temporal(text);
}

FieldType TextInference::Type() const {
  FieldType type;
  const auto of = [&](DType dtype) {
    type.dtype = dtype;
    return type;
  };
  const uint32_t kinds = seen_ & ~static_cast<uint32_t>(kWide | kNanoseconds);
  type.nanoseconds = seen_ & kNanoseconds;
  switch (kinds) {
    case kInteger:
      return of(DType::kInt64);
    case kFloat:
      return of(DType::kFloat64);
    case kTruth:
      return of(DType::kBool);
    case kDate:
      return of(DType::kDate);
    case kTimestamp:
      return of(DType::kTimestamp);
    case kTimestampTz:
      return of(DType::kTimestampTz);
    case kNested:
      return of(DType::kJson);
    default:
      break;
  }
  type.nanoseconds = false;
  const uint32_t numbers = kInteger | kFloat | kExact;
  if (kinds != 0 && (kinds & ~numbers) == 0) {
    if (kinds == (kInteger | kFloat) && !(seen_ & kWide)) return of(DType::kFloat64);
    // JSON numbers that no binary type keeps travel as their digits.
    return of(json_ ? DType::kDecimal : DType::kString);
  }
  const uint32_t texts = kText | kDate | kTimestamp | kTimestampTz;
  if (json_ && (kinds & ~texts) != 0) return of(DType::kJson);
  if (kinds & kNested) return of(DType::kJson);
  return of(DType::kString);
}

}  // namespace dxt::file
