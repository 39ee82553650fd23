#include "base/time_text.h"

#include <gtest/gtest.h>

#include "base/clock.h"

namespace dxt {
namespace {

TEST(ParseUtcTime, ReadsWhatFormatTimeWrites) {
  for (const int64_t millis : {0LL, 1795251600001LL, 951782399999LL, 4102444800000LL}) {
    const std::chrono::system_clock::time_point time{std::chrono::milliseconds(millis)};
    EXPECT_EQ(ParseUtcTime(FormatTime(time)), time) << millis;
  }
}

TEST(ParseUtcTime, TakesAnyFractionAndNothingElse) {
  EXPECT_EQ(FormatTime(*ParseUtcTime("2026-11-21T09:00:00Z")),
            "2026-11-21T09:00:00.000Z");
  EXPECT_EQ(FormatTime(*ParseUtcTime("2026-11-21T09:00:00.5Z")),
            "2026-11-21T09:00:00.500Z");
  EXPECT_EQ(FormatTime(*ParseUtcTime("2026-11-21T09:00:00.123456Z")),
            "2026-11-21T09:00:00.123Z");
  for (const char* bad :
       {"", "2026-11-21", "2026-11-21T09:00:00", "2026-11-21T09:00:00.Z",
        "2026-11-21T09:00:00+01:00", "2026-11-21T09:00:00Zx"}) {
    EXPECT_FALSE(ParseUtcTime(bad)) << bad;
  }
}

}  // namespace
}  // namespace dxt
