#include "engine/run/filter.h"

#include <arrow/array.h>
#include <arrow/json/from_string.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/support/field_types.h"

namespace dxt {
namespace {

/// One column `x` of `type`, its rows written as JSON; the rows that pass, as JSON too.
class FilterTest : public testing::Test {
 protected:
  static ReadSpec Spec(const FieldType& type) {
    ReadSpec spec;
    ColumnRead column;
    column.name = "id_of_x";
    column.column = "x";
    column.type = type;
    spec.columns = {column};
    return spec;
  }

  static std::string Passing(const ReadSpec& spec, const std::string& rows) {
    const auto type = ArrowType(spec.columns[0].type);
    const auto array = arrow::json::ArrayFromJSONString(type, rows);
    EXPECT_TRUE(array.ok()) << array.status();
    const auto batch = arrow::RecordBatch::Make(
        arrow::schema({arrow::field("id_of_x", type)}), (*array)->length(), {*array});
    const auto filter = RowFilter::Make(spec);
    if (!filter.ok()) return GetErrorInfo(filter.status()).code;
    const auto kept = (*filter)->Apply(batch);
    EXPECT_TRUE(kept.ok()) << kept.status();
    std::string text;
    for (int64_t row = 0; row < (*kept)->num_rows(); ++row) {
      text += (*(*kept)->column(0)->GetScalar(row))->ToString() + " ";
    }
    return text;
  }

