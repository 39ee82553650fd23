#include "server/scheduler/schedule_loop.h"

#include <algorithm>

#include "base/clock.h"
#include "base/error.h"
#include "base/fnv1a.h"
#include "base/log.h"
#include "base/time_text.h"
#include "server/scheduler/cron.h"
#include "server/scheduler/dispatcher.h"

namespace dxt {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Time = ScheduleLoop::Time;

constexpr auto kRetry = seconds(5);
constexpr char kMisfired[] = "SKIPPED_MISFIRE";
constexpr char kRefused[] = "SKIPPED_REFUSED";
constexpr milliseconds kInstant{1};

/// So that a tick is delayed alike on every machine and after every restart.
uint64_t HashOf(const std::string& text) {
  uint64_t hash = Fnv1a(text);
  // Neighbouring texts differ in the low bits only.
  hash ^= hash >> 32;
  return hash * 0x9E3779B97F4A7C15ull >> 16;
}

/// A tick with its jitter. Always before the next tick, so that ticks keep their order.
Time DueOf(const ScheduleRecord& schedule, const CronSchedule& cron, Time tick) {
  if (schedule.jitter_seconds <= 0) return tick;
  const auto gap = std::chrono::duration_cast<milliseconds>(cron.Next(tick) - tick);
  const auto most =
      std::min<milliseconds>(seconds(schedule.jitter_seconds), gap - kInstant);
  const uint64_t hash =
      HashOf(schedule.project + "/" + schedule.name + "@" + FormatTime(tick));
  return tick + milliseconds(hash % static_cast<uint64_t>(most.count() + 1));
}

/// The tick that is due at `due`.
Time TickOf(const ScheduleRecord& schedule, const CronSchedule& cron, Time due) {
  const auto since = due - seconds(std::max<int64_t>(0, schedule.jitter_seconds) + 1);
  return cron.Last(due, since).value_or(due);
}

/// The last tick whose due time has come; `first` is one of them.
Time NewestDue(const ScheduleRecord& schedule, const CronSchedule& cron, Time first,
               Time now) {
  Time newest = cron.Last(now, first).value_or(first);
  if (newest > first && DueOf(schedule, cron, newest) > now) {
    newest = cron.Last(newest - kInstant, first).value_or(first);
  }
  return newest;
}

arrow::Result<CronSchedule> CronOf(const ScheduleRecord& schedule) {
  return CronSchedule::Parse(schedule.cron, schedule.timezone,
                             ParseUtcTime(schedule.created_at).value_or(Time()));
}

arrow::Status Invalid(const std::string& what, const std::string& takes) {
  return MakeError(ErrorClass::kConfig, "schedule.invalid", what, takes);
}

}  // namespace

arrow::Status CheckSchedule(const ScheduleRecord& schedule) {
  ARROW_RETURN_NOT_OK(CronOf(schedule).status());
  const std::string& misfire = schedule.misfire;
  if (misfire != "none" && misfire != "one" && misfire != "all") {
    return Invalid("'" + misfire + "' is no misfire policy", "It is none, one or all");
  }
  constexpr int64_t kDay = 86400;
  if (schedule.misfire_grace_seconds < 0 || schedule.misfire_grace_seconds > 366 * kDay) {
    return Invalid("the misfire grace is out of range", "It is 0s to 366d");
  }
  if (schedule.jitter_seconds < 0 || schedule.jitter_seconds > kDay) {
    return Invalid("the jitter is out of range", "It is 0s to 24h");
  }
  if (schedule.max_instances < 1 || schedule.max_instances > 100) {
    return Invalid("max_instances is out of range", "It is 1 to 100");
  }
  if (schedule.priority < -1000 || schedule.priority > 1000) {
    return Invalid("the priority is out of range", "It is -1000 to 1000");
  }
  return arrow::Status::OK();
}

arrow::Result<std::string> FirstDue(const ScheduleRecord& schedule, Time now) {
  ARROW_ASSIGN_OR_RAISE(const auto cron, CronOf(schedule));
  // A tick of the past may be due in the future yet, by its jitter.
  const Time since = now - seconds(std::max<int64_t>(0, schedule.jitter_seconds) + 1);
  Time tick = cron.Last(now, since).value_or(cron.Next(now));
  while (DueOf(schedule, cron, tick) <= now) tick = cron.Next(tick);
  return FormatTime(DueOf(schedule, cron, tick));
}

void ScheduleLoop::Warn(const ScheduleRecord& schedule, const arrow::Status& status) {
  if (log_ == nullptr || status.ok()) return;
  log_->Write(LogLevel::kWarning, "schedule_failed", status.message(),
              {{"schedule", schedule.project + "/" + schedule.name}});
}

arrow::Status ScheduleLoop::MoveTo(const ScheduleRecord& schedule, Time due) {
  ScheduleRecord moved = schedule;
  moved.next_at = FormatTime(due);
  return store_.schedules().Update(moved, schedule.revision).status();
}

arrow::Status ScheduleLoop::Tick(const ScheduleRecord& schedule, const CronSchedule& cron,
                                 Time tick, Time next, std::string outcome,
                                 std::string reason) {
  TickRecord record;
  record.scheduled_at = FormatTime(tick);
  record.outcome = std::move(outcome);
  record.reason = std::move(reason);
  const Time due = DueOf(schedule, cron, next);
  const auto fired = dispatcher_.FireTick(schedule, std::move(record), FormatTime(due));
  if (fired.ok()) {
    if (log_ != nullptr) {
      log_->Write(LogLevel::kInfo, "tick", fired->outcome,
                  {{"schedule", schedule.project + "/" + schedule.name},
                   {"scheduled_at", fired->scheduled_at},
                   {"run", fired->run},
                   {"reason", fired->reason}});
    }
    return arrow::Status::OK();
  }
  // It fired before, and a clock or a user moved the schedule back: on to the next.
  if (GetErrorInfo(fired.status()).code == "schedule.tick_fired") {
    return MoveTo(schedule, due);
  }
  return fired.status();
}

