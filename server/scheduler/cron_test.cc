#include "server/scheduler/cron.h"

#include <fstream>
#include <sstream>

#include <absl/time/time.h>
#include <gtest/gtest.h>

#include "base/digest.h"
#include "base/error.h"

namespace dxt {
namespace {

using Time = CronSchedule::Time;

Time At(const std::string& text) {
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, text, &time, &error)) << error;
  return absl::ToChronoTime(time);
}

std::string Text(Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromChrono(time),
                          absl::UTCTimeZone());
}

CronSchedule Cron(const std::string& expression, const std::string& zone = "",
                  const std::string& anchor = "2026-01-01T00:00:00Z") {
  auto cron = CronSchedule::Parse(expression, zone, At(anchor));
  EXPECT_TRUE(cron.ok()) << cron.status();
  return *cron;
}

std::vector<std::string> Ticks(const CronSchedule& cron, const std::string& start,
                               const std::string& end) {
  std::vector<std::string> texts;
  for (const Time tick : cron.Between(At(start), At(end), 1000)) {
    texts.push_back(Text(tick));
  }
  return texts;
}

using Texts = std::vector<std::string>;

TEST(Cron, AgreesWithAWalkOverEveryMinuteOfAYear) {
  std::ifstream file(DXT_SOURCE_DIR "/server/scheduler/cron_oracle.txt");
  int cases = 0;
  for (std::string line; std::getline(file, line); ++cases) {
    std::istringstream parts(line);
    std::string expression, zone, year, count, digest;
    std::getline(parts, expression, '|');
    std::getline(parts, zone, '|');
    std::getline(parts, year, '|');
    std::getline(parts, count, '|');
    std::getline(parts, digest, '|');
    const auto cron = Cron(expression, zone);
    const Time start = At(year + "-01-01T00:00:00Z") - std::chrono::milliseconds(1);
    const Time end = At(std::to_string(std::stoi(year) + 1) + "-01-01T00:00:00Z");
    const auto ticks = cron.Between(start, end, 1000000);
    std::string seconds;
    for (const Time tick : ticks) {
      if (!seconds.empty()) seconds += '\n';
      seconds += std::to_string(absl::ToUnixSeconds(absl::FromChrono(tick)));
    }
    EXPECT_EQ(ticks.size(), std::stoul(count)) << line;
    EXPECT_EQ(Sha256Hex(seconds), digest)
        << "cron_oracle.py '" << expression << "' " << zone << " " << year;
  }
  EXPECT_GT(cases, 100);
}

TEST(Cron, ASkippedLocalTimeFiresOnceAtTheEndOfTheGap) {
  const auto cron = Cron("15,30 2 * * *", "Europe/Berlin");
  EXPECT_EQ(
      Ticks(cron, "2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z"),
      (Texts{"2026-03-29T01:00:00Z", "2026-03-30T00:15:00Z", "2026-03-30T00:30:00Z"}));
}

