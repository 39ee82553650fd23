#include "engine/run/value_check.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include <arrow/array.h>
#include <arrow/type.h>
#include <simdjson.h>

#include "base/error.h"
#include "connectors/sdk/value_text.h"
#include "engine/plan/convert_json.h"
#include "engine/plan/exactness.h"

namespace dxt {
namespace {

constexpr size_t kShown = 80;

std::string Quoted(std::string_view text) {
  size_t end = std::min(text.size(), kShown);
  while (end < text.size() && end > 0 &&
         (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) {
    --end;
  }
  // What is not UTF-8 cannot stand in a message; its bytes can.
  std::string shown(text.substr(0, end));
  if (!simdjson::validate_utf8(shown)) {
    constexpr char kHex[] = "0123456789abcdef";
    shown = "bytes ";
    for (const char c : text.substr(0, kShown / 2)) {
      shown += kHex[static_cast<unsigned char>(c) >> 4];
      shown += kHex[static_cast<unsigned char>(c) & 15];
    }
    return end < text.size() ? shown + "…" : shown;
  }
  return "'" + shown + (end < text.size() ? "…'" : "'");
}

arrow::Status Misfit(const std::string& column, std::string_view kind,
                     const std::string& value, const std::string& why) {
  ErrorInfo info;
  info.error_class = ErrorClass::kData;
  info.code = "value." + std::string(kind);
  info.column = column;
  info.hint =
      "Correct the value at the source, give the target column a type that holds it, or "
      "choose what becomes of such values with load.values";
  return MakeError(std::move(info), "Column '" + column + "': " + value + " " + why);
}

int64_t CountCharacters(std::string_view text) {
  int64_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return count;
}

/// Calls `test(row)` for each row that is not null until one returns a failure.
template <typename Test>
arrow::Status FirstFailure(const arrow::Array& array, int64_t* bad_row, Test test) {
  for (int64_t row = 0; row < array.length(); ++row) {
    if (array.IsNull(row)) continue;
    arrow::Status status = test(row);
    if (!status.ok()) {
      if (bad_row) *bad_row = row;
      return status;
    }
  }
  return arrow::Status::OK();
}

/// One pass without branches over fixed-width values, null rows included.
template <typename T, typename Bad>
bool AnyBad(const arrow::Array& array, Bad bad) {
  const T* values = array.data()->GetValues<T>(1);
  bool any = false;
  for (int64_t i = 0; i < array.length(); ++i) any |= bad(values[i]);
  return any;
}

/// The text of all rows together, for tests that nearly always pass.
std::string_view AllBytes(const arrow::BinaryArray& array) {
  if (array.length() == 0) return {};
  const auto from = array.value_offset(0), to = array.value_offset(array.length());
  if (from == to) return {};
  return {reinterpret_cast<const char*>(array.raw_data()) + from,
          static_cast<size_t>(to - from)};
}

/// Valid as a whole and no row starts inside a character.
bool AllUtf8(const arrow::BinaryArray& array, std::string_view all) {
  if (!simdjson::validate_utf8(all.data(), all.size())) return false;
  bool split = false;
  const auto* offsets = array.raw_value_offsets();
  const auto* bytes = array.raw_data();
  for (int64_t i = 0; i < array.length(); ++i) {
    split |= offsets[i] < offsets[i + 1] && (bytes[offsets[i]] & 0xc0) == 0x80;
  }
  return !split;
}

/// Most bytes of a row; a text has at most as many characters.
int64_t LongestRow(const arrow::BinaryArray& array) {
  const auto* offsets = array.raw_value_offsets();
  int32_t longest = 0;
  for (int64_t i = 0; i < array.length(); ++i) {
    longest = std::max(longest, offsets[i + 1] - offsets[i]);
  }
  return longest;
}

int64_t ShortestLimit(const ValueDomain& domain) {
  int64_t limit = std::numeric_limits<int64_t>::max();
  if (domain.max_characters > 0) limit = std::min(limit, domain.max_characters);
  if (domain.max_bytes > 0) limit = std::min(limit, domain.max_bytes);
  return limit;
}

struct DecimalDigits {
  int64_t whole = 0, fraction = 0;
};

DecimalDigits DigitsOf(const DecimalText& number) {
  DecimalDigits count;
  if (number.digits == "0") return count;
  const auto size = static_cast<int64_t>(number.digits.size());
  const auto zeros = size - 1 - static_cast<int64_t>(number.digits.find_last_not_of('0'));
  count.whole = std::max<int64_t>(size - number.scale, 0);
  count.fraction = std::max<int64_t>(number.scale - zeros, 0);
  return count;
}

constexpr int64_t kPowers[] = {1,      10,      100,      1000,      10000,
                               100000, 1000000, 10000000, 100000000, 1000000000};

/// The smallest step that `digits` fraction digits can say, in `unit_digits` units.
int64_t Step(int unit_digits, int digits) {
  return digits >= unit_digits ? 1 : kPowers[unit_digits - digits];
}

}  // namespace

ValueCheck::ValueCheck(const Field& from, const ValueDomain& domain)
    : tests_(DomainTests(from.type, domain)),
      column_(from.name),
      from_(from.type),
      domain_(domain) {}

bool ValueCheck::trusts_files() const { return (tests_ & ~uint32_t{kTestUtf8}) == 0; }

arrow::Status ValueCheck::Check(const arrow::Array& array, int64_t* bad_row) const {
  if (tests_ == 0) return arrow::Status::OK();
  switch (array.type_id()) {
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return CheckText(array, bad_row);
    case arrow::Type::DATE32:
    case arrow::Type::TIME64:
    case arrow::Type::TIMESTAMP:
      return CheckTimes(array, bad_row);
    default:
      return CheckNumbers(array, bad_row);
  }
}

arrow::Status ValueCheck::CheckText(const arrow::Array& array, int64_t* bad_row) const {
  const auto& texts = static_cast<const arrow::BinaryArray&>(array);
  const std::string_view all = AllBytes(texts);
  uint32_t tests = tests_;
  if ((tests & kTestUtf8) && AllUtf8(texts, all)) tests &= ~uint32_t{kTestUtf8};
  if ((tests & kTestNul) && all.find('\0') == std::string_view::npos) {
    tests &= ~uint32_t{kTestNul};
  }
  if ((tests & kTestJsonNul) && all.find("\\u0000") == std::string_view::npos) {
    tests &= ~uint32_t{kTestJsonNul};
  }
  if ((tests & kTestLength) && LongestRow(texts) <= ShortestLimit(domain_)) {
    tests &= ~uint32_t{kTestLength};
  }
  if (tests == 0) return arrow::Status::OK();
  JsonScanner scanner;
  return FirstFailure(array, bad_row, [&](int64_t row) {
    return CheckOneText(texts.GetView(row), tests, &scanner);
  });
}

arrow::Status ValueCheck::CheckOneText(std::string_view text, uint32_t tests,
                                       JsonScanner* scanner) const {
  const auto fail = [&](std::string_view kind, const std::string& why) {
    return Misfit(column_, kind, Quoted(text), why);
  };
  if ((tests & kTestUtf8) && !simdjson::validate_utf8(text.data(), text.size())) {
    return fail("invalid_utf8", "is not valid UTF-8");
  }
  if ((tests & kTestNul) && text.find('\0') != std::string_view::npos) {
    return fail("nul", "holds U+0000, which the target's text cannot");
  }
  if (tests & kTestLength) {
    const auto bytes = static_cast<int64_t>(text.size());
    if (domain_.max_characters > 0 && bytes > domain_.max_characters &&
        CountCharacters(text) > domain_.max_characters) {
      return fail("too_long", "has more than the target's " +
                                  std::to_string(domain_.max_characters) + " characters");
    }
    if (domain_.max_bytes > 0 && bytes > domain_.max_bytes) {
      return fail("too_long", "has " + std::to_string(bytes) +
                                  " bytes, more than the target's " +
                                  std::to_string(domain_.max_bytes));
    }
  }
  if (tests & (kTestJsonKeys | kTestJsonNul)) {
    const JsonFacts facts = scanner->Scan(text, (tests & kTestJsonKeys) != 0);
    if (!facts.valid) return fail("invalid_text", "is not valid JSON");
    if ((tests & kTestJsonKeys) && facts.duplicate_keys) {
      return fail("duplicate_json_key", "has a key twice, of which the target keeps one");
    }
    if ((tests & kTestJsonNul) && facts.nul_escape) {
      return fail("nul", "holds \\u0000, which the target's JSON cannot");
    }
  }
  if (tests & (kTestSpecialFloat | kTestRange | kTestFraction))
    return CheckDecimal(text, tests);
  return arrow::Status::OK();
}

arrow::Status ValueCheck::CheckDecimal(std::string_view text, uint32_t tests) const {
  if (IsSpecialDecimal(text)) {
    const bool nan = text.back() == 'N' || text.back() == 'n';
    const bool fits = nan ? domain_.nan : domain_.infinity;
    if (!(tests & kTestSpecialFloat) || fits) return arrow::Status::OK();
    return Misfit(column_, "special_float", Quoted(text), "is no number to the target");
  }
  const auto number = ParseDecimalText(text);
  if (!number) {
    return Misfit(column_, "invalid_text", Quoted(text), "is not a decimal number");
  }
  const DecimalDigits digits = DigitsOf(*number);
  if ((tests & kTestRange) && digits.whole > domain_.max_integer_digits) {
    return Misfit(column_, "out_of_range", Quoted(text),
                  "has more than the target's " +
                      std::to_string(domain_.max_integer_digits) +
                      " digits before the point");
  }
  if ((tests & kTestFraction) && digits.fraction > domain_.max_fraction_digits) {
    return Misfit(column_, "inexact", Quoted(text),
                  "has more than the target's " +
                      std::to_string(domain_.max_fraction_digits) +
                      " digits behind the point");
  }
  return arrow::Status::OK();
}

arrow::Status ValueCheck::CheckNumbers(const arrow::Array& array,
                                       int64_t* bad_row) const {
  const auto special = [&](double value) {
    return (!domain_.nan && std::isnan(value)) ||
           (!domain_.infinity && std::isinf(value));
  };
  const auto fail = [&](auto value) {
    std::string text;
    AppendFloat(value, &text);
    return Misfit(column_, "special_float", text, "is no number to the target");
  };
  switch (array.type_id()) {
    case arrow::Type::DOUBLE:
      if (!AnyBad<double>(array, special)) return arrow::Status::OK();
      return FirstFailure(array, bad_row, [&](int64_t row) {
        const double value = static_cast<const arrow::DoubleArray&>(array).Value(row);
        return special(value) ? fail(value) : arrow::Status::OK();
      });
    case arrow::Type::FLOAT:
      if (!AnyBad<float>(array, special)) return arrow::Status::OK();
      return FirstFailure(array, bad_row, [&](int64_t row) {
        const float value = static_cast<const arrow::FloatArray&>(array).Value(row);
        return special(value) ? fail(value) : arrow::Status::OK();
      });
    case arrow::Type::UINT64: {
      const auto large = [&](uint64_t value) { return value > domain_.max_unsigned; };
      if (!AnyBad<uint64_t>(array, large)) return arrow::Status::OK();
      return FirstFailure(array, bad_row, [&](int64_t row) {
        const uint64_t value = static_cast<const arrow::UInt64Array&>(array).Value(row);
        if (!large(value)) return arrow::Status::OK();
        return Misfit(
            column_, "out_of_range", std::to_string(value),
            "is larger than the target's " + std::to_string(domain_.max_unsigned));
      });
    }
    default:
      return arrow::Status::OK();
  }
}

arrow::Status ValueCheck::CheckOneTime(const arrow::Array& array, int64_t row) const {
  std::string text;
  const bool date = array.type_id() == arrow::Type::DATE32;
  const bool time = array.type_id() == arrow::Type::TIME64;
  const FieldType& type = domain_.deliver;
  const int unit_digits = type.nanoseconds ? 9 : 6;
  int64_t value = 0, day = 0;
  bool infinite = false;
  if (date) {
    day = value = static_cast<const arrow::Date32Array&>(array).Value(row);
    infinite = value == std::numeric_limits<int32_t>::max() ||
               value == std::numeric_limits<int32_t>::min();
    AppendDate(static_cast<int32_t>(value), &text);
  } else if (time) {
    value = static_cast<const arrow::Time64Array&>(array).Value(row);
    AppendTime(value, &text);
  } else {
    value = static_cast<const arrow::TimestampArray&>(array).Value(row);
    infinite = value == std::numeric_limits<int64_t>::max() ||
               value == std::numeric_limits<int64_t>::min();
    const int64_t per_day = 86400 * kPowers[unit_digits];
    day = value / per_day - (value % per_day < 0);
    AppendTimestamp(value, type.nanoseconds, type.dtype == DType::kTimestampTz, &text);
  }
  if (infinite) {
    if (!(tests_ & kTestInfinity)) return arrow::Status::OK();
    return Misfit(column_, "infinity", text, "has no place in the target's type");
  }
  if (tests_ & kTestRange) {
    const bool fits = time ? value < 86400 * kPowers[6]
                           : day >= domain_.first_day && day <= domain_.last_day;
    if (!fits)
      return Misfit(column_, "out_of_range", text, "is out of the target's range");
  }
  if (!date && (tests_ & kTestFraction) &&
      value % Step(unit_digits, domain_.fraction_digits) != 0) {
    return Misfit(column_, "inexact", text,
                  "has more than the target's " +
                      std::to_string(domain_.fraction_digits) + " digits of a second");
  }
  return arrow::Status::OK();
}

arrow::Status ValueCheck::CheckTimes(const arrow::Array& array, int64_t* bad_row) const {
  // Bounds in the array's own unit, so that the first pass needs no division for ranges.
  const bool date = array.type_id() == arrow::Type::DATE32;
  const bool time = array.type_id() == arrow::Type::TIME64;
  const int unit_digits = domain_.deliver.nanoseconds ? 9 : 6;
  const __int128 per_day = date ? 1 : static_cast<__int128>(86400) * kPowers[unit_digits];
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  const auto clamp = [](__int128 value) {
    return static_cast<int64_t>(value < kMin ? kMin : value > kMax ? kMax : value);
  };
  int64_t low = date ? int64_t{std::numeric_limits<int32_t>::min()} : kMin;
  int64_t high = date ? int64_t{std::numeric_limits<int32_t>::max()} : kMax;
  if (tests_ & kTestInfinity) {
    ++low;
    --high;
  }
  if (tests_ & kTestRange) {
    if (time) {
      high = 86400 * kPowers[6] - 1;
    } else {
      low = std::max(low, clamp(domain_.first_day * per_day));
      high = std::min(high,
                      clamp((static_cast<__int128>(domain_.last_day) + 1) * per_day - 1));
    }
  }
  const int64_t step =
      !date && (tests_ & kTestFraction) ? Step(unit_digits, domain_.fraction_digits) : 1;
  const auto bad = [&](int64_t value) {
    return value < low || value > high || (step > 1 && value % step != 0);
  };
  const bool any = date ? AnyBad<int32_t>(array, bad) : AnyBad<int64_t>(array, bad);
  if (!any) return arrow::Status::OK();
  return FirstFailure(array, bad_row,
                      [&](int64_t row) { return CheckOneTime(array, row); });
}

}  // namespace dxt