arrow::Status ScheduleLoop::FireOne(const ScheduleRecord& schedule, Time now) {
  const Time due = ParseUtcTime(schedule.next_at).value_or(now);
  const auto parsed = CronOf(schedule);
  if (!parsed.ok()) {
    // The zone was known when it was stored; the machine's zones may come back.
    TickRecord refused;
    refused.scheduled_at = schedule.next_at;
    refused.outcome = kRefused;
    refused.reason = parsed.status().message();
    return dispatcher_
        .FireTick(schedule, std::move(refused), FormatTime(now + std::chrono::hours(1)))
        .status();
  }
  const CronSchedule& cron = *parsed;
  Time tick = TickOf(schedule, cron, due);
  const Time newest = NewestDue(schedule, cron, tick, now);
  // The first tick that makes a run; those before it are passed over together.
  Time first = newest;
  std::string reason = "one run for all ticks up to " + FormatTime(newest);
  if (schedule.misfire == "all") {
    first = tick;
    const auto missed = cron.Between(tick, newest, kMostCaughtUp);
    if (missed.size() + 2 > kMostCaughtUp) {
      first = newest;
      for (size_t i = 1; i < kMostCaughtUp; ++i) {
        first = cron.Last(first - kInstant, tick).value_or(tick);
      }
      reason = "more than " + std::to_string(kMostCaughtUp) +
               " were missed; those before " + FormatTime(first) + " are left out";
    }
  } else if (schedule.misfire == "none") {
    const auto in_time = [&](Time at) {
      return DueOf(schedule, cron, at) + seconds(schedule.misfire_grace_seconds) >= now;
    };
    first = cron.Next(newest);
    for (Time at = newest; in_time(at); at = *cron.Last(at - kInstant, tick - kInstant)) {
      first = at;
      if (at == tick) break;
    }
    reason = "missed by more than the grace of " +
             std::to_string(schedule.misfire_grace_seconds) + " s; so are all up to " +
             FormatTime(first > newest ? newest : first);
  }
  if (first > tick) {
    return Tick(schedule, cron, tick, first, kMisfired, reason);
  }
  return Tick(schedule, cron, tick, cron.Next(tick));
}

arrow::Status ScheduleLoop::PutBack(Time now) {
  constexpr int kPage = 500;
  std::string after;
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const auto page, store_.schedules().List("", "", after, kPage));
    for (const auto& schedule : page) {
      after = schedule.project + "/" + schedule.name;
      if (schedule.paused || schedule.next_at.empty()) continue;
      const auto due = FirstDue(schedule, now);
      if (!due.ok() || *due >= schedule.next_at) continue;
      Warn(schedule, MoveTo(schedule, *ParseUtcTime(*due)));
    }
    if (page.size() < kPage) return arrow::Status::OK();
  }
}

arrow::Result<std::optional<Time>> ScheduleLoop::FireDue() {
  std::lock_guard firing(firing_);
  const Time start = clock_.Now();
  if (!last_look_ || start < *last_look_) ARROW_RETURN_NOT_OK(PutBack(start));
  last_look_ = start;
  constexpr int kPage = 100;
  while (true) {
    const Time now = clock_.Now();
    ARROW_ASSIGN_OR_RAISE(const auto due, store_.schedules().Due(FormatTime(now), kPage));
    if (due.empty()) break;
    for (const auto& schedule : due) {
      const auto status = FireOne(schedule, now);
      const ErrorInfo info = GetErrorInfo(status);
      // Changed or removed meanwhile: the next look sees it as it is.
      if (status.ok() || info.error_class == ErrorClass::kFenced ||
          info.code == "schedule.not_found") {
        continue;
      }
      Warn(schedule, status);
      return now + kRetry;
    }
  }
  ARROW_ASSIGN_OR_RAISE(const auto next, store_.schedules().NextDue());
  if (!next) return std::nullopt;
  return ParseUtcTime(*next);
}

void ScheduleLoop::Changed() {
  {
    std::lock_guard lock(mutex_);
    dirty_ = true;
  }
  changed_.notify_all();
}

void ScheduleLoop::Start() {
  thread_ = std::jthread([this](std::stop_token stop) { Work(stop); });
}

void ScheduleLoop::Stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void ScheduleLoop::Work(std::stop_token stop) {
  // A look at the clocks alone, in case the machine's was set back during a long sleep.
  constexpr auto kClockCheck = seconds(60);
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    dirty_ = false;
    lock.unlock();
    auto next = FireDue();
    if (!next.ok() && log_ != nullptr) {
      log_->Write(LogLevel::kError, "schedules_failed", next.status().message());
    }
    const Time now = clock_.Now();
    const auto offset = now.time_since_epoch() - clock_.Tick().time_since_epoch();
    const Time wake =
        next.ok() ? next->value_or(now + std::chrono::hours(24)) : now + kRetry;
    lock.lock();
    while (!stop.stop_requested() && !dirty_ && clock_.Now() < wake) {
      changed_.wait_until(lock, stop, std::min(wake, clock_.Now() + kClockCheck),
                          [this] { return dirty_; });
      const auto drift =
          clock_.Now().time_since_epoch() - clock_.Tick().time_since_epoch() - offset;
      if (drift < -seconds(1)) break;
    }
  }
}

}  // namespace dxt
