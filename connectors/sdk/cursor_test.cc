#include "connectors/sdk/cursor.h"

#include <limits>

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/support/field_types.h"

namespace dxt {
namespace {

template <typename Builder, typename Value>
std::shared_ptr<arrow::Array> One(Builder builder, Value value) {
  EXPECT_TRUE(builder.Append(value).ok());
  return *builder.Finish();
}

std::string Text(const std::shared_ptr<arrow::Array>& array, const FieldType& type) {
  const auto text = CursorText(*array, 0, type);
  return text.ok() ? *text : GetErrorInfo(text.status()).code;
}

auto Timestamps(arrow::TimeUnit::type unit, const std::string& zone, int64_t value) {
  return One(
      arrow::TimestampBuilder(arrow::timestamp(unit, zone), arrow::default_memory_pool()),
      value);
}

TEST(CursorText, WritesIntegersToTheirExtremes) {
  EXPECT_EQ(Text(One(arrow::Int64Builder(), std::numeric_limits<int64_t>::min()),
                 Of(DType::kInt64)),
            "-9223372036854775808");
  EXPECT_EQ(Text(One(arrow::UInt64Builder(), std::numeric_limits<uint64_t>::max()),
                 Of(DType::kUint64)),
            "18446744073709551615");
  EXPECT_EQ(Text(One(arrow::Int8Builder(), int8_t{-128}), Of(DType::kInt8)), "-128");
}

TEST(CursorText, WritesDecimalsWithAllTheirDigits) {
  EXPECT_EQ(
      Text(One(arrow::Decimal128Builder(arrow::decimal128(10, 2)), arrow::Decimal128(-5)),
           Of(DType::kDecimal, 10, 2)),
      "-0.05");
  EXPECT_EQ(Text(One(arrow::Decimal128Builder(arrow::decimal128(38, 0)),
                     arrow::Decimal128("99999999999999999999999999999999999999")),
                 Of(DType::kDecimal, 38, 0)),
            "99999999999999999999999999999999999999");
  EXPECT_EQ(Text(One(arrow::Decimal256Builder(arrow::decimal256(76, 38)),
                     arrow::Decimal256("-1234567890123456789012345678901234567890")),
                 Of(DType::kDecimal, 76, 38)),
            "-12.34567890123456789012345678901234567890");
  EXPECT_EQ(Text(One(arrow::StringBuilder(), "00012.500"), Of(DType::kDecimal, 0, 0)),
            "12.500");
  EXPECT_EQ(Text(One(arrow::StringBuilder(), "1e3"), Of(DType::kDecimal, 0, 0)), "1000");
}

TEST(CursorText, WritesTimestampsInTheirUnit) {
  EXPECT_EQ(Text(Timestamps(arrow::TimeUnit::MICRO, "", 1), Of(DType::kTimestamp)),
            "1970-01-01 00:00:00.000001");
  EXPECT_EQ(Text(Timestamps(arrow::TimeUnit::NANO, "UTC", -1), Nano(DType::kTimestampTz)),
            "1969-12-31 23:59:59.999999999+00:00");
}

TEST(CursorText, WritesYearsOutsideFourDigits) {
  EXPECT_EQ(Text(Timestamps(arrow::TimeUnit::MICRO, "", 253402300800000000),
                 Of(DType::kTimestamp)),
            "10000-01-01 00:00:00.000000");
  EXPECT_EQ(Text(One(arrow::Date32Builder(), -719529), Of(DType::kDate)), "-0001-12-31");
}

TEST(CursorText, RefusesInfinity) {
  EXPECT_EQ(
      Text(Timestamps(arrow::TimeUnit::MICRO, "UTC", std::numeric_limits<int64_t>::max()),
           Of(DType::kTimestampTz)),
      "cursor.infinite");
  EXPECT_EQ(Text(One(arrow::Date32Builder(), std::numeric_limits<int32_t>::min()),
                 Of(DType::kDate)),
            "cursor.infinite");
  EXPECT_EQ(Text(One(arrow::StringBuilder(), "NaN"), Of(DType::kDecimal, 0, 0)),
            "cursor.infinite");
}

TEST(CursorText, RefusesTypesWithoutAnOrderToResumeFrom) {
  EXPECT_EQ(Text(One(arrow::DoubleBuilder(), 1.0), Of(DType::kFloat64)), "cursor.type");
  EXPECT_EQ(Text(One(arrow::StringBuilder(), "{}"), Of(DType::kJson)), "cursor.type");
  EXPECT_EQ(Text(One(arrow::Int32Builder(), 1), Of(DType::kInt64)), "cursor.wrong_array");
}

std::string Canonical(std::string_view text, const FieldType& type) {
  const auto canonical = CanonicalCursor(text, type);
  return canonical.ok() ? *canonical : GetErrorInfo(canonical.status()).code;
}

TEST(CanonicalCursor, ReadsWhatPeopleWrite) {
  EXPECT_EQ(Canonical("2024-02-29", Of(DType::kTimestamp)), "2024-02-29 00:00:00.000000");
  EXPECT_EQ(Canonical("2024-02-29T12:30", Of(DType::kTimestamp)),
            "2024-02-29 12:30:00.000000");
  EXPECT_EQ(Canonical("2024-03-01T01:30:00+02:00", Of(DType::kTimestampTz)),
            "2024-02-29 23:30:00.000000+00:00");
  EXPECT_EQ(Canonical("2024-03-01 01:30:00.5Z", Nano(DType::kTimestampTz)),
            "2024-03-01 01:30:00.500000000+00:00");
  EXPECT_EQ(Canonical("2024-03-01 01:30:00-0330", Of(DType::kTimestampTz)),
            "2024-03-01 05:00:00.000000+00:00");
  EXPECT_EQ(Canonical("+007", Of(DType::kInt32)), "7");
  EXPECT_EQ(Canonical("-0.50", Of(DType::kDecimal, 5, 2)), "-0.50");
  EXPECT_EQ(Canonical("two words", Of(DType::kString)), "two words");
}

TEST(CanonicalCursor, ReadsItsOwnText) {
  for (const char* text :
       {"-0044-03-15 00:00:00.000000", "12345-01-01 23:59:59.999999"}) {
    EXPECT_EQ(Canonical(text, Of(DType::kTimestamp)), text);
  }
}

TEST(CanonicalCursor, RefusesWhatIsNoValueOfTheType) {
  for (const char* text :
       {"2023-02-29", "yesterday", "2024-1-1", "2024-01-01 25:00", "2024-01-01 00:00:00Z",
        "infinity", "", "2024-01-01 00:00:00.1234567"}) {
    EXPECT_EQ(Canonical(text, Of(DType::kTimestamp)), "cursor.invalid") << text;
  }
  EXPECT_EQ(Canonical("128", Of(DType::kInt8)), "cursor.invalid");
  EXPECT_EQ(Canonical("-1", Of(DType::kUint64)), "cursor.invalid");
  EXPECT_EQ(Canonical("1.0", Of(DType::kInt64)), "cursor.invalid");
  EXPECT_EQ(Canonical("NaN", Of(DType::kDecimal, 0, 0)), "cursor.invalid");
  EXPECT_EQ(Canonical("1", Of(DType::kBool)), "cursor.invalid");
}

TEST(CursorBelow, GoesBackByUnitsDaysAndMicroseconds) {
  const auto below = [](std::string_view text, int64_t amount, DType dtype) {
    const auto cursor = CursorBelow(text, amount, Of(dtype));
    return cursor.ok() ? *cursor : GetErrorInfo(cursor.status()).code;
  };
  EXPECT_EQ(below("20", 5, DType::kInt64), "15");
  EXPECT_EQ(below("-3", 5, DType::kInt32), "-8");
  EXPECT_EQ(below("-100", 100, DType::kInt8), "-128");
  EXPECT_EQ(below("3", 5, DType::kUint16), "0");
  EXPECT_EQ(below("18446744073709551615", 1, DType::kUint64), "18446744073709551614");
  EXPECT_EQ(below("2026-03-01", 1, DType::kDate), "2026-02-28");
  EXPECT_EQ(below("2026-01-01 00:00:00.500000", 1000000, DType::kTimestamp),
            "2025-12-31 23:59:59.500000");
  EXPECT_EQ(below("2026-01-01 00:00:00.000000+00:00", 1, DType::kTimestampTz),
            "2025-12-31 23:59:59.999999+00:00");
  EXPECT_EQ(below("a", 1, DType::kString), "cursor.no_distance");
}

TEST(CompareCursors, OrdersNumbersByValue) {
  const FieldType decimal = Of(DType::kDecimal, 0, 0);
  EXPECT_LT(CompareCursors("9", "10", Of(DType::kInt64)), 0);
  EXPECT_GT(CompareCursors("-9", "-10", Of(DType::kInt64)), 0);
  EXPECT_EQ(CompareCursors("1.50", "1.5", decimal), 0);
  EXPECT_LT(CompareCursors("0.09", "0.1", decimal), 0);
  EXPECT_LT(CompareCursors("-1", "0", decimal), 0);
  EXPECT_EQ(CompareCursors("-0", "0.00", decimal), 0);
  EXPECT_GT(CompareCursors("0.001", "-5", decimal), 0);
  const std::string big = "1" + std::string(100, '0');
  EXPECT_LT(CompareCursors(big, big + ".1", decimal), 0);
}

TEST(CompareCursors, OrdersTimesAcrossYearZeroAndYear9999) {
  const FieldType type = Of(DType::kTimestamp);
  EXPECT_LT(
      CompareCursors("9999-12-31 23:59:59.999999", "10000-01-01 00:00:00.000000", type),
      0);
  EXPECT_LT(
      CompareCursors("-0044-03-15 00:00:00.000000", "-0043-03-15 00:00:00.000000", type),
      0);
  EXPECT_LT(CompareCursors("-0001-01-01", "0001-01-01", Of(DType::kDate)), 0);
}

TEST(CompareCursors, OrdersStringsByBytes) {
  EXPECT_LT(CompareCursors("B", "a", Of(DType::kString)), 0);
  EXPECT_LT(CompareCursors("z", "ä", Of(DType::kString)), 0);
}

}  // namespace
}  // namespace dxt
