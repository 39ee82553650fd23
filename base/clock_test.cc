#include "base/clock.h"

#include <gtest/gtest.h>

namespace dxt {
namespace {

std::string Formatted(int64_t millis) {
  return FormatTime(
      std::chrono::system_clock::time_point(std::chrono::milliseconds(millis)));
}

TEST(FormatTime, IsRfc3339WithMilliseconds) {
  EXPECT_EQ(Formatted(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(Formatted(1795251600001), "2026-11-21T09:00:00.001Z");
  EXPECT_EQ(Formatted(951782399999), "2000-02-28T23:59:59.999Z");
}

TEST(FormatTime, CountsBackwardsBeforeTheEpoch) {
  EXPECT_EQ(Formatted(-1), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(Formatted(-1000), "1969-12-31T23:59:59.000Z");
}

TEST(SystemClock, AStopEndsAWait) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(SystemClock().WaitUntil(SystemClock().Tick() + std::chrono::hours(1),
                                       stop.get_token()));
  EXPECT_TRUE(SystemClock().WaitUntil(SystemClock().Tick(), {}));
}

}  // namespace
}  // namespace dxt
