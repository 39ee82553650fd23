#include "engine/plan/exactness.h"

#include <algorithm>
#include <limits>

namespace dxt {
namespace {

/// Dtypes that are judged alike.
enum class Kind : uint8_t {
  kInteger,
  kFloat,
  kDecimal,
  kText,
  kBool,
  kDate,
  kTime,
  kTimestamp,
  kTimestampTz,
  kBinary,
  kJson,
  kArray,
  kObject,
};

Kind KindOf(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
    case DType::kFloat64:
      return Kind::kFloat;
    case DType::kDecimal:
      return Kind::kDecimal;
    case DType::kString:
      return Kind::kText;
    case DType::kBool:
      return Kind::kBool;
    case DType::kDate:
      return Kind::kDate;
    case DType::kTime:
      return Kind::kTime;
    case DType::kTimestamp:
      return Kind::kTimestamp;
    case DType::kTimestampTz:
      return Kind::kTimestampTz;
    case DType::kBinary:
      return Kind::kBinary;
    case DType::kJson:
      return Kind::kJson;
    case DType::kArray:
      return Kind::kArray;
    case DType::kObject:
      return Kind::kObject;
    default:
      return Kind::kInteger;
  }
}

bool IsUnsigned(DType dtype) { return dtype >= DType::kUint8 && dtype <= DType::kUint64; }
int Bits(DType dtype) { return 8 << (static_cast<int>(dtype) & 3); }

/// Most decimal digits of an integer type.
int Digits(DType dtype) {
  constexpr int kSigned[] = {3, 5, 10, 19};
  constexpr int kUnsigned[] = {3, 5, 10, 20};
  return (IsUnsigned(dtype) ? kUnsigned : kSigned)[static_cast<int>(dtype) & 3];
}

struct Judgement {
  Exactness exactness;
  std::string reason;
};

Judgement Exact() { return {Exactness::kExact, {}}; }
Judgement Checked(std::string reason) { return {Exactness::kChecked, std::move(reason)}; }
Judgement Refused(std::string reason) { return {Exactness::kRefused, std::move(reason)}; }

Judgement NoMeaning(const FieldType& from, const FieldType& to) {
  return Refused("a value of type " + ToString(from) + " is not one of type " +
                 ToString(to) +
                 "; write an SQL expression in the field's `source`, or another dtype");
}

/// Possible, but only where the document asks for it.
Judgement OnRequest(bool cast, const FieldType& from, const FieldType& to,
                    Judgement asked) {
  if (cast) return asked;
  return Refused(ToString(from) + " becomes " + ToString(to) + " only with `dtype: " +
                 std::string(DTypeName(to.dtype)) + "` on the field");
}

Judgement FromInteger(const FieldType& from, const FieldType& to, bool cast) {
  switch (KindOf(to.dtype)) {
    case Kind::kInteger: {
      const bool signed_to_unsigned = !IsUnsigned(from.dtype) && IsUnsigned(to.dtype);
      const int room = Bits(to.dtype) - (IsUnsigned(from.dtype) && !IsUnsigned(to.dtype));
      if (!signed_to_unsigned && Bits(from.dtype) <= room) return Exact();
      return Checked("values must lie in the range of " + ToString(to));
    }
    case Kind::kFloat: {
      const int mantissa = to.dtype == DType::kFloat64 ? 53 : 24;
      if (Bits(from.dtype) <= mantissa) return Exact();
      return Checked("values must be exact in " + std::to_string(mantissa) + " bits");
    }
    case Kind::kDecimal:
      if (to.precision == 0 || Digits(from.dtype) <= to.precision - to.scale)
        return Exact();
      return Checked("values must fit " + ToString(to));
    case Kind::kBool:
      return OnRequest(cast, from, to, Checked("values must be 0 or 1"));
    default:
      return NoMeaning(from, to);
  }
}

Judgement FromFloat(const FieldType& from, const FieldType& to, bool cast) {
  switch (KindOf(to.dtype)) {
    case Kind::kFloat:
      if (from.dtype == to.dtype || to.dtype == DType::kFloat64) return Exact();
      return Checked("values must be exact in 24 bits");
    case Kind::kInteger:
      return Checked("values must be whole and in the range of " + ToString(to));
    case Kind::kDecimal:
      return OnRequest(
          cast, from, to,
          to.precision == 0
              ? Exact()
              : Checked("the shortest text of each value must fit " + ToString(to)));
    default:
      return NoMeaning(from, to);
  }
}

Judgement FromDecimal(const FieldType& from, const FieldType& to, bool cast) {
  switch (KindOf(to.dtype)) {
    case Kind::kDecimal:
      if (to.precision == 0) return Exact();
      if (from.precision > 0 && to.scale >= from.scale &&
          to.precision - to.scale >= from.precision - from.scale) {
        return Exact();
      }
      return Checked("values must fit " + ToString(to) + " without rounding");
    case Kind::kInteger:
      return Checked("values must be whole and in the range of " + ToString(to));
    case Kind::kFloat:
      return OnRequest(
          cast, from, to,
          Checked("each value must be readable again from its " + ToString(to)));
    default:
      return NoMeaning(from, to);
  }
}

Judgement FromText(const FieldType& from, const FieldType& to, bool cast) {
  switch (KindOf(to.dtype)) {
    case Kind::kJson:
      return Checked("values must be valid JSON");
    case Kind::kBinary:
      return OnRequest(cast, from, to, Exact());
    default:
      return OnRequest(cast, from, to,
                       Checked("each text must be a value of " + ToString(to)));
  }
}

Judgement ZoneNeeded(const FieldType& from, const FieldType& to) {
  return Refused(ToString(from) + " becomes " + ToString(to) +
                 " only with `timezone` on the field");
}

Judgement FromTime(const FieldType& from, const FieldType& to,
                   std::string_view timezone) {
  const Kind source = KindOf(from.dtype), target = KindOf(to.dtype);
  if (source == Kind::kDate) {
    if (target == Kind::kDate) return Exact();
    if (target == Kind::kTimestampTz && timezone.empty()) return ZoneNeeded(from, to);
    if (target == Kind::kTimestamp || target == Kind::kTimestampTz) {
      return Checked("dates must lie in the range of " + ToString(to));
    }
    return NoMeaning(from, to);
  }
  const bool zones_differ = source != target;
  if (target == Kind::kDate) {
    if (source == Kind::kTimestampTz && timezone.empty()) return ZoneNeeded(from, to);
    return Checked("values must be midnight");
  }
  if (target != Kind::kTimestamp && target != Kind::kTimestampTz)
    return NoMeaning(from, to);
  if (zones_differ && timezone.empty()) return ZoneNeeded(from, to);
  if (from.nanoseconds && !to.nanoseconds)
    return Checked("values must be whole microseconds");
  if (!from.nanoseconds && to.nanoseconds) {
    return Checked("values must lie between 1677 and 2262");
  }
  if (!zones_differ) return Exact();
  return Checked("local times must exist once in " + std::string(timezone));
}

Judgement FromNested(const FieldType& from, const FieldType& to, bool cast);

Judgement JudgePair(const FieldType& from, const FieldType& to, std::string_view timezone,
                    bool cast) {
  if (from == to) return Exact();
  const Kind source = KindOf(from.dtype), target = KindOf(to.dtype);
  if (target == Kind::kText) {
    return source == Kind::kBinary ? NoMeaning(from, to) : Exact();
  }
  switch (source) {
    case Kind::kInteger:
      return FromInteger(from, to, cast);
    case Kind::kFloat:
      return FromFloat(from, to, cast);
    case Kind::kDecimal:
      return FromDecimal(from, to, cast);
    case Kind::kText:
      return FromText(from, to, cast);
    case Kind::kBool:
      if (target == Kind::kInteger) return OnRequest(cast, from, to, Exact());
      return NoMeaning(from, to);
    case Kind::kDate:
    case Kind::kTimestamp:
    case Kind::kTimestampTz:
      return FromTime(from, to, timezone);
    case Kind::kTime:
    case Kind::kBinary:
      return NoMeaning(from, to);
    case Kind::kJson:
    case Kind::kArray:
    case Kind::kObject:
      return FromNested(from, to, cast);
  }
  return NoMeaning(from, to);
}

bool HoldsFloats(const FieldType& type) {
  if (type.dtype == DType::kArray && type.element) return HoldsFloats(*type.element);
  return KindOf(type.dtype) == Kind::kFloat;
}

Judgement FromNested(const FieldType& from, const FieldType& to, bool cast) {
  const Kind source = KindOf(from.dtype), target = KindOf(to.dtype);
  const bool typed = source == Kind::kArray && from.element;
  if (target == Kind::kArray && to.element) {
    if (typed) {
      Judgement element = JudgePair(*from.element, *to.element, {}, cast);
      if (!element.reason.empty()) element.reason = "in its elements, " + element.reason;
      return element;
    }
    if (source == Kind::kObject) return NoMeaning(from, to);
    return OnRequest(cast, from, to,
                     Checked("each element must be a value of " + ToString(*to.element)));
  }
  if (target == Kind::kJson || (target == Kind::kArray && source == Kind::kArray)) {
    if (typed && HoldsFloats(from))
      return Checked("elements must not be NaN or infinite");
    return Exact();
  }
  if (source == Kind::kJson && target == Kind::kArray) {
    return OnRequest(cast, from, to, Checked("values must be JSON arrays"));
  }
  if (source == Kind::kJson && target == Kind::kObject) {
    return OnRequest(cast, from, to, Checked("values must be JSON objects"));
  }
  return NoMeaning(from, to);
}

Exactness Report(Judgement judgement, std::string* reason) {
  if (reason) *reason = std::move(judgement.reason);
  return judgement.exactness;
}

/// The longest text that a value of `type` has; 0 = no bound.
int64_t LongestText(const FieldType& type) {
  switch (KindOf(type.dtype)) {
    case Kind::kInteger:
      return Digits(type.dtype) + !IsUnsigned(type.dtype);
    case Kind::kFloat:
      return type.dtype == DType::kFloat32 ? 15 : 24;
    case Kind::kDecimal:
      if (type.precision == 0) return 0;
      return std::max(type.precision, type.scale + 1) + 2 + std::max(0, -type.scale);
    case Kind::kBool:
      return 5;
    case Kind::kDate:
      return 14;
    case Kind::kTime:
      return 15;
    case Kind::kTimestamp:
      return 29;
    case Kind::kTimestampTz:
      return 35;
    default:
      return 0;
  }
}

uint32_t TextTests(const FieldType& from, const ValueDomain& domain) {
  const Kind source = KindOf(from.dtype);
  uint32_t tests = 0;
  const bool any_text = source == Kind::kText || source == Kind::kJson ||
                        source == Kind::kObject || source == Kind::kArray;
  if (any_text) tests |= kTestUtf8;
  // Valid JSON holds no raw U+0000.
  if (source == Kind::kText && !domain.nul) tests |= kTestNul;
  if (domain.max_characters > 0 || domain.max_bytes > 0) {
    int64_t limit = std::numeric_limits<int64_t>::max();
    if (domain.max_characters > 0) limit = std::min(limit, domain.max_characters);
    if (domain.max_bytes > 0) limit = std::min(limit, domain.max_bytes);
    const int64_t longest = LongestText(from);
    if (longest == 0 || longest > limit) tests |= kTestLength;
  }
  return tests;
}

uint32_t DecimalTests(const FieldType& from, const ValueDomain& domain) {
  if (domain.deliver.precision > 0) return 0;
  const Kind source = KindOf(from.dtype);
  uint32_t tests = 0;
  const bool undeclared = source == Kind::kDecimal && from.precision == 0;
  if ((undeclared || source == Kind::kFloat) && (!domain.nan || !domain.infinity)) {
    tests |= kTestSpecialFloat;
  }
  int32_t whole = std::numeric_limits<int32_t>::max(), fraction = whole;
  if (source == Kind::kInteger) {
    whole = Digits(from.dtype);
    fraction = 0;
  } else if (source == Kind::kDecimal && from.precision > 0) {
    whole = std::max(from.precision - from.scale, 0);
    fraction = std::max(from.scale, 0);
  }
  if (domain.max_integer_digits > 0 && whole > domain.max_integer_digits)
    tests |= kTestRange;
  if (domain.max_fraction_digits > 0 && fraction > domain.max_fraction_digits) {
    tests |= kTestFraction;
  }
  return tests;
}

/// Fraction digits that values of a type can have.
int FractionDigits(const FieldType& type) {
  switch (KindOf(type.dtype)) {
    case Kind::kDate:
      return 0;
    case Kind::kTime:
      return 6;
    case Kind::kTimestamp:
    case Kind::kTimestampTz:
      return type.nanoseconds ? 9 : 6;
    default:
      return 9;
  }
}

uint32_t TimeTests(const FieldType& from, const ValueDomain& domain) {
  const Kind source = KindOf(from.dtype), target = KindOf(domain.deliver.dtype);
  uint32_t tests = 0;
  if (target == Kind::kTime) {
    if (!domain.end_of_day) tests |= kTestRange;
    if (domain.fraction_digits < 6) tests |= kTestFraction;
    return tests;
  }
  if (!domain.infinite_time) tests |= kTestInfinity;
  // What the integers can say at all: days of date32, of micro- and of nanoseconds.
  int64_t days = std::numeric_limits<int32_t>::max();
  if (target != Kind::kDate) days = domain.deliver.nanoseconds ? 106751 : 106751991;
  if (source == Kind::kTimestamp || source == Kind::kTimestampTz) {
    days = std::min<int64_t>(days, from.nanoseconds ? 106752 : 106751992);
  }
  if (domain.first_day > -days || domain.last_day < days) tests |= kTestRange;
  const int digits = std::min(FractionDigits(from), FractionDigits(domain.deliver));
  if (target != Kind::kDate && domain.fraction_digits < digits) tests |= kTestFraction;
  return tests;
}

std::string SpecialFloatTest(const ValueDomain& domain) {
  std::string text = domain.infinity ? "NaN does not fit"
                     : domain.nan    ? "infinity does not fit"
                                     : "NaN and infinity do not fit";
  const bool floats = KindOf(domain.deliver.dtype) == Kind::kFloat;
  if (floats && !domain.signed_zero) text += ", -0.0 is kept as 0.0";
  return text;
}

/// Half a sentence on what the tests hold values to.
std::string DescribeTests(uint32_t tests, const ValueDomain& domain) {
  std::string text;
  const auto add = [&](uint32_t test, const std::string& what) {
    if (tests & test) text += (text.empty() ? "" : ", ") + what;
  };
  add(kTestNul, "text must not hold U+0000");
  if (tests & kTestSpecialFloat) text = SpecialFloatTest(domain);
  add(kTestInfinity, "infinite times do not fit");
  add(kTestRange, "values must lie in the target's range");
  add(kTestFraction,
      KindOf(domain.deliver.dtype) == Kind::kDecimal
          ? "values must have at most " + std::to_string(domain.max_fraction_digits) +
                " fraction digits"
          : "seconds must have at most " + std::to_string(domain.fraction_digits) +
                " fraction digits");
  if (domain.max_characters > 0) {
    add(kTestLength,
        "at most " + std::to_string(domain.max_characters) + " characters fit");
  } else {
    add(kTestLength, "at most " + std::to_string(domain.max_bytes) + " bytes fit");
  }
  add(kTestJsonKeys, "JSON keys must be unique");
  add(kTestJsonNul, "JSON must not hold \\u0000");
  return text;
}

}  // namespace

