#pragma once
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include <arrow/result.h>

#include "state/state_store.h"

namespace dxt {

class Clock;
class CronSchedule;
class Dispatcher;
class Log;

/// What is wrong with a schedule's own fields, pipeline and store apart. kConfig:
/// "schedule.cron", "schedule.timezone", "schedule.invalid".
arrow::Status CheckSchedule(const ScheduleRecord& schedule);

/// When a schedule is due first after `now`, jitter included: its `next_at` when it is
/// made, changed or resumed.
arrow::Result<std::string> FirstDue(const ScheduleRecord& schedule,
                                    std::chrono::system_clock::time_point now);

/// Turns the ticks of stored schedules into runs. Sleeps until the next one is due or a
/// schedule changes. Whatever crashes or jumps, the store fires a tick at most once; and
/// when the clock was set back, the ticks that are to come (again) are put back in place.
class ScheduleLoop {
 public:
  using Time = std::chrono::system_clock::time_point;
  /// Runs that `misfire: all` makes at most for one gap: those of the newest ticks.
  static constexpr size_t kMostCaughtUp = 100;

  /// `log` may be null; all must outlive the loop.
  ScheduleLoop(StateStore& store, Dispatcher& dispatcher, Clock& clock, Log* log)
      : store_(store), dispatcher_(dispatcher), clock_(clock), log_(log) {}
  ~ScheduleLoop() { Stop(); }
  ScheduleLoop(const ScheduleLoop&) = delete;
  ScheduleLoop& operator=(const ScheduleLoop&) = delete;

  void Start();
  /// No tick fires after it returned.
  void Stop();
  /// A schedule was made, changed or removed. Call it after the store has it.
  void Changed();

  /// Fires all that is due now, and returns when something is due next. What the thread
  /// does each time it wakes; for tests that own time.
  arrow::Result<std::optional<Time>> FireDue();

 private:
  arrow::Status FireOne(const ScheduleRecord& schedule, Time now);
  /// One tick, after which the schedule is due for `next`. An empty outcome = decide.
  arrow::Status Tick(const ScheduleRecord& schedule, const CronSchedule& cron, Time tick,
                     Time next, std::string outcome = {}, std::string reason = {});
  arrow::Status MoveTo(const ScheduleRecord& schedule, Time due);
  /// Undoes what a clock that was ahead did to the schedules' due times.
  arrow::Status PutBack(Time now);
  void Warn(const ScheduleRecord& schedule, const arrow::Status& status);
  void Work(std::stop_token stop);

  StateStore& store_;
  Dispatcher& dispatcher_;
  Clock& clock_;
  Log* const log_;
  std::mutex firing_;  ///< One FireDue at a time.
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool dirty_ = false;
  std::optional<Time> last_look_;
  std::jthread thread_;
};

}  // namespace dxt
