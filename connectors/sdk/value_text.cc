#include "connectors/sdk/value_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include <simdjson.h>

namespace dxt {
namespace {

constexpr int64_t kSecondsPerDay = 86400;

struct CivilDate {
  int64_t year;
  unsigned month, day;
};

// Howard Hinnant's civil_from_days and days_from_civil, over the whole int64 of days that
// a timestamp can have.
CivilDate CivilFromDays(int64_t days) {
  days += 719468;
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const auto day_of_era = static_cast<unsigned>(days - era * 146097);
  const unsigned year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const unsigned day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned shifted = (5 * day_of_year + 2) / 153;
  const unsigned day = day_of_year - (153 * shifted + 2) / 5 + 1;
  const unsigned month = shifted < 10 ? shifted + 3 : shifted - 9;
  return {static_cast<int64_t>(year_of_era) + era * 400 + (month <= 2), month, day};
}

int64_t DaysFromCivil(int64_t year, unsigned month, unsigned day) {
  year -= month <= 2;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const auto year_of_era = static_cast<unsigned>(year - era * 400);
  const unsigned day_of_year =
      (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const unsigned day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + static_cast<int64_t>(day_of_era) - 719468;
}

bool ValidDate(int64_t year, unsigned month, unsigned day) {
  constexpr std::array<unsigned, 12> kDays = {31, 28, 31, 30, 31, 30,
                                              31, 31, 30, 31, 30, 31};
  if (month < 1 || month > 12 || day < 1) return false;
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return day <= kDays[month - 1] + (month == 2 && leap);
}

/// Appends `value` with at least `width` digits.
void AppendPadded(uint64_t value, int width, std::string* out) {
  char digits[20];
  int count = 0;
  do {
    digits[count++] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value > 0);
  for (int i = count; i < width; ++i) out->push_back('0');
  while (count > 0) out->push_back(digits[--count]);
}

void AppendCivil(int64_t days, std::string* out) {
  const CivilDate date = CivilFromDays(days);
  if (date.year < 0) out->push_back('-');
  AppendPadded(static_cast<uint64_t>(std::abs(date.year)), 4, out);
  out->push_back('-');
  AppendPadded(date.month, 2, out);
  out->push_back('-');
  AppendPadded(date.day, 2, out);
}

void AppendClock(int64_t seconds, int64_t fraction, int digits, std::string* out) {
  AppendPadded(static_cast<uint64_t>(seconds / 3600), 2, out);
  out->push_back(':');
  AppendPadded(static_cast<uint64_t>(seconds / 60 % 60), 2, out);
  out->push_back(':');
  AppendPadded(static_cast<uint64_t>(seconds % 60), 2, out);
  out->push_back('.');
  AppendPadded(static_cast<uint64_t>(fraction), digits, out);
}

template <typename T>
void AppendShortest(T value, std::string* out) {
  if (std::isnan(value)) {
    *out += "NaN";
  } else if (std::isinf(value)) {
    *out += value > 0 ? "Infinity" : "-Infinity";
  } else {
    char text[64];
    const auto end = std::to_chars(text, text + sizeof text, value).ptr;
    out->append(text, end);
  }
}

bool EqualsFolded(std::string_view text, std::string_view lower) {
  return text.size() == lower.size() &&
         std::equal(text.begin(), text.end(), lower.begin(), [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
         });
}

template <typename T>
std::optional<T> ParseFloat(std::string_view text) {
  std::string_view name = text;
  const bool negative = !name.empty() && name.front() == '-';
  if (negative) name.remove_prefix(1);
  if (EqualsFolded(name, "infinity") || EqualsFolded(name, "inf")) {
    return negative ? -std::numeric_limits<T>::infinity()
                    : std::numeric_limits<T>::infinity();
  }
  if (!negative && EqualsFolded(name, "nan")) return std::numeric_limits<T>::quiet_NaN();
  if (!text.empty() && text.front() == '+') {
    text.remove_prefix(1);
    name = text;
  }
  if (name.empty() ||
      (name.front() != '.' && (name.front() < '0' || name.front() > '9'))) {
    return std::nullopt;
  }
  T value{};
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Reads text front to back; every Take… either consumes what it names or returns false.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}
  bool done() const { return rest_.empty(); }
  char peek() const { return rest_.empty() ? '\0' : rest_.front(); }

  bool Take(char wanted) {
    if (peek() != wanted || rest_.empty()) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool TakeTwoDigits(unsigned* value) {
    if (rest_.size() < 2 || !IsDigit(rest_[0]) || !IsDigit(rest_[1])) return false;
    *value = static_cast<unsigned>((rest_[0] - '0') * 10 + (rest_[1] - '0'));
    rest_.remove_prefix(2);
    return true;
  }
  bool TakeYear(int64_t* year) {
    const bool negative = Take('-');
    int64_t value = 0;
    size_t count = 0;
    for (; count < rest_.size() && IsDigit(rest_[count]); ++count) {
      if (count == 8) return false;
      value = value * 10 + (rest_[count] - '0');
    }
    if (count < 4) return false;
    rest_.remove_prefix(count);
    *year = negative ? -value : value;
    return true;
  }
  bool TakeDays(int64_t* days) {
    int64_t year;
    unsigned month, day;
    if (!TakeYear(&year) || !Take('-') || !TakeTwoDigits(&month) || !Take('-') ||
        !TakeTwoDigits(&day) || !ValidDate(year, month, day)) {
      return false;
    }
    *days = DaysFromCivil(year, month, day);
    return true;
  }
  /// Fraction of a second as an integer of `unit_digits` digits; more digits must be
  /// zero.
  bool TakeFraction(int unit_digits, int64_t* fraction) {
    *fraction = 0;
    int count = 0;
    for (; !rest_.empty() && IsDigit(rest_.front()); ++count, rest_.remove_prefix(1)) {
      if (count < unit_digits) {
        *fraction = *fraction * 10 + (rest_.front() - '0');
      } else if (rest_.front() != '0') {
        return false;
      }
    }
    for (int i = count; i < unit_digits; ++i) *fraction *= 10;
    return count > 0;
  }
  /// HH:MM[:SS[.f…]]
  bool TakeClock(int unit_digits, int64_t* seconds, int64_t* fraction) {
    unsigned hour, minute, second = 0;
    *fraction = 0;
    if (!TakeTwoDigits(&hour) || !Take(':') || !TakeTwoDigits(&minute)) return false;
    if (Take(':')) {
      if (!TakeTwoDigits(&second)) return false;
      if (Take('.') && !TakeFraction(unit_digits, fraction)) return false;
    }
    if (hour > 24 || minute > 59 || second > 59) return false;
    *seconds = hour * 3600 + minute * 60 + second;
    return hour < 24 || (minute == 0 && second == 0 && *fraction == 0);
  }
  bool TakeOffset(int64_t* seconds) {
    if (Take('Z') || Take('z')) {
      *seconds = 0;
      return true;
    }
    const bool negative = peek() == '-';
    if (!Take('-') && !Take('+')) return false;
    unsigned hour, minute = 0, second = 0;
    if (!TakeTwoDigits(&hour)) return false;
    if (Take(':')) {
      if (!TakeTwoDigits(&minute)) return false;
      if (Take(':') && !TakeTwoDigits(&second)) return false;
    } else if (!done() && !TakeTwoDigits(&minute)) {
      return false;
    }
    if (hour > 15 || minute > 59 || second > 59) return false;
    *seconds = hour * 3600 + minute * 60 + second;
    if (negative) *seconds = -*seconds;
    return true;
  }

 private:
  static bool IsDigit(char c) { return c >= '0' && c <= '9'; }
  std::string_view rest_;
};

/// Divides the little-endian number in place; returns the remainder.
uint64_t DivideInPlace(uint64_t* words, int count, uint64_t divisor) {
  unsigned __int128 rest = 0;
  for (int i = count - 1; i >= 0; --i) {
    rest = (rest << 64) | words[i];
    words[i] = static_cast<uint64_t>(rest / divisor);
    rest %= divisor;
  }
  return static_cast<uint64_t>(rest);
}

}  // namespace

void AppendFloat(double value, std::string* out) { AppendShortest(value, out); }
void AppendFloat(float value, std::string* out) { AppendShortest(value, out); }

void AppendDate(int32_t days, std::string* out) {
  if (days == std::numeric_limits<int32_t>::max()) {
    *out += "infinity";
  } else if (days == std::numeric_limits<int32_t>::min()) {
    *out += "-infinity";
  } else {
    AppendCivil(days, out);
  }
}

void AppendTime(int64_t micros, std::string* out) {
  AppendClock(micros / 1000000, micros % 1000000, 6, out);
}

void AppendTimestamp(int64_t value, bool nanoseconds, bool utc, std::string* out) {
  if (value == std::numeric_limits<int64_t>::max()) {
    *out += "infinity";
    return;
  }
  if (value == std::numeric_limits<int64_t>::min()) {
    *out += "-infinity";
    return;
  }
  const int64_t per_second = nanoseconds ? 1000000000 : 1000000;
  int64_t seconds = value / per_second, fraction = value % per_second;
  if (fraction < 0) {
    fraction += per_second;
    --seconds;
  }
  int64_t days = seconds / kSecondsPerDay, clock = seconds % kSecondsPerDay;
  if (clock < 0) {
    clock += kSecondsPerDay;
    --days;
  }
  AppendCivil(days, out);
  out->push_back(' ');
  AppendClock(clock, fraction, nanoseconds ? 9 : 6, out);
  if (utc) *out += "+00:00";
}

void AppendDecimal(const uint64_t* words, int word_count, int32_t scale,
                   std::string* out) {
  std::array<uint64_t, 4> rest{};
  std::copy_n(words, word_count, rest.begin());
  if (static_cast<int64_t>(words[word_count - 1]) < 0) {
    out->push_back('-');
    uint64_t carry = 1;
    for (int i = 0; i < word_count; ++i) {
      rest[i] = ~rest[i] + carry;
      carry = carry && rest[i] == 0;
    }
  }
  // 78 digits hold 2^256; filled from the back.
  char digits[80];
  char* first = digits + sizeof digits;
  const auto is_zero = [&] {
    for (int i = 0; i < word_count; ++i) {
      if (rest[i] != 0) return false;
    }
    return true;
  };
  do {
    uint64_t part = DivideInPlace(rest.data(), word_count, 1000000000000000000u);
    const bool last = is_zero();
    for (int i = 0; last ? part > 0 || i == 0 : i < 18; ++i, part /= 10) {
      *--first = static_cast<char>('0' + part % 10);
    }
  } while (!is_zero());
  const auto count = static_cast<int32_t>(digits + sizeof digits - first);
  const std::string_view text(first, static_cast<size_t>(count));
  if (scale <= 0) {
    *out += text;
    if (text != "0") out->append(static_cast<size_t>(-scale), '0');
  } else if (count > scale) {
    *out += text.substr(0, static_cast<size_t>(count - scale));
    out->push_back('.');
    *out += text.substr(static_cast<size_t>(count - scale));
  } else {
    *out += "0.";
    out->append(static_cast<size_t>(scale - count), '0');
    *out += text;
  }
}

namespace {
constexpr char kBase64[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
}  // namespace

void AppendBase64(std::string_view bytes, std::string* out) {
  size_t at = 0;
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  for (; at + 2 < bytes.size(); at += 3) {
    const unsigned group = byte(at) << 16 | byte(at + 1) << 8 | byte(at + 2);
    for (int shift = 18; shift >= 0; shift -= 6)
      out->push_back(kBase64[group >> shift & 63]);
  }
  if (at == bytes.size()) return;
  const bool two = at + 1 < bytes.size();
  const unsigned group = byte(at) << 16 | (two ? byte(at + 1) << 8 : 0);
  out->push_back(kBase64[group >> 18 & 63]);
  out->push_back(kBase64[group >> 12 & 63]);
  out->push_back(two ? kBase64[group >> 6 & 63] : '=');
  out->push_back('=');
}

std::optional<std::string> ParseBase64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  static const auto values = [] {
    std::array<int8_t, 256> table{};
    table.fill(-1);
    for (int i = 0; i < 64; ++i) table[static_cast<unsigned char>(kBase64[i])] = i;
    return table;
  }();
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (size_t at = 0; at < text.size(); at += 4) {
    int padding = 0;
    if (at + 4 == text.size()) padding = (text[at + 3] == '=') + (text[at + 2] == '=');
    if (padding == 1 && text[at + 3] != '=') return std::nullopt;
    unsigned group = 0;
    for (int i = 0; i < 4; ++i) {
      int value = 0;
      if (i < 4 - padding) value = values[static_cast<unsigned char>(text[at + i])];
      if (value < 0) return std::nullopt;
      group = group << 6 | static_cast<unsigned>(value);
    }
    // Bits that the padding cuts off must be zero, so that each value has one text.
    if ((padding == 1 && group & 0xff) || (padding == 2 && group & 0xffff)) {
      return std::nullopt;
    }
    for (int i = 0; i < 3 - padding; ++i) {
      bytes.push_back(static_cast<char>(group >> (16 - 8 * i) & 0xff));
    }
  }
  return bytes;
}

bool AppendJsonString(std::string_view text, std::string* out) {
  if (!simdjson::validate_utf8(text.data(), text.size())) return false;
  out->push_back('"');
  size_t copied = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out->append(text, copied, i - copied);
    copied = i + 1;
    switch (c) {
      case '"':
        *out += "\\\"";
        break;
      case '\\':
        *out += "\\\\";
        break;
      case '\n':
        *out += "\\n";
        break;
      case '\r':
        *out += "\\r";
        break;
      case '\t':
        *out += "\\t";
        break;
      default:
        constexpr char kHex[] = "0123456789abcdef";
        *out += "\\u00";
        out->push_back(kHex[c >> 4]);
        out->push_back(kHex[c & 15]);
    }
  }
  out->append(text, copied, text.size() - copied);
  out->push_back('"');
  return true;
}

std::optional<double> ParseFloat64(std::string_view text) {
  return ParseFloat<double>(text);
}
std::optional<float> ParseFloat32(std::string_view text) {
  return ParseFloat<float>(text);
}

std::optional<int32_t> ParseDate(std::string_view text) {
  if (text == "infinity") return std::numeric_limits<int32_t>::max();
  if (text == "-infinity") return std::numeric_limits<int32_t>::min();
  Scanner scanner(text);
  int64_t days;
  if (!scanner.TakeDays(&days) || !scanner.done() ||
      days >= std::numeric_limits<int32_t>::max() ||
      days <= std::numeric_limits<int32_t>::min()) {
    return std::nullopt;
  }
  return static_cast<int32_t>(days);
}

std::optional<int64_t> ParseTime(std::string_view text) {
  Scanner scanner(text);
  int64_t seconds, fraction;
  if (!scanner.TakeClock(6, &seconds, &fraction) || !scanner.done()) return std::nullopt;
  return seconds * 1000000 + fraction;
}

std::optional<int64_t> ParseTimestamp(std::string_view text, bool nanoseconds,
                                      OffsetRule offset) {
  if (text == "infinity") return std::numeric_limits<int64_t>::max();
  if (text == "-infinity") return std::numeric_limits<int64_t>::min();
  Scanner scanner(text);
  int64_t days, clock = 0, fraction = 0, shift = 0;
  if (!scanner.TakeDays(&days)) return std::nullopt;
  if (!scanner.done()) {
    if (!scanner.Take(' ') && !scanner.Take('T') && !scanner.Take('t'))
      return std::nullopt;
    if (!scanner.TakeClock(nanoseconds ? 9 : 6, &clock, &fraction)) return std::nullopt;
    if (!scanner.done()) {
      if (offset == OffsetRule::kForbidden) return std::nullopt;
      scanner.Take(' ');
      if (!scanner.TakeOffset(&shift) || !scanner.done()) return std::nullopt;
    }
  }
  const int64_t per_second = nanoseconds ? 1000000000 : 1000000;
  const __int128 value =
      static_cast<__int128>(days * kSecondsPerDay + clock - shift) * per_second +
      fraction;
  // The extremes stand for the infinities.
  if (value >= std::numeric_limits<int64_t>::max() ||
      value <= std::numeric_limits<int64_t>::min()) {
    return std::nullopt;
  }
  return static_cast<int64_t>(value);
}

std::optional<DecimalText> ParseDecimalText(std::string_view text) {
  DecimalText number;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    number.negative = text.front() == '-';
    text.remove_prefix(1);
  }
  size_t at = 0;
  bool any = false, point = false;
  number.digits.reserve(text.size());
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c >= '0' && c <= '9') {
      any = true;
      if (point) ++number.scale;
      if (c != '0' || !number.digits.empty()) number.digits.push_back(c);
    } else if (c == '.' && !point) {
      point = true;
    } else {
      break;
    }
  }
  if (!any) return std::nullopt;
  if (at < text.size()) {
    if (text[at] != 'e' && text[at] != 'E') return std::nullopt;
    std::string_view exponent = text.substr(at + 1);
    const bool negative = !exponent.empty() && exponent.front() == '-';
    if (!exponent.empty() && (exponent.front() == '-' || exponent.front() == '+')) {
      exponent.remove_prefix(1);
    }
    int64_t value = 0;
    if (exponent.empty() || exponent.size() > 4) return std::nullopt;
    for (const char c : exponent) {
      if (c < '0' || c > '9') return std::nullopt;
      value = value * 10 + (c - '0');
    }
    number.scale += negative ? value : -value;
  }
  if (number.digits.empty()) {
    number.digits = "0";
    number.negative = false;
  }
  return number;
}

bool IsSpecialDecimal(std::string_view text) {
  if (!text.empty() && (text.front() == '-' || text.front() == '+'))
    text.remove_prefix(1);
  return EqualsFolded(text, "nan") || EqualsFolded(text, "infinity") ||
         EqualsFolded(text, "inf");
}

}  // namespace dxt
