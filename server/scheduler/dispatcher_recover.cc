// What outlives a run or a process: recovery, stuck workers, the end.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "server/scheduler/catalog.h"
#include "server/scheduler/job.h"

namespace dxt {
namespace {

arrow::Status Interrupted(const std::string& what) {
  return MakeError(ErrorClass::kTransient, "run.interrupted",
                   "dxtd ended before the run did, and " + what,
                   "Submit its pipeline again; what was committed is not loaded twice");
}

}  // namespace

arrow::Result<std::vector<std::string>> Dispatcher::Succeeded(const RunRecord& run) {
  std::vector<std::string> streams;
  const auto json = nlohmann::json::parse(run.result_json, nullptr, false);
  if (json.is_object() && json.contains("streams") && json["streams"].is_array() &&
      !json["streams"].empty()) {
    for (const auto& stream : json["streams"]) {
      if (stream.value("state", "") == "SUCCEEDED")
        streams.push_back(stream.value("id", ""));
    }
    return streams;
  }
  // It was given up before it could tell; what it committed is known all the same.
  return Completed(run);
}

arrow::Result<Dispatcher::JobPtr> Dispatcher::Restored(const RunRecord& run) {
  ARROW_ASSIGN_OR_RAISE(const auto input, store_.runs().Input(run.id));
  if (!input) {
    return MakeError(ErrorClass::kInternal, "run.input_gone",
                     "the document of run " + run.id + " is not stored",
                     "Submit its pipeline again");
  }
  DocumentInputs inputs;
  if (!input->sealed_input.empty() && options_.unseal) {
    ARROW_ASSIGN_OR_RAISE(const auto bytes, options_.unseal(run.id, input->sealed_input));
    ARROW_ASSIGN_OR_RAISE(auto kept, RunInput::Decode(bytes));
    inputs.pipeline = std::move(kept.pipeline);
    if (kept.has_project) inputs.project = std::move(kept.project);
    inputs.variables = std::move(kept.variables);
    inputs.sql_variables = std::move(kept.sql_variables);
  } else {
    const auto& documents = *input;
    inputs.pipeline = {documents.pipeline_document.path,
                       documents.pipeline_document.text};
    if (!documents.project_document.text.empty()) {
      inputs.project = {documents.project_document.path, documents.project_document.text};
    }
  }
  auto parsed =
      options_.parse ? options_.parse(inputs) : ParseDocuments(inputs, registry_);
  const bool redacted =
      input->sealed_input.empty() &&
      (inputs.pipeline->text + (inputs.project ? inputs.project->text : ""))
              .find("***") != std::string::npos;
  if (!parsed.ok() || !parsed.pipeline || redacted) {
    return MakeError(ErrorClass::kConfig, "run.input_gone",
                     "the values of its variables are not stored (they are erased when a "
                     "run ends), so run " +
                         run.id + " cannot be made again",
                     "Submit its pipeline again with its variables");
  }
  ARROW_ASSIGN_OR_RAISE(auto options, ParseRunOptions(run.options));
  auto job = MakeJob(run, MakeSubmission(inputs, std::move(parsed), std::move(options)));
  job->submission.document_hash = run.document_hash;
  job->submission.pipeline_revision = run.pipeline_revision;
  job->submission.trigger = run.trigger;
  job->submission.retry_of = run.retry_of;
  job->submission.priority = run.priority;
  return job;
}

void Dispatcher::RecoverRun(const RunRecord& run) {
  if (run.state == "CANCELLING") {
    return EndUnheld(MakeJob(run, {}), RunState::kCancelled,
                     MakeError(ErrorClass::kCancelled, "run.cancelled",
                               "the run was cancelled, and dxtd ended before it had "
                               "stopped"));
  }
  auto job = Restored(run);
  if (!job.ok()) return EndUnheld(MakeJob(run, {}), RunState::kFailed, job.status());
  const bool begun = run.attempt > 0;
  if (begun && (*job)->submission.pipeline.runtime.fail_interrupted) {
    return EndUnheld(*job, RunState::kFailed,
                     Interrupted("runtime.on_interrupt is fail"));
  }
  if (log_ != nullptr && begun) {
    log_->Write(LogLevel::kInfo, "run_resumed", "an interrupted run goes on",
                {{"run", run.id}, {"pipeline", run.pipeline}});
  }
  Enqueue(std::move(*job));
}

arrow::Status Dispatcher::Recover() {
  ARROW_ASSIGN_OR_RAISE(const auto interrupted, store_.runs().Interrupted());
  ARROW_ASSIGN_OR_RAISE(const auto queued, store_.runs().Queued());
  for (const auto* runs : {&interrupted, &queued}) {
    for (const auto& run : *runs) RecoverRun(run);
  }
  return arrow::Status::OK();
}

void Dispatcher::RequestStop(Job& job, StopReason reason) {
  {
    std::lock_guard lock(mutex_);
    if (job.stop_reason == StopReason::kNone || reason == StopReason::kCancel) {
      job.stop_reason = reason;
    }
    if (!job.stuck) job.stuck = clock_.Tick() + options_.stuck_after;
    // One that is not claimed yet hears of it when it is.
    if (job.held) job.stop.request_stop();
  }
  job.feed->AddState("CANCELLING");
}

void Dispatcher::SetAlarm(const JobPtr& job, std::chrono::milliseconds in) {
  {
    std::lock_guard lock(mutex_);
    alarms_.emplace(clock_.Tick() + in, job);
  }
  alarms_changed_.notify_all();
}

void Dispatcher::CheckAlarms() {
  std::vector<JobPtr> due;
  {
    std::lock_guard lock(mutex_);
    const auto now = clock_.Tick();
    while (!alarms_.empty() && alarms_.begin()->first <= now) {
      if (auto job = alarms_.begin()->second.lock()) due.push_back(std::move(job));
      alarms_.erase(alarms_.begin());
    }
  }
  for (const auto& job : due) {
    bool times_out, stuck;
    {
      std::lock_guard lock(mutex_);
      const auto found = jobs_.find(job->run.id);
      if (found == jobs_.end() || found->second != job) continue;
      const auto now = clock_.Tick();
      times_out = job->times_out && *job->times_out <= now && !job->stuck;
      stuck = job->stuck && *job->stuck <= now;
    }
    if (stuck) {
      GiveUp(job);
    } else if (times_out) {
      Warn("cancel_failed", store_.runs().SetState(job->lease, "CANCELLING"),
           job->run.id);
      RequestStop(*job, StopReason::kTimeout);
      SetAlarm(job, options_.stuck_after);
    }
  }
}

void Dispatcher::GiveUp(const JobPtr& job) {
  StopReason reason;
  {
    std::lock_guard lock(mutex_);
    if (job->lost || !job->held) return;
    job->lost = true;
    // Another thread takes its place; there is none where the caller executes.
    if (options_.own_threads) ++lost_workers_;
    LeavePlace(*job);
    reason = job->stop_reason;
  }
  // From here on whatever the worker writes is refused, by the store and, once another
  // run bumps the fence, by the target.
  const auto expired = store_.runs().Expire(job->run.id);
  Warn("worker_stuck",
       MakeError(ErrorClass::kInternal, "run.stuck",
                 "a worker did not return after it was asked to stop"),
       job->run.id);
  Release(job);
  if (!expired.ok() || reason == StopReason::kDrain) return;
  const auto why = MakeError(
      reason == StopReason::kTimeout ? ErrorClass::kTransient : ErrorClass::kCancelled,
      "run.stuck",
      "the run was stopped, but its worker did not come back and was given up; what it "
      "may still commit is refused by the target's fence once the pipeline runs again",
      "See the log of the run for the call that it is in");
  EndUnheld(job,
            reason == StopReason::kTimeout ? RunState::kFailed : RunState::kCancelled,
            why);
}

void Dispatcher::Watch(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    if (alarms_.empty()) {
      alarms_changed_.wait(lock, stop, [this] { return !alarms_.empty(); });
      continue;
    }
    const auto next = alarms_.begin()->first;
    alarms_changed_.wait_for(lock, stop, next - clock_.Tick(), [&] {
      return alarms_.empty() || alarms_.begin()->first < next;
    });
    lock.unlock();
    CheckAlarms();
    lock.lock();
  }
}

