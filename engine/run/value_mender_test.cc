#include "engine/run/value_mender.h"

#include <limits>

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "engine/plan/convert.h"
#include "engine/run/value_check.h"
#include "tests/support/field_types.h"

namespace dxt {
namespace {

ValuePolicies Policies(std::initializer_list<std::pair<ValueKind, const char*>> set) {
  ValuePolicies policies;
  for (const auto& [kind, policy] : set) {
    EXPECT_TRUE(policies.Set(ValueKinds()[static_cast<size_t>(kind)], policy));
  }
  return policies;
}

/// A column on its way into a target column, as a load converts and checks it.
class Column {
 public:
  Column(FieldType from, ValueDomain domain, const ValuePolicies& policies)
      : field_{"c", std::move(from), true, {}},
        conversion_(
            Conversion::Make(field_, domain.deliver, {.timezone = "UTC"}).ValueOrDie()),
        check_(field_, domain),
        mender_(policies, field_, domain) {}

  arrow::Result<std::shared_ptr<arrow::Array>> Load(
      const std::shared_ptr<arrow::Array>& array) {
    const auto step = [&](const std::shared_ptr<arrow::Array>& values,
                          int64_t* row) -> arrow::Result<std::shared_ptr<arrow::Array>> {
      rows_ += values->length();
      ARROW_ASSIGN_OR_RAISE(auto converted, conversion_->Apply(values, row));
      ARROW_RETURN_NOT_OK(check_.Check(*converted, row));
      return converted;
    };
    return mender_.Apply(array, step, &bad_row_, &changes_);
  }

  int64_t bad_row() const { return bad_row_; }
  /// Rows of all steps together.
  int64_t rows() const { return rows_; }
  const ValueChanges& changes() const { return changes_; }

