#pragma once
#include <bitset>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

namespace dxt {

/// When a schedule fires: five cron fields in a time zone, or an interval. Immutable, so
/// safe from any thread.
///
/// Fields: minute, hour, day of month, month, day of week (0 and 7 are Sunday), each with
/// lists, ranges, steps, and names of months and days. When both kinds of day are
/// restricted, either one is enough (a field that begins with `*` is not restricted).
/// Also
/// @hourly, @daily, @weekly, @monthly, @yearly, and `@every 1h30m`, which counts from the
/// anchor. A local time that daylight saving skips fires at the first instant after the
/// gap, one that it repeats fires once, at the first.
class CronSchedule {
 public:
  using Time = std::chrono::system_clock::time_point;

  /// `timezone` is an IANA name; "" = UTC. kConfig "schedule.cron" names the field and
  /// what it may hold, "schedule.timezone" an unknown zone. A date that never comes
  /// (30 February) is refused here.
  static arrow::Result<CronSchedule> Parse(std::string_view expression,
                                           std::string_view timezone, Time anchor);

  /// The first tick after `after`. Never fails: what Parse let through has one.
  Time Next(Time after) const;
  /// The last tick at or before `at`, if there is one after `since`.
  std::optional<Time> Last(Time at, Time since) const;
  /// The ticks after `start` and before `end`, at most `limit`.
  std::vector<Time> Between(Time start, Time end, size_t limit) const;

  /// IANA name; "UTC" where none was given.
  std::string timezone() const;
  /// How far the clocks of that zone are ahead of UTC then.
  std::chrono::seconds UtcOffset(Time at) const;

 private:
  struct Zone;
  struct Fields {
    std::bitset<60> minute;
    std::bitset<24> hour;
    std::bitset<32> day;
    std::bitset<13> month;
    std::bitset<7> weekday;
    bool any_day_enough = false;  ///< Both kinds of day are restricted.
  };
  CronSchedule() = default;
  bool MatchesDate(int year, int month, int day) const;
  Time NextCron(Time after) const;

  Fields fields_;
  std::chrono::milliseconds every_{0};  ///< 0 = the fields count.
  Time anchor_;
  std::shared_ptr<const Zone> zone_;

  friend class CronParser;
};

}  // namespace dxt
