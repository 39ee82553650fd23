#include "connectors/sdk/value_text.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace dxt {
namespace {

template <typename Write>
std::string Written(Write write) {
  std::string text;
  write(&text);
  return text;
}

TEST(ValueText, FloatsReadBackAsThemselves) {
  for (const double value : {0.1, -0.0, 1e308, 5e-324, 1.0 / 3, 123456789012345680.0}) {
    const auto text = Written([&](std::string* out) { AppendFloat(value, out); });
    EXPECT_EQ(ParseFloat64(text), value) << text;
  }
  EXPECT_EQ(Written([](std::string* out) { AppendFloat(0.1f, out); }), "0.1");
  EXPECT_EQ(Written([](std::string* out) {
              AppendFloat(-std::numeric_limits<double>::infinity(), out);
            }),
            "-Infinity");
  EXPECT_TRUE(std::isnan(*ParseFloat64("NaN")));
}

TEST(ValueText, RefusesTextThatIsNoFloat) {
  for (const char* text :
       {"", "1.5x", "0x10", "1e999", "nan(1)", " 1", "1 ", "--1", "+-1"}) {
    EXPECT_FALSE(ParseFloat64(text)) << text;
  }
  EXPECT_FALSE(ParseFloat32("1e39"));
}

TEST(ValueText, EveryDayReadsBack) {
  for (int32_t days = -800000; days < 3000000; days += 97) {
    const auto text = Written([&](std::string* out) { AppendDate(days, out); });
    ASSERT_EQ(ParseDate(text), days) << text;
  }
  for (const int32_t days :
       {std::numeric_limits<int32_t>::max(), std::numeric_limits<int32_t>::max() - 1,
        std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::min() + 1}) {
    const auto text = Written([&](std::string* out) { AppendDate(days, out); });
    EXPECT_EQ(ParseDate(text), days) << text;
  }
}

TEST(ValueText, EveryTimestampReadsBack) {
  for (const int64_t value :
       {std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::min() + 1,
        std::numeric_limits<int64_t>::max() - 1, std::numeric_limits<int64_t>::max(),
        int64_t{-1}, int64_t{0}, int64_t{951782400000000}}) {
    for (const bool nanoseconds : {false, true}) {
      for (const bool utc : {false, true}) {
        const auto text = Written(
            [&](std::string* out) { AppendTimestamp(value, nanoseconds, utc, out); });
        EXPECT_EQ(ParseTimestamp(text, nanoseconds,
                                 utc ? OffsetRule::kOptional : OffsetRule::kForbidden),
                  value)
            << text;
      }
    }
  }
}

TEST(ValueText, TimestampsBeyondTheRangeAreRefused) {
  EXPECT_FALSE(ParseTimestamp("2263-01-01", true, OffsetRule::kForbidden));
  EXPECT_TRUE(ParseTimestamp("2263-01-01", false, OffsetRule::kForbidden));
  EXPECT_FALSE(ParseTimestamp("99999999-01-01", false, OffsetRule::kForbidden));
  EXPECT_FALSE(ParseTimestamp("2024-01-01 24:00:01", false, OffsetRule::kForbidden));
}

TEST(ValueText, TimesKeepTheEndOfTheDay) {
  EXPECT_EQ(Written([](std::string* out) { AppendTime(86400000000, out); }),
            "24:00:00.000000");
  EXPECT_EQ(ParseTime("24:00:00"), 86400000000);
  EXPECT_EQ(ParseTime("23:59:59.999999"), 86399999999);
  EXPECT_FALSE(ParseTime("24:00:00.000001"));
  EXPECT_FALSE(ParseTime("23:59:60"));
  EXPECT_FALSE(ParseTime("1:00"));
}

TEST(ValueText, DecimalsOfFourWords) {
  // -(2^255), the smallest integer of 256 bits.
  const uint64_t lowest[4] = {0, 0, 0, 1ull << 63};
  EXPECT_EQ(
      Written([&](std::string* out) { AppendDecimal(lowest, 4, 0, out); }),
      "-57896044618658097711785492504343953926634992332820282019728792003956564819968");
  const uint64_t round[2] = {1000000000000000000u, 0};
  EXPECT_EQ(Written([&](std::string* out) { AppendDecimal(round, 2, 18, out); }),
            "1.000000000000000000");
  const uint64_t zero[2] = {0, 0};
  EXPECT_EQ(Written([&](std::string* out) { AppendDecimal(zero, 2, 2, out); }), "0.00");
  EXPECT_EQ(Written([&](std::string* out) { AppendDecimal(round, 2, -2, out); }),
            "100000000000000000000");
}

TEST(ValueText, DecimalTextIsTakenApart) {
  const auto number = ParseDecimalText("-0012.340e-1");
  ASSERT_TRUE(number);
  EXPECT_TRUE(number->negative);
  EXPECT_EQ(number->digits, "12340");
  EXPECT_EQ(number->scale, 4);
  for (const char* text : {"", ".", "-", "1e", "1e99999", "1.2.3", "NaN", "1 "}) {
    EXPECT_FALSE(ParseDecimalText(text)) << text;
  }
}

TEST(ValueText, Base64ReadsBackAndHasOneTextEach) {
  for (const std::string bytes : {"", "f", "fo", "foo", "foob", "\xff\xfe\xfd"}) {
    const auto text = Written([&](std::string* out) { AppendBase64(bytes, out); });
    EXPECT_EQ(ParseBase64(text), bytes);
  }
  for (const char* text : {"Zg=", "Zh==", "Z===", "Zg==Zg==", "Zm9v\n", "Zm9="}) {
    EXPECT_FALSE(ParseBase64(text)) << text;
  }
}

TEST(ValueText, JsonStringsEscapeControlsAndRefuseBrokenUtf8) {
  EXPECT_EQ(Written([](std::string* out) {
              EXPECT_TRUE(AppendJsonString(std::string_view("a\"\\\n\0ä", 7), out));
            }),
            "\"a\\\"\\\\\\n\\u0000ä\"");
  std::string kept = "x";
  EXPECT_FALSE(AppendJsonString("\xff", &kept));
  EXPECT_EQ(kept, "x");
}

}  // namespace
}  // namespace dxt