 private:
  Field field_;
  std::unique_ptr<Conversion> conversion_;
  ValueCheck check_;
  ValueMender mender_;
  ValueChanges changes_;
  int64_t bad_row_ = -1;
  int64_t rows_ = 0;
};

std::shared_ptr<arrow::Array> Texts(const std::vector<std::string>& texts) {
  arrow::StringBuilder builder;
  for (const auto& text : texts) EXPECT_TRUE(builder.Append(text).ok());
  EXPECT_TRUE(builder.AppendNull().ok());
  return builder.Finish().ValueOrDie();
}

std::string Shown(const arrow::Result<std::shared_ptr<arrow::Array>>& made) {
  if (!made.ok()) return GetErrorInfo(made.status()).code;
  EXPECT_TRUE((*made)->ValidateFull().ok());
  std::string shown;
  for (int64_t row = 0; row < (*made)->length(); ++row) {
    shown += (row ? "," : "") + (*made)->GetScalar(row).ValueOrDie()->ToString();
  }
  return shown;
}

std::string Counts(const ValueChanges& changes) {
  std::string counts;
  for (const auto& entry : changes.Entries()) {
    counts += (counts.empty() ? "" : ", ") + std::string(ValueKindName(entry.kind)) +
              " " + std::string(ValuePolicyName(entry.policy)) + " " +
              std::to_string(entry.values);
  }
  return counts;
}

TEST(ValueMender, WithoutAPolicyTheStepFailsAsItDid) {
  Column column(Of(DType::kString), {.deliver = Of(DType::kInt32)},
                Policies({{ValueKind::kInexact, "null"}}));
  EXPECT_EQ(Shown(column.Load(Texts({"1", "3000000000"}))), "value.out_of_range");
  EXPECT_EQ(column.bad_row(), 1);
  EXPECT_TRUE(column.changes().empty());
}

TEST(ValueMender, AColumnThatFitsIsConvertedOnce) {
  Column column(Of(DType::kString), {.deliver = Of(DType::kInt32)},
                Policies({{ValueKind::kOutOfRange, "null"}}));
  EXPECT_EQ(Shown(column.Load(Texts({"1", "2"}))), "1,2,null");
  EXPECT_EQ(column.rows(), 3);
}

TEST(ValueMender, ClampsNumbersToTheEndOfTheirTypeTheyAreBeyond) {
  Column column(Of(DType::kString), {.deliver = Of(DType::kInt32)},
                Policies({{ValueKind::kOutOfRange, "clamp"}}));
  EXPECT_EQ(Shown(column.Load(Texts({"-3000000000", "7", "3000000000"}))),
            "-2147483648,7,2147483647,null");
  EXPECT_EQ(Counts(column.changes()), "out_of_range clamp 2");
}

TEST(ValueMender, ClampsDatesToTheFirstAndTheLastDayOfTheTarget) {
  ValueDomain domain{.deliver = Of(DType::kDate)};
  domain.first_day = -10;
  domain.last_day = 20;
  Column column(
      Of(DType::kDate), domain,
      Policies({{ValueKind::kOutOfRange, "clamp"}, {ValueKind::kInfinity, "clamp"}}));
  arrow::Date32Builder builder;
  for (const int day :
       {-11, 5, 21, std::numeric_limits<int>::max(), std::numeric_limits<int>::min()}) {
    EXPECT_TRUE(builder.Append(day).ok());
  }
  const auto made = column.Load(builder.Finish().ValueOrDie());
  ASSERT_TRUE(made.ok()) << made.status();
  const auto& days = static_cast<const arrow::Date32Array&>(**made);
  const std::vector<int> expected = {-10, 5, 20, 20, -10};
  for (int row = 0; row < 5; ++row) EXPECT_EQ(days.Value(row), expected[row]) << row;
}

TEST(ValueMender, ClampsTimestampsToTheLastStepOfTheLastDay) {
  ValueDomain domain{.deliver = Of(DType::kTimestamp)};
  domain.last_day = 0;
  domain.fraction_digits = 3;
  Column column(Of(DType::kTimestamp), domain,
                Policies({{ValueKind::kOutOfRange, "clamp"}}));
  arrow::TimestampBuilder builder(arrow::timestamp(arrow::TimeUnit::MICRO),
                                  arrow::default_memory_pool());
  EXPECT_TRUE(builder.Append(86400000000).ok());
  const auto made = column.Load(builder.Finish().ValueOrDie());
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(static_cast<const arrow::TimestampArray&>(**made).Value(0), 86399999000);
}

TEST(ValueMender, ClampsUndeclaredDecimalsToTheMostDigits) {
  ValueDomain domain{.deliver = Of(DType::kDecimal)};
  domain.max_integer_digits = 3;
  domain.max_fraction_digits = 2;
  Column column(Of(DType::kDecimal), domain,
                Policies({{ValueKind::kOutOfRange, "clamp"}}));
  EXPECT_EQ(Shown(column.Load(Texts({"1000", "-1234.5", "12.25"}))),
            "999.99,-999.99,12.25,null");
}

TEST(ValueMender, StripsWhatIsNotText) {
  ValueDomain domain{.deliver = Of(DType::kString)};
  domain.nul = false;
  Column column(
      Of(DType::kString), domain,
      Policies({{ValueKind::kNul, "strip"}, {ValueKind::kInvalidUtf8, "strip"}}));
  EXPECT_EQ(Shown(column.Load(Texts({std::string("a\0b", 3), "ä\xff\xc3",
                                     std::string("\xf0\x9f\x98\x80\0\xe2\x82", 7)}))),
            "ab,ä,😀,null");
  EXPECT_EQ(Counts(column.changes()), "nul strip 2, invalid_utf8 strip 1");
}

TEST(ValueMender, StripsTheEscapeOfNulFromJsonAndNothingThatLooksLikeIt) {
  ValueDomain domain{.deliver = Of(DType::kJson)};
  domain.nul_in_json = false;
  Column column(Of(DType::kJson), domain, Policies({{ValueKind::kNul, "strip"}}));
  EXPECT_EQ(Shown(column.Load(Texts({R"({"a":"x\u0000y\\u0000"})", R"(["\\\u0000"])"}))),
            R"({"a":"xy\\u0000"},["\\"],null)");
}

TEST(ValueMender, CutsTextBetweenCharacters) {
  ValueDomain domain{.deliver = Of(DType::kString)};
  domain.max_characters = 2;
  domain.max_bytes = 3;
  Column column(Of(DType::kString), domain, Policies({{ValueKind::kTooLong, "clamp"}}));
  EXPECT_EQ(Shown(column.Load(Texts({"abc", "aäb", "ää", "äb"}))), "ab,aä,ä,äb,null");
}

TEST(ValueMender, AValueMayNeedMoreThanOneMending) {
  ValueDomain domain{.deliver = Of(DType::kString)};
  domain.nul = false;
  domain.max_characters = 2;
  Column column(Of(DType::kString), domain,
                Policies({{ValueKind::kNul, "strip"}, {ValueKind::kTooLong, "clamp"}}));
  EXPECT_EQ(Shown(column.Load(Texts({std::string("a\0bcd", 5)}))), "ab,null");
}

TEST(ValueMender, AQuarantinedValueBehindMendedOnesFailsWithItsRow) {
  Column column(
      Of(DType::kDecimal), {.deliver = Of(DType::kInt32)},
      Policies({{ValueKind::kOutOfRange, "null"}, {ValueKind::kInexact, "quarantine"}}));
  EXPECT_EQ(Shown(column.Load(Texts({"3000000000", "1", "1.5"}))), "value.inexact");
  EXPECT_EQ(column.bad_row(), 2);
}

TEST(ValueMender, ABatchFullOfBadValuesIsNotLookedThroughForEachOfThem) {
  Column column(Of(DType::kString), {.deliver = Of(DType::kInt32)},
                Policies({{ValueKind::kOutOfRange, "null"}}));
  const auto made = column.Load(Texts(std::vector<std::string>(3000, "3000000000")));
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ((*made)->null_count(), 3001);
  EXPECT_LT(column.rows(), 1000000);  // Each from its row to the end: 4,500,000.
  EXPECT_EQ(Counts(column.changes()), "out_of_range null 3000");
}

TEST(ValuePolicies, OnlyWhatMeansSomethingMayBeChosen) {
  ValuePolicies policies;
  EXPECT_FALSE(policies.Set(ValueKinds()[0], "clamp"));
  EXPECT_TRUE(policies.Set(ValueKinds()[0], "strip"));
  EXPECT_FALSE(
      policies.Set(ValueKinds()[static_cast<size_t>(ValueKind::kInexact)], "strip"));
  for (const auto& kind : ValueKinds()) {
    EXPECT_EQ(ValueKindOf("value." + std::string(kind.name)), kind.kind);
    EXPECT_EQ(ValueKindName(kind.kind), kind.name);
  }
  EXPECT_EQ(ValueKindOf("value.null"), std::nullopt);
}

}  // namespace
}  // namespace dxt