  static std::string Filtered(const FieldType& type, FilterOp op,
                              std::vector<std::string> values, const std::string& rows) {
    ReadSpec spec = Spec(type);
    spec.filters = {{"x", op, std::move(values), type}};
    return Passing(spec, rows);
  }
};

TEST_F(FilterTest, EveryOperatorOnIntegersDropsNull) {
  const auto type = Of(DType::kInt32);
  const std::string rows = "[1, 2, 3, null]";
  EXPECT_EQ(Filtered(type, FilterOp::kEq, {"2"}, rows), "2 ");
  EXPECT_EQ(Filtered(type, FilterOp::kNe, {"2"}, rows), "1 3 ");
  EXPECT_EQ(Filtered(type, FilterOp::kGt, {"2"}, rows), "3 ");
  EXPECT_EQ(Filtered(type, FilterOp::kGte, {"2"}, rows), "2 3 ");
  EXPECT_EQ(Filtered(type, FilterOp::kLt, {"2"}, rows), "1 ");
  EXPECT_EQ(Filtered(type, FilterOp::kLte, {"2"}, rows), "1 2 ");
  EXPECT_EQ(Filtered(type, FilterOp::kIn, {"1", "3"}, rows), "1 3 ");
  EXPECT_EQ(Filtered(type, FilterOp::kNotIn, {"1", "3"}, rows), "2 ");
}

TEST_F(FilterTest, IntegerBoundsMayLieOutsideTheType) {
  EXPECT_EQ(Filtered(Of(DType::kInt8), FilterOp::kLt, {"1000"}, "[1, 127]"), "1 127 ");
  EXPECT_EQ(
      Filtered(Of(DType::kUint64), FilterOp::kGt, {"-1"}, "[0, 18446744073709551615]"),
      "0 18446744073709551615 ");
}

TEST_F(FilterTest, DecimalsCompareExactly) {
  const auto type = Of(DType::kDecimal, 38, 10);
  EXPECT_EQ(Filtered(type, FilterOp::kGt, {"0.1"}, R"(["0.1000000000", "0.1000000001"])"),
            "0.1000000001 ");
  EXPECT_EQ(
      Filtered(Of(DType::kDecimal), FilterOp::kGte, {"10"}, R"(["9.99", "10.0", "NaN"])"),
      "10.0 ");
}

TEST_F(FilterTest, TextComparesByBytes) {
  EXPECT_EQ(Filtered(Of(DType::kString), FilterOp::kLt, {"a"}, R"(["B", "a", "ä", ""])"),
            "B  ");
}

TEST_F(FilterTest, TimesAreReadInTheirOwnForm) {
  EXPECT_EQ(Filtered(Of(DType::kDate), FilterOp::kGte, {"2024-01-01"}, "[19722, 19723]"),
            "2024-01-01 ");
  EXPECT_EQ(Filtered(Of(DType::kTimestampTz), FilterOp::kEq,
                     {"1970-01-01T01:00:00+01:00"}, "[0, 1]"),
            "1970-01-01 00:00:00.000000Z ");
}

TEST_F(FilterTest, ABoundThatIsNoValueOfTheTypeIsRefused) {
  EXPECT_EQ(Filtered(Of(DType::kInt32), FilterOp::kEq, {"1.5"}, "[1]"), "filter.invalid");
  EXPECT_EQ(Filtered(Of(DType::kDate), FilterOp::kEq, {"today"}, "[1]"),
            "filter.invalid");
  EXPECT_EQ(Filtered(Of(DType::kBinary), FilterOp::kEq, {"x"}, "[]"), "filter.invalid");
}

TEST_F(FilterTest, AColumnThatIsNotReadIsRefusedAndListed) {
  ReadSpec spec = Spec(Of(DType::kInt32));
  spec.filters = {{"y", FilterOp::kEq, {"1"}, Of(DType::kInt32)}};
  EXPECT_EQ(Passing(spec, "[1]"), "filter.column_missing");
  EXPECT_EQ(RowFilter::RequiredColumns(spec), std::vector<std::string>{"y"});
}

class CursorFilterTest : public FilterTest {
 protected:
  static std::string Ranged(std::optional<std::string> lower, bool inclusive,
                            std::optional<std::string> upper, bool include_null) {
    ReadSpec spec = Spec(Of(DType::kInt64));
    CursorRange cursor;
    cursor.name = "id_of_x";
    cursor.column = "x";
    cursor.type = spec.columns[0].type;
    cursor.lower = std::move(lower);
    cursor.lower_inclusive = inclusive;
    cursor.upper = std::move(upper);
    cursor.include_null = include_null;
    spec.cursor = cursor;
    return Passing(spec, "[1, null, 2, 3]");
  }
};

TEST_F(CursorFilterTest, TheLowerBoundIsExclusiveUnlessSaid) {
  EXPECT_EQ(Ranged("2", false, std::nullopt, false), "3 ");
  EXPECT_EQ(Ranged("2", true, std::nullopt, false), "2 3 ");
}

TEST_F(CursorFilterTest, TheUpperBoundIsExclusive) {
  EXPECT_EQ(Ranged(std::nullopt, false, "3", false), "1 2 ");
  EXPECT_EQ(Ranged("1", false, "3", true), "null 2 ");
}

TEST_F(CursorFilterTest, NullFollowsItsOwnPolicy) {
  EXPECT_EQ(Ranged(std::nullopt, false, std::nullopt, false), "1 2 3 ");
  EXPECT_EQ(Ranged(std::nullopt, false, std::nullopt, true), "1 null 2 3 ");
  EXPECT_EQ(Ranged("9", false, std::nullopt, true), "null ");
}

TEST_F(FilterTest, NothingToFilterHandsBackTheSameBatch) {
  const auto filter = *RowFilter::Make(Spec(Of(DType::kInt32)));
  EXPECT_TRUE(filter->empty());
}

TEST_F(FilterTest, FiltersAndCursorApplyTogether) {
  ReadSpec spec = Spec(Of(DType::kInt32));
  spec.filters = {{"x", FilterOp::kNe, {"3"}, Of(DType::kInt32)}};
  CursorRange cursor;
  cursor.name = "id_of_x";
  cursor.lower = "1";
  cursor.include_null = true;
  spec.cursor = cursor;
  EXPECT_EQ(Passing(spec, "[1, null, 2, 3]"), "2 ");
}

}  // namespace
}  // namespace dxt
