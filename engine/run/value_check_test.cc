#include "engine/run/value_check.h"

#include <cmath>
#include <limits>

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/support/field_types.h"

namespace dxt {
namespace {

ValueDomain DomainOf(DType dtype) {
  ValueDomain domain;
  domain.deliver = Of(dtype);
  domain.infinite_time = true;
  return domain;
}

/// "ok", "unchecked", or the code and row of the first failure.
template <typename Builder, typename Value>
std::string Checked(const FieldType& from, const ValueDomain& domain, Builder builder,
                    const std::vector<Value>& values) {
  // A null row with bad content behind it must never fail.
  EXPECT_TRUE(builder.AppendNull().ok());
  for (const auto& value : values) EXPECT_TRUE(builder.Append(value).ok());
  const auto array = *builder.Finish();
  const ValueCheck check(Field{"c", from, true, {}}, domain);
  if (check.empty()) return "unchecked";
  int64_t row = -1;
  const auto status = check.Check(*array->Slice(1), &row);
  if (status.ok()) return "ok";
  EXPECT_EQ(GetErrorInfo(status).column, "c");
  EXPECT_EQ(GetErrorInfo(status).error_class, ErrorClass::kData);
  return GetErrorInfo(status).code + "@" + std::to_string(row);
}

std::string Text(const ValueDomain& domain, const std::vector<std::string>& values,
                 DType from = DType::kString) {
  return Checked(Of(from), domain, arrow::StringBuilder(), values);
}

TEST(ValueCheck, TextWithoutNul) {
  ValueDomain domain = DomainOf(DType::kString);
  domain.nul = false;
  EXPECT_EQ(Text(domain, {"a", "b"}), "ok");
  EXPECT_EQ(Text(domain, {"a", std::string("b\0", 2)}), "value.nul@1");
  domain.nul = true;
  EXPECT_EQ(Text(domain, {std::string("b\0", 2)}), "ok");
}

TEST(ValueCheck, TextMustBeUtf8RowByRow) {
  const ValueDomain domain = DomainOf(DType::kString);
  EXPECT_EQ(Text(domain, {"ä€😀", ""}), "ok");
  EXPECT_EQ(Text(domain, {"a", "\xff"}), "value.invalid_utf8@1");
  // Valid only when the rows are read together.
  EXPECT_EQ(Text(domain, {"\xc3", "\xa4"}), "value.invalid_utf8@0");
  EXPECT_EQ(Text(domain, {"\xed\xa0\x80"}), "value.invalid_utf8@0");
}

TEST(ValueCheck, FilesAreTrustedOnlyWithTextThatAlwaysFits) {
  ValueDomain domain = DomainOf(DType::kString);
  const Field text{"c", Of(DType::kString), true, {}};
  EXPECT_FALSE(ValueCheck(text, domain).empty());
  EXPECT_TRUE(ValueCheck(text, domain).trusts_files());
  domain.nul = false;
  EXPECT_FALSE(ValueCheck(text, domain).trusts_files());
}

TEST(ValueCheck, LengthCountsCharactersOrBytes) {
  ValueDomain domain = DomainOf(DType::kString);
  domain.max_characters = 3;
  EXPECT_EQ(Text(domain, {"äöü", "abc"}), "ok");
  EXPECT_EQ(Text(domain, {"abc", "abcd"}), "value.too_long@1");
  EXPECT_EQ(Text(domain, {"äöüß"}), "value.too_long@0");
  domain.max_characters = 0;
  domain.max_bytes = 3;
  EXPECT_EQ(Text(domain, {"äö"}), "value.too_long@0");
}

TEST(ValueCheck, NumbersShorterThanTheColumnCostNothing) {
  ValueDomain domain = DomainOf(DType::kString);
  domain.nul = false;
  domain.max_characters = 20;
  const Field integer{"c", Of(DType::kInt64), true, {}};
  EXPECT_TRUE(ValueCheck(integer, domain).empty());
  domain.max_characters = 19;
  EXPECT_FALSE(ValueCheck(integer, domain).empty());
}

TEST(ValueCheck, JsonKeysAndNulEscapes) {
  ValueDomain domain = DomainOf(DType::kJson);
  domain.duplicate_json_keys = false;
  domain.nul_in_json = false;
  const auto json = [&](const std::string& text) {
    return Text(domain, {text}, DType::kJson);
  };
  EXPECT_EQ(json(R"({"a":1,"b":{"a":2},"c":[{"a":1},{"a":2}]})"), "ok");
  EXPECT_EQ(json(R"({"a":1,"b":2,"a":3})"), "value.duplicate_json_key@0");
  EXPECT_EQ(json(R"([{"x":{"a":1,"\u0061":2}}])"), "value.duplicate_json_key@0");
  EXPECT_EQ(json(R"("a\u0000b")"), "value.nul@0");
  EXPECT_EQ(json(R"("a\\u0000b")"), "ok");
  EXPECT_EQ(json("{"), "value.invalid_text@0");
}

TEST(ValueCheck, SpecialFloats) {
  ValueDomain domain = DomainOf(DType::kFloat64);
  domain.nan = false;
  const auto from = Of(DType::kFloat64);
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const std::vector<double> finite = {1.5, -0.0}, nan = {0, std::nan("")},
                            infinite = {kInfinity};
  EXPECT_EQ(Checked(from, domain, arrow::DoubleBuilder(), finite), "ok");
  EXPECT_EQ(Checked(from, domain, arrow::DoubleBuilder(), nan), "value.special_float@1");
  EXPECT_EQ(Checked(from, domain, arrow::DoubleBuilder(), infinite), "ok");
  domain.infinity = false;
  EXPECT_EQ(Checked(from, domain, arrow::DoubleBuilder(), infinite),
            "value.special_float@0");
  EXPECT_EQ(Checked(from, DomainOf(DType::kFloat64), arrow::DoubleBuilder(), nan),
            "unchecked");
}

TEST(ValueCheck, UnsignedMaximum) {
  ValueDomain domain = DomainOf(DType::kUint64);
  domain.max_unsigned = std::numeric_limits<int64_t>::max();
  const auto from = Of(DType::kUint64);
  EXPECT_EQ(Checked(from, domain, arrow::UInt64Builder(),
                    std::vector<uint64_t>{9223372036854775807u}),
            "ok");
  EXPECT_EQ(Checked(from, domain, arrow::UInt64Builder(),
                    std::vector<uint64_t>{0, 9223372036854775808u}),
            "value.out_of_range@1");
  EXPECT_TRUE(ValueCheck(Field{"c", Of(DType::kUint32), true, {}}, domain).empty());
}

TEST(ValueCheck, UndeclaredDecimals) {
  ValueDomain domain = DomainOf(DType::kDecimal);
  domain.max_integer_digits = 3;
  domain.max_fraction_digits = 2;
  domain.nan = domain.infinity = false;
  const auto decimal = [&](const std::string& text) {
    return Text(domain, {text}, DType::kDecimal);
  };
  EXPECT_EQ(decimal("999.99"), "ok");
  EXPECT_EQ(decimal("-000999.9900"), "ok");
  EXPECT_EQ(decimal("1000"), "value.out_of_range@0");
  EXPECT_EQ(decimal("0.001"), "value.inexact@0");
  EXPECT_EQ(decimal("1e2"), "ok");
  EXPECT_EQ(decimal("NaN"), "value.special_float@0");
  EXPECT_EQ(decimal("-Infinity"), "value.special_float@0");
}

TEST(ValueCheck, DaysOutsideTheTargetsCalendar) {
  ValueDomain domain = DomainOf(DType::kDate);
  domain.first_day = -719528;  // 0000-01-01
  domain.last_day = 2932896;   // 9999-12-31
  const auto from = Of(DType::kDate);
  const auto date = [&](int32_t day) {
    return Checked(from, domain, arrow::Date32Builder(), std::vector<int32_t>{day});
  };
  EXPECT_EQ(date(2932896), "ok");
  EXPECT_EQ(date(2932897), "value.out_of_range@0");
  EXPECT_EQ(date(-719529), "value.out_of_range@0");
  domain.infinite_time = false;
  EXPECT_EQ(date(std::numeric_limits<int32_t>::max()), "value.infinity@0");
}

TEST(ValueCheck, InfiniteTimesAreOutsideOfEveryRangeButTheirOwnRule) {
  ValueDomain domain = DomainOf(DType::kTimestamp);
  domain.first_day = -1000;
  domain.last_day = 1000;
  const auto from = Of(DType::kTimestamp);
  const auto timestamp = [&](int64_t value) {
    return Checked(from, domain,
                   arrow::TimestampBuilder(arrow::timestamp(arrow::TimeUnit::MICRO),
                                           arrow::default_memory_pool()),
                   std::vector<int64_t>{value});
  };
  EXPECT_EQ(timestamp(std::numeric_limits<int64_t>::min()), "ok");
  EXPECT_EQ(timestamp(86400000000 * 1001 - 1), "ok");
  EXPECT_EQ(timestamp(86400000000 * 1001), "value.out_of_range@0");
  EXPECT_EQ(timestamp(-86400000000 * 1000 - 1), "value.out_of_range@0");
  domain.infinite_time = false;
  EXPECT_EQ(timestamp(std::numeric_limits<int64_t>::min()), "value.infinity@0");
}

TEST(ValueCheck, FractionsOfASecond) {
  ValueDomain domain = DomainOf(DType::kTimestamp);
  domain.fraction_digits = 3;
  const auto from = Of(DType::kTimestamp);
  const auto timestamp = [&](int64_t value) {
    return Checked(from, domain,
                   arrow::TimestampBuilder(arrow::timestamp(arrow::TimeUnit::MICRO),
                                           arrow::default_memory_pool()),
                   std::vector<int64_t>{value});
  };
  EXPECT_EQ(timestamp(-1000), "ok");
  EXPECT_EQ(timestamp(1001), "value.inexact@0");
}

TEST(ValueCheck, TheEndOfTheDay) {
  ValueDomain domain = DomainOf(DType::kTime);
  domain.end_of_day = false;
  const auto time = [&](int64_t value) {
    return Checked(Of(DType::kTime), domain,
                   arrow::Time64Builder(arrow::time64(arrow::TimeUnit::MICRO),
                                        arrow::default_memory_pool()),
                   std::vector<int64_t>{value});
  };
  EXPECT_EQ(time(86399999999), "ok");
  EXPECT_EQ(time(86400000000), "value.out_of_range@0");
}

TEST(ValueCheck, NullRowsAreNeverTested) {
  ValueDomain domain = DomainOf(DType::kTimestamp);
  domain.infinite_time = false;
  auto array = arrow::MakeArray(arrow::ArrayData::Make(
      arrow::timestamp(arrow::TimeUnit::MICRO), 2,
      {arrow::Buffer::FromString(std::string(1, '\x01')),
       arrow::Buffer::FromString(std::string(8, '\0') + std::string(7, '\xff') +
                                 "\x7f")}));
  EXPECT_TRUE(
      ValueCheck(Field{"c", Of(DType::kTimestamp), true, {}}, domain).Check(*array).ok());
}

TEST(ValueCheck, MessagesCutLongValuesAtACharacter) {
  ValueDomain domain = DomainOf(DType::kString);
  domain.max_characters = 1;
  arrow::StringBuilder builder;
  std::string text = "x";
  for (int i = 0; i < 500; ++i) text += "ä";
  ASSERT_TRUE(builder.Append(text).ok());
  const auto status = ValueCheck(Field{"c", Of(DType::kString), true, {}}, domain)
                          .Check(**builder.Finish());
  EXPECT_LT(status.message().size(), 200u);
  EXPECT_NE(status.message().find("ä…"), std::string::npos) << status.message();
}

}  // namespace
}  // namespace dxt