TEST(Cron, ARepeatedLocalTimeFiresOnceAtTheFirst) {
  const auto cron = Cron("30 2 * * *", "Europe/Berlin");
  EXPECT_EQ(Ticks(cron, "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z"),
            (Texts{"2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}));
}

TEST(Cron, EitherDayIsEnoughWhenBothAreRestricted) {
  EXPECT_EQ(
      Ticks(Cron("0 0 13 * fri"), "2026-11-01T00:00:00Z", "2026-11-21T00:00:00Z"),
      (Texts{"2026-11-06T00:00:00Z", "2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z"}));
  EXPECT_EQ(Ticks(Cron("0 0 13 * 5"), "2026-12-12T00:00:00Z", "2026-12-19T00:00:00Z"),
            (Texts{"2026-12-13T00:00:00Z", "2026-12-18T00:00:00Z"}));
  // A field that begins with * restricts together with the other one.
  EXPECT_EQ(Ticks(Cron("0 0 */2 * mon"), "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
            (Texts{"2026-11-09T00:00:00Z", "2026-11-23T00:00:00Z"}));
}

TEST(Cron, NamesAndSundayInBothForms) {
  for (const char* sunday : {"0", "7", "sun", "SUN", "sun-sun"}) {
    EXPECT_EQ(
        Text(Cron(std::string("0 6 * nov ") + sunday).Next(At("2026-11-21T00:00:00Z"))),
        "2026-11-22T06:00:00Z")
        << sunday;
  }
  EXPECT_EQ(
      Ticks(Cron("0 0 * * fri-sun"), "2026-11-16T00:00:00Z", "2026-11-24T00:00:00Z"),
      (Texts{"2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"}));
}

TEST(Cron, NamedForms) {
  const Time now = At("2026-11-21T14:05:00Z");
  EXPECT_EQ(Text(Cron("@hourly").Next(now)), "2026-11-21T15:00:00Z");
  EXPECT_EQ(Text(Cron("@daily").Next(now)), "2026-11-22T00:00:00Z");
  EXPECT_EQ(Text(Cron("@weekly").Next(now)), "2026-11-22T00:00:00Z");
  EXPECT_EQ(Text(Cron("@monthly").Next(now)), "2026-12-01T00:00:00Z");
  EXPECT_EQ(Text(Cron("@yearly").Next(now)), "2027-01-01T00:00:00Z");
  EXPECT_EQ(Text(Cron("@daily", "America/New_York").Next(now)), "2026-11-22T05:00:00Z");
}

TEST(Cron, AnIntervalCountsFromItsAnchor) {
  const auto cron = Cron("@every 90s", "", "2026-01-01T00:00:10Z");
  EXPECT_EQ(
      Ticks(cron, "2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z"),
      (Texts{"2026-01-01T00:01:40Z", "2026-01-01T00:03:10Z", "2026-01-01T00:04:40Z"}));
  EXPECT_EQ(Text(cron.Next(At("2026-01-01T00:01:40Z"))), "2026-01-01T00:03:10Z");
  EXPECT_EQ(Text(Cron("@every 1h30m").Next(At("2026-01-01T01:29:59Z"))),
            "2026-01-01T01:30:00Z");
}

TEST(Cron, TheLastTickBeforeATime) {
  const auto cron = Cron("30 2 * * *", "Europe/Berlin");
  const Time since = At("2020-01-01T00:00:00Z");
  EXPECT_EQ(Text(*cron.Last(At("2026-10-25T12:00:00Z"), since)), "2026-10-25T00:30:00Z");
  EXPECT_EQ(Text(*cron.Last(At("2026-10-25T00:30:00Z"), since)), "2026-10-25T00:30:00Z");
  EXPECT_EQ(Text(*cron.Last(At("2026-10-25T00:29:59Z"), since)), "2026-10-24T00:30:00Z");
  EXPECT_FALSE(cron.Last(At("2026-10-25T00:29:59Z"), At("2026-10-24T00:30:00Z")));
}

TEST(Cron, RareDatesAreFoundAndImpossibleOnesRefused) {
  EXPECT_EQ(Text(Cron("0 0 29 2 *").Next(At("2097-01-01T00:00:00Z"))),
            "2104-02-29T00:00:00Z");
  // Begins with *, so 29 February must be a Sunday as well.
  EXPECT_EQ(Text(Cron("0 0 29 2 */7").Next(At("2026-01-01T00:00:00Z"))),
            "2032-02-29T00:00:00Z");
  for (const char* never : {"0 0 30 2 *", "0 0 31 2,4,6,9,11 *", "0 0 30-31 feb */2"}) {
    const auto status = CronSchedule::Parse(never, "", {}).status();
    EXPECT_EQ(GetErrorInfo(status).code, "schedule.cron") << never;
    EXPECT_NE(status.message().find("never fires"), std::string::npos) << status;
  }
  EXPECT_EQ(Text(Cron("0 0 30 2 mon").Next(At("2026-02-01T00:00:00Z"))),
            "2026-02-02T00:00:00Z");
}

TEST(Cron, ErrorsNameTheFieldAndWhatItTakes) {
  const std::pair<const char*, const char*> bad[] = {{"60 * * * *", "minute"},
                                                     {"* 24 * * *", "hour"},
                                                     {"* * 0 * *", "day of month"},
                                                     {"* * 32 * *", "day of month"},
                                                     {"* * * 13 *", "month"},
                                                     {"* * * foo *", "month"},
                                                     {"* * * * 8", "day of week"},
                                                     {"* * * * L", "day of week"},
                                                     {"*/0 * * * *", "minute"},
                                                     {"5-1 * * * *", "minute"},
                                                     {"1,,2 * * * *", "minute"},
                                                     {"5/10 * * * *", "5-59/10"},
                                                     {"1-2-3 * * * *", "minute"},
                                                     {"*/2/3 * * * *", "minute"},
                                                     {"-1 * * * *", "minute"},
                                                     {"99999999999 * * * *", "minute"},
                                                     {"* * * * 5#2", "day of week"},
                                                     {"* * ? * *", "day of month"},
                                                     {"* * * *", "4 fields"},
                                                     {"0 * * * * *", "6 fields"},
                                                     {"", "0 fields"},
                                                     {"@reboot", "@reboot"},
                                                     {"@every", "@every"},
                                                     {"@every 0s", "0s"},
                                                     {"@every 5", "5"},
                                                     {"@every 5x", "5x"},
                                                     {"@every 99999999999h", "9999"},
                                                     {"@every -5m", "-5m"},
                                                     {"@every 1h 30m", "@every"}};
  for (const auto& [expression, named] : bad) {
    const auto status = CronSchedule::Parse(expression, "", {}).status();
    ASSERT_FALSE(status.ok()) << expression;
    EXPECT_EQ(GetErrorInfo(status).code, "schedule.cron") << expression;
    EXPECT_NE(status.message().find(named), std::string::npos) << status;
    EXPECT_FALSE(GetErrorInfo(status).hint.empty()) << expression;
  }
}

TEST(Cron, UnknownTimeZonesAreRefused) {
  for (const char* zone : {"Europe/Berlim", "../../etc/passwd", "/etc/localtime",
                           "localtime", "file:UTC", " ", "europe/berlin2"}) {
    const auto status = CronSchedule::Parse("@daily", zone, {}).status();
    EXPECT_EQ(GetErrorInfo(status).code, "schedule.timezone") << zone;
  }
  EXPECT_TRUE(CronSchedule::Parse("@daily", "Etc/GMT+5", {}).ok());
}

}  // namespace
}  // namespace dxt