std::string_view ExactnessName(Exactness exactness) {
  switch (exactness) {
    case Exactness::kExact:
      return "exact";
    case Exactness::kChecked:
      return "checked";
    case Exactness::kRefused:
      return "refused";
  }
  return "refused";
}

uint32_t DomainTests(const FieldType& from, const ValueDomain& domain) {
  const Kind source = KindOf(from.dtype);
  switch (KindOf(domain.deliver.dtype)) {
    case Kind::kText:
      return TextTests(from, domain);
    case Kind::kDecimal:
      return DecimalTests(from, domain);
    case Kind::kFloat:
      if (source == Kind::kInteger || (domain.nan && domain.infinity)) return 0;
      return uint32_t{kTestSpecialFloat};
    case Kind::kInteger: {
      if (domain.deliver.dtype != DType::kUint64) return 0;
      if (domain.max_unsigned == std::numeric_limits<uint64_t>::max()) return 0;
      const bool small = source == Kind::kInteger && Bits(from.dtype) < 64 &&
                         domain.max_unsigned >= (1ull << Bits(from.dtype)) - 1;
      const bool is_signed = source == Kind::kInteger && !IsUnsigned(from.dtype) &&
                             domain.max_unsigned >= std::numeric_limits<int64_t>::max();
      return small || is_signed ? 0u : uint32_t{kTestRange};
    }
    case Kind::kDate:
    case Kind::kTime:
    case Kind::kTimestamp:
    case Kind::kTimestampTz:
      return TimeTests(from, domain);
    case Kind::kBinary:
      return domain.max_bytes > 0 ? uint32_t{kTestLength} : 0u;
    case Kind::kJson:
    case Kind::kArray:
    case Kind::kObject: {
      if (domain.deliver.element) return 0;
      uint32_t tests = TextTests(from, domain) & (kTestUtf8 | kTestLength);
      // What dxt renders from a typed array has no keys, but may have strings.
      const bool typed = source == Kind::kArray && from.element;
      if (!domain.duplicate_json_keys && !typed) tests |= kTestJsonKeys;
      if (!domain.nul_in_json && (!typed || from.element->dtype == DType::kString)) {
        tests |= kTestJsonNul;
      }
      return tests;
    }
    case Kind::kBool:
      return 0;
  }
  return 0;
}

Exactness Classify(const Field& from, const TablePlan::Column& to,
                   std::string_view timezone, std::string* reason) {
  Judgement judgement = JudgePair(from.type, to.domain.deliver, timezone, false);
  if (judgement.exactness == Exactness::kRefused)
    return Report(std::move(judgement), reason);
  const uint32_t tests = DomainTests(from.type, to.domain) & ~kTestUtf8;
  if (tests != 0) {
    judgement.exactness = Exactness::kChecked;
    if (!judgement.reason.empty()) judgement.reason += ", ";
    judgement.reason += DescribeTests(tests, to.domain);
  }
  return Report(std::move(judgement), reason);
}

Exactness ClassifyCast(const Field& from, const FieldType& to, std::string_view timezone,
                       std::string* reason) {
  return Report(JudgePair(from.type, to, timezone, true), reason);
}

}  // namespace dxt
