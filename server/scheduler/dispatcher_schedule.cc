// Runs that schedules make.
#include <algorithm>

#include "base/clock.h"
#include "base/error.h"
#include "server/scheduler/catalog.h"
#include "server/scheduler/job.h"
#include "server/scheduler/run_listener.h"

namespace dxt {
namespace {

constexpr char kFired[] = "FIRED";
constexpr char kSkippedOverlap[] = "SKIPPED_OVERLAP";
constexpr char kSkippedRefused[] = "SKIPPED_REFUSED";

arrow::Result<Submission> PrepareFor(RunSource* source, const ScheduleRecord& schedule) {
  if (source == nullptr) {
    return MakeError(ErrorClass::kInternal, "schedule.no_source",
                     "this dxtd has no stored pipelines");
  }
  ARROW_ASSIGN_OR_RAISE(RunOptions options, ParseRunOptions(schedule.options));
  const auto variables = ParseSqlVariables(schedule.variables);
  if (!variables) {
    return MakeError(ErrorClass::kConfig, "schedule.variables",
                     "the variables of schedule " + schedule.name + " cannot be read",
                     "Set them again with dxtctl schedules update");
  }
  ARROW_ASSIGN_OR_RAISE(auto submission,
                        source->Prepare(schedule.project, schedule.pipeline,
                                        std::move(options), *variables));
  submission.priority = schedule.priority;
  submission.trigger.kind = "SCHEDULE";
  submission.trigger.source = schedule.name;
  return submission;
}

}  // namespace

Dispatcher::Admission Dispatcher::Admit(const Submission& submission,
                                        const ScheduleRecord* schedule) const {
  const std::string pipeline = PipelineKey(submission.pipeline);
  std::lock_guard lock(mutex_);
  const std::string running = queue_.Running(pipeline);
  const auto waiting = queue_.Waiting(pipeline);
  const bool busy = !running.empty() || !waiting.empty();
  bool asks = busy;
  if (schedule != nullptr) {
    const int instances = queue_.Instances(schedule->project + "/" + schedule->name);
    asks = instances >= schedule->max_instances || (busy && schedule->max_instances == 1);
  }
  Admission admission;
  if (!asks) return admission;
  const std::string& other =
      running.empty() && !waiting.empty() ? waiting.front() : running;
  switch (submission.pipeline.runtime.overlap) {
    case Overlap::kSkip:
      admission.made = false;
      admission.reason = "run " + other + " has not ended";
      break;
    case Overlap::kQueue:
      admission.made = waiting.empty();
      if (!admission.made) admission.reason = "run " + waiting.front() + " waits already";
      break;
    case Overlap::kCancelPrevious:
      admission.replaced = waiting;
      if (!running.empty()) admission.replaced.push_back(running);
      break;
  }
  return admission;
}

arrow::Result<TickRecord> Dispatcher::FireTick(const ScheduleRecord& schedule,
                                               TickRecord tick,
                                               std::string_view next_at) {
  tick.project = schedule.project;
  tick.schedule = schedule.name;
  tick.schedule_revision = schedule.revision;
  tick.fired_at = FormatTime(clock_.Now());
  std::optional<Submission> submission;
  std::optional<NewRun> wanted;
  Admission admission;
  if (tick.outcome.empty()) {
    tick.outcome = kFired;
    auto prepared = PrepareFor(options_.source, schedule);
    arrow::Status status = prepared.status();
    if (status.ok()) status = Check(*prepared);
    if (status.ok()) {
      prepared->trigger.scheduled_at = tick.scheduled_at;
      admission = Admit(*prepared, &schedule);
      if (admission.made) {
        auto stored = Stored(*prepared);
        status = stored.status();
        if (status.ok()) {
          wanted = std::move(*stored);
          tick.run = wanted->id;
          submission = std::move(*prepared);
        }
      } else {
        tick.outcome = kSkippedOverlap;
        tick.reason = admission.reason;
      }
    }
    if (!status.ok()) {
      tick.outcome = kSkippedRefused;
      tick.reason = status.message();
    }
  }
  ARROW_ASSIGN_OR_RAISE(auto made, store_.schedules().Fire(tick, next_at, wanted));
  if (made && submission) {
    Adopt(std::move(*made), std::move(*submission), admission.replaced);
  } else {
    const std::string pipeline = schedule.project + "/" + schedule.pipeline;
    for (auto* listener : options_.listeners) listener->OnTickMissed(tick, pipeline);
  }
  return tick;
}

arrow::Result<RunRecord> Dispatcher::Trigger(const ScheduleRecord& schedule,
                                             std::string request_id,
                                             const AuditRecord* audit) {
  ARROW_ASSIGN_OR_RAISE(auto submission, PrepareFor(options_.source, schedule));
  submission.request_id = std::move(request_id);
  submission.request_hash = "trigger:" + schedule.project + "/" + schedule.name;
  return Submit(std::move(submission), audit);
}

}  // namespace dxt
