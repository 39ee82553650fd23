#include "engine/run/key_set.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace dxt {
namespace {

using Texts = std::vector<std::optional<std::string>>;

std::shared_ptr<arrow::Array> TextArray(const Texts& texts) {
  arrow::StringBuilder builder;
  for (const auto& text : texts) {
    EXPECT_TRUE((text ? builder.Append(*text) : builder.AppendNull()).ok());
  }
  return builder.Finish().ValueOrDie();
}

std::shared_ptr<arrow::RecordBatch> Pairs(const Texts& a, const Texts& b) {
  return arrow::RecordBatch::Make(
      arrow::schema({arrow::field("a", arrow::utf8()), arrow::field("b", arrow::utf8())}),
      static_cast<int64_t>(a.size()), {TextArray(a), TextArray(b)});
}

std::string KeyOf(const arrow::RecordBatch& rows, int64_t row) {
  auto keys = RowKeys::Make(rows, {"a", "b"}).ValueOrDie();
  return std::string(keys.At(row));
}

TEST(RowKeys, AreEqualForEqualValuesOnly) {
  const auto rows =
      Pairs({"x", "xy", "x", std::nullopt, ""}, {"yz", "z", "yz", "yz", "yz"});
  EXPECT_EQ(KeyOf(*rows, 0), KeyOf(*rows, 2));
  EXPECT_NE(KeyOf(*rows, 0), KeyOf(*rows, 1)) << "the same text, cut elsewhere";
  EXPECT_NE(KeyOf(*rows, 3), KeyOf(*rows, 4)) << "NULL is not the empty text";
  EXPECT_EQ(KeyOf(*rows->Slice(2), 0), KeyOf(*rows, 0));
}

TEST(RowKeys, ReadNumbersWhereverTheirArrayBegins) {
  arrow::Int64Builder numbers;
  arrow::BooleanBuilder flags;
  ASSERT_TRUE(numbers.AppendValues({7, 8, 7, 8}).ok());
  ASSERT_TRUE(flags.AppendValues(std::vector<bool>{true, true, true, false}).ok());
  const auto rows = arrow::RecordBatch::Make(
      arrow::schema(
          {arrow::field("a", arrow::int64()), arrow::field("b", arrow::boolean())}),
      4, {numbers.Finish().ValueOrDie(), flags.Finish().ValueOrDie()});
  EXPECT_EQ(KeyOf(*rows, 0), KeyOf(*rows->Slice(2), 0));
  EXPECT_NE(KeyOf(*rows, 1), KeyOf(*rows->Slice(3), 0));
  EXPECT_EQ(GetErrorInfo(RowKeys::Make(*rows, {"c"}).status()).code, "key.missing");
}

TEST(KeySet, HoldsWhatWasAddedInLittleMemory) {
  KeySet keys;
  EXPECT_TRUE(keys.empty());
  EXPECT_FALSE(keys.Contains("0"));
  constexpr int kKeys = 100000;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < kKeys; ++i) keys.Add(std::to_string(i * 2));
  }
  for (int i = 0; i < kKeys; ++i) {
    ASSERT_TRUE(keys.Contains(std::to_string(i * 2)));
    ASSERT_FALSE(keys.Contains(std::to_string(i * 2 + 1)));
  }
  EXPECT_LT(keys.bytes(), kKeys * 50u);
}

}  // namespace
}  // namespace dxt
