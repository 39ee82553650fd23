#include "base/percent.h"

#include <gtest/gtest.h>

namespace dxt {
namespace {

TEST(PercentDecoded, TurnsTwoDigitsIntoTheByteTheyName) {
  EXPECT_EQ(PercentDecoded("p%40ss%2Fw%2frd"), "p@ss/w/rd");
  EXPECT_EQ(PercentDecoded("caf%C3%A9"), "café");
  EXPECT_EQ(PercentDecoded("%00").size(), 1u);
}

TEST(PercentDecoded, LeavesASignWithoutTwoDigits) {
  EXPECT_EQ(PercentDecoded("100%"), "100%");
  EXPECT_EQ(PercentDecoded("%4"), "%4");
  EXPECT_EQ(PercentDecoded("%zz%-1%+1"), "%zz%-1%+1");
  EXPECT_EQ(PercentDecoded("%%41"), "%A");
}

}  // namespace
}  // namespace dxt
