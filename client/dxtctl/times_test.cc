#include "client/dxtctl/times.h"

#include <google/protobuf/util/time_util.h>
#include <gtest/gtest.h>

namespace dxt::ctl {
namespace {

using google::protobuf::util::TimeUtil;

TEST(TimesTest, DurationsAreSumsOfNumbersWithUnits) {
  EXPECT_EQ(*ParseDuration("90s", "--x"), 90);
  EXPECT_EQ(*ParseDuration("1h30m", "--x"), 5400);
  EXPECT_EQ(*ParseDuration("7d", "--x"), 7 * 86400);
  for (const char* text : {"", "5", "m", "-5s", "1.5h", "5 m", "99999999999d", "5w"}) {
    EXPECT_FALSE(ParseDuration(text, "--x").ok()) << text;
  }
}

TEST(TimesTest, MomentsAreDatesTimesOrHowLongAgo) {
  EXPECT_EQ(*ParseMoment("2026-11-21", "--x"), "2026-11-21T00:00:00Z");
  EXPECT_EQ(*ParseMoment("2026-11-21T10:00:00+01:00", "--x"), "2026-11-21T09:00:00Z");
  EXPECT_LE(*ParseMoment("1h", "--x"), TimeUtil::ToString(TimeUtil::GetCurrentTime()));
  for (const char* text : {"", "yesterday", "2026-13-01", "2026-11-21T10:00:00"}) {
    EXPECT_FALSE(ParseMoment(text, "--x").ok()) << text;
  }
}

TEST(TimesTest, TablesShowHowLongAgo) {
  const auto now = TimeUtil::GetCurrentTime();
  const auto at = [&](int64_t seconds) {
    return TimeText(now + TimeUtil::SecondsToDuration(seconds), TimeFormat::kRelative);
  };
  EXPECT_EQ(at(-300), "5m ago");
  EXPECT_EQ(at(-5400), "1h30m ago");
  EXPECT_EQ(at(-3 * 86400), "3d ago");
  EXPECT_EQ(at(7200 + 30), "in 2h");
  EXPECT_EQ(TimeText({}, TimeFormat::kRelative), "-");
}

TEST(TimesTest, ClocksShowTheirOffset) {
  const auto time = TimeUtil::SecondsToTimestamp(1774746000);  // 2026-03-29T01:00:00Z
  EXPECT_EQ(ClockText(time, 7200), "2026-03-29 03:00:00 +02:00");
  EXPECT_EQ(ClockText(time, 0), "2026-03-29 01:00:00 +00:00");
  EXPECT_EQ(ClockText(time, -12600), "2026-03-28 21:30:00 -03:30");
}

TEST(TimesTest, DurationsAreShortToRead) {
  EXPECT_EQ(DurationText(2.34), "2.3s");
  EXPECT_EQ(DurationText(312), "5m12s");
  EXPECT_EQ(DurationText(3 * 3600 + 420), "3h07m");
  EXPECT_EQ(DurationText(2 * 86400 + 4 * 3600), "2d4h");
}

}  // namespace
}  // namespace dxt::ctl
