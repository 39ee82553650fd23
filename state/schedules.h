#pragma once
// When stored pipelines run by themselves. See state_store.h for what holds for every
// call.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "state/runs.h"

namespace dxt {

struct ScheduleRecord {
  std::string project, name, pipeline, cron, timezone;
  std::string misfire = "one";  ///< none, one or all.
  int64_t misfire_grace_seconds = 60;
  int max_instances = 1;
  int64_t jitter_seconds = 0;
  std::string options;    ///< Canonical text of the options of its runs.
  std::string variables;  ///< JSON object of text values, or "".
  int priority = 0;
  bool paused = false;
  std::string pause_note;
  std::string next_at;  ///< "" = never.
  std::string last_at;  ///< When it last fired; set by the store.
  std::string created_at, updated_at;
  int64_t revision = 0;  ///< Set by the store; changes with each Update, not with a tick.
};

/// What became of one tick.
struct TickRecord {
  std::string project, schedule, scheduled_at, fired_at;
  std::string outcome;  ///< FIRED SKIPPED_OVERLAP SKIPPED_MISFIRE SKIPPED_REFUSED
  std::string run;      ///< Of FIRED; the id of the run made.
  std::string reason;
  /// Of the schedule as it was read; 0 = not compared. Not stored.
  int64_t schedule_revision = 0;
};

class ScheduleStore {
 public:
  virtual ~ScheduleStore() = default;
  /// kConfig `schedule.exists`, `pipeline.not_found`.
  virtual arrow::Result<ScheduleRecord> Create(const ScheduleRecord& record,
                                               const AuditRecord* audit = nullptr) = 0;
  virtual arrow::Result<std::optional<ScheduleRecord>> Get(std::string_view project,
                                                           std::string_view name) = 0;
  /// By project and name. `project` "" = all, `pipeline` "" = all; `after` is
  /// "<project>/<name>" of the last one seen, or "".
  virtual arrow::Result<std::vector<ScheduleRecord>> List(std::string_view project,
                                                          std::string_view pipeline,
                                                          std::string_view after,
                                                          int limit) = 0;
  /// Replaces all but `created_at` and `last_at`; `updated_at` is now. kFenced
  /// `state.etag` when the revision is not the expected one; kConfig
  /// `schedule.not_found`, `pipeline.not_found`.
  virtual arrow::Result<ScheduleRecord> Update(const ScheduleRecord& record,
                                               std::optional<int64_t> expected_revision,
                                               const AuditRecord* audit = nullptr) = 0;
  /// With its ticks. kConfig `schedule.not_found`.
  virtual arrow::Status Delete(std::string_view project, std::string_view name,
                               const AuditRecord* audit = nullptr) = 0;
  virtual arrow::Result<int64_t> CountActive() = 0;

  /// Not paused and `next_at` <= `now`; the one that waits longest first.
  virtual arrow::Result<std::vector<ScheduleRecord>> Due(std::string_view now,
                                                         int limit) = 0;
  /// The earliest `next_at` of those that are not paused, to sleep until.
  virtual arrow::Result<std::optional<std::string>> NextDue() = 0;
  /// Stores the tick, the schedule's `next_at` and `last_at`, and its run, in one
  /// transaction. A tick (schedule and `scheduled_at`) is stored once, ever: kFenced
  /// `schedule.tick_fired`. kFenced `schedule.changed` when the revision is another one,
  /// kConfig `schedule.not_found`. Returns the run made.
  virtual arrow::Result<std::optional<RunRecord>> Fire(
      const TickRecord& tick, std::string_view next_at,
      const std::optional<NewRun>& run) = 0;
  /// Newest first; `before` is the `scheduled_at` of the last one seen, or "".
  virtual arrow::Result<std::vector<TickRecord>> Ticks(std::string_view project,
                                                       std::string_view schedule,
                                                       std::string_view before,
                                                       int limit) = 0;
};

}  // namespace dxt
