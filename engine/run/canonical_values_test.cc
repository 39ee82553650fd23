#include "engine/run/canonical_values.h"

#include <cmath>
#include <limits>

#include <arrow/api.h>
#include <gtest/gtest.h>

namespace dxt {
namespace {

TEST(CanonicalNumberTest, OneTextForOneNumber) {
  for (const auto text : {"12.5", "12.50", "0012.5", "+12.5", "1.25e1", "125E-1"}) {
    EXPECT_EQ(CanonicalNumber(text), "125e-1") << text;
  }
  for (const auto text : {"0", "-0", "0.000", "0e99", "-.0"}) {
    EXPECT_EQ(CanonicalNumber(text), "0") << text;
  }
  EXPECT_EQ(CanonicalNumber("-1200"), "-12e2");
}

TEST(CanonicalNumberTest, OtherNumbersHaveOtherTexts) {
  EXPECT_NE(CanonicalNumber("9007199254740993"), CanonicalNumber("9007199254740992"));
  EXPECT_NE(CanonicalNumber("0.1"), CanonicalNumber("0.10000000000000000000000001"));
  EXPECT_NE(CanonicalNumber("1"), CanonicalNumber("-1"));
  EXPECT_NE(CanonicalNumber("10"), CanonicalNumber("100"));
}

TEST(CanonicalNumberTest, WhatIsNoNumberStays) {
  for (const auto text : {"NaN", "Infinity", "", ".", "-", "1.2.3", "1e", "1e1.5", "0x10",
                          "1e999999999999999999"}) {
    EXPECT_EQ(CanonicalNumber(text), text);
  }
}

TEST(CanonicalJsonTest, SpacesOrderAndNumbersDoNotCount) {
  const auto same = CanonicalJson(R"({"a": 1, "b": [true, null, "x"]})");
  EXPECT_EQ(CanonicalJson(R"({"b":[true,null,"x"],"a":1.0})"), same);
  EXPECT_EQ(CanonicalJson(R"({"a":7,"b":[true,null,"\u0078"],"a":1})"), same);
  EXPECT_NE(CanonicalJson(R"({"a":1,"b":[null,true,"x"]})"), same);
  EXPECT_NE(CanonicalJson(R"({"a":"1","b":[true,null,"x"]})"), same);
  EXPECT_NE(CanonicalJson("123456789012345678901"),
            CanonicalJson("123456789012345678902"));
  EXPECT_NE(CanonicalJson(R"("n1e0")"), CanonicalJson("1"));
  EXPECT_EQ(CanonicalJson("{"), "{");
}

TEST(CanonicalValuesTest, FloatsHaveOneZeroAndOneNan) {
  arrow::DoubleBuilder builder;
  const double other_nan = -std::numeric_limits<double>::quiet_NaN();
  ASSERT_TRUE(builder.AppendValues({-0.0, other_nan, 1.5}).ok());
  ASSERT_TRUE(builder.AppendNull().ok());
  const auto values = CanonicalValues(*builder.Finish(), FieldType{DType::kFloat64});
  ASSERT_TRUE(values.ok());
  const auto& doubles = static_cast<const arrow::DoubleArray&>(**values);
  EXPECT_FALSE(std::signbit(doubles.Value(0)));
  EXPECT_FALSE(std::signbit(doubles.Value(1)));
  EXPECT_EQ(doubles.Value(2), 1.5);
  EXPECT_TRUE(doubles.IsNull(3));
}

}  // namespace
}  // namespace dxt