void Dispatcher::Drain(std::chrono::milliseconds grace) {
  std::unique_lock lock(mutex_);
  draining_ = true;
  ++changes_;
  changed_.notify_all();
  // Without workers of its own, the caller ends what it began.
  if (!options_.own_threads) return;
  const auto ended = [this] { return queue_.running() == 0; };
  if (changed_.wait_for(lock, grace, ended)) return;
  std::vector<JobPtr> running;
  for (const auto& [id, job] : jobs_) {
    if (job->held) running.push_back(job);
  }
  lock.unlock();
  for (const auto& job : running) RequestStop(*job, StopReason::kDrain);
  lock.lock();
  constexpr std::chrono::milliseconds kRollBack = std::chrono::seconds(10);
  changed_.wait_for(lock, std::min(options_.stuck_after, kRollBack), ended);
}

void Dispatcher::Stop() {
  std::vector<std::string> unfinished;
  std::vector<std::thread> workers;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    ++changes_;
    for (const auto& [id, job] : jobs_) {
      if (!draining_) unfinished.push_back(id);
    }
    workers.swap(workers_);
  }
  for (const auto& id : unfinished) {
    Warn("cancel_failed", Cancel(id, "dxtd ended").status(), id);
  }
  changed_.notify_all();
  for (auto& worker : workers) worker.join();
  watch_.request_stop();
  if (watch_.joinable()) watch_.join();
}

}  // namespace dxt
