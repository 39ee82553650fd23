#include "server/scheduler/dispatcher.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/time_text.h"
#include "engine/run/selection.h"
#include "server/scheduler/catalog.h"
#include "server/scheduler/job.h"
#include "server/scheduler/log_writer.h"
#include "server/scheduler/run_listener.h"

namespace dxt {
namespace {

size_t StreamsOf(const RunRecord& run) {
  const auto result = nlohmann::json::parse(run.result_json, nullptr, false);
  return result.is_object() ? result.value("streams", nlohmann::json::array()).size() : 0;
}

/// While some store the end of a run, others execute the next.
constexpr int kThreadsPerPlace = 2;

}  // namespace

QueuedRun QueuedOf(const RunRecord& run, const Submission& submission) {
  QueuedRun queued;
  queued.id = run.id;
  queued.pipeline = run.project + "/" + run.pipeline;
  if (run.trigger.kind == "SCHEDULE")
    queued.schedule = run.project + "/" + run.trigger.source;
  queued.priority = run.priority;
  queued.writes = !submission.options.dry_run;
  // A lane is loaded beside the others, and waits for its own runs alone.
  if (const auto& backfill = submission.options.backfill) {
    queued.pipeline += " " + backfill->Lane();
  }
  queued.memory = submission.pipeline.runtime.memory_limit;
  for (const auto* end : {&submission.pipeline.source, &submission.pipeline.target}) {
    if (end->is_inline || end->max_concurrent_runs <= 0) continue;
    ConnectionUse use{run.project + "/" + end->name, end->max_concurrent_runs};
    const bool twice = !queued.connections.empty() &&
                       queued.connections.front().connection == use.connection;
    if (!twice) queued.connections.push_back(std::move(use));
  }
  return queued;
}

Dispatcher::Dispatcher(DispatcherOptions options, const ConnectorRegistry& registry,
                       Clock& clock, IdSource& ids, StateStore& store, Log* log)
    : options_(std::move(options)),
      registry_(registry),
      clock_(clock),
      ids_(ids),
      store_(store),
      log_(log),
      run_logs_(options_.store_logs ? std::make_unique<LogWriter>(store.logs(), log)
                                    : nullptr),
      queue_(options_.memory_budget) {
  if (options_.own_threads) {
    watch_ = std::jthread([this](std::stop_token stop) { Watch(stop); });
  }
}

Dispatcher::~Dispatcher() { Stop(); }

void Dispatcher::Warn(std::string_view event, const arrow::Status& status,
                      std::string_view run) {
  if (log_ == nullptr || status.ok()) return;
  log_->Write(LogLevel::kWarning, event, status.message(), {{"run", run}});
}

arrow::Status Dispatcher::ConfigureLog(const ProjectDocument& project) {
  const bool asked = !project.log_level.empty() || !project.log_format.empty() ||
                     !project.log_file.empty();
  if (log_ == nullptr || !asked || !options_.project_logging) return arrow::Status::OK();
  LogOptions options;
  options.file = project.log_file.empty() ? options_.state_dir / "logs/dxt.log"
                                          : std::filesystem::path(project.log_file);
  const std::string& level = project.log_level;
  if (level == "DEBUG" || level == "debug") options.level = LogLevel::kDebug;
  if (level == "WARNING" || level == "warning") options.level = LogLevel::kWarning;
  if (level == "ERROR" || level == "error") options.level = LogLevel::kError;
  options.json = project.log_format.empty() || project.log_format == "json";
  return log_->Configure(options);
}

arrow::Status Dispatcher::Check(const Submission& submission) const {
  ARROW_RETURN_NOT_OK(CheckSelection(submission.pipeline, submission.options));
  const int64_t needed = submission.pipeline.runtime.memory_limit;
  if (needed > options_.memory_budget) {
    return MakeError(ErrorClass::kConfig, "run.memory",
                     "runtime.memory_limit asks for " + std::to_string(needed >> 20) +
                         " MiB, and dxtd may use " +
                         std::to_string(options_.memory_budget >> 20) +
                         " MiB for all runs",
                     "Lower runtime.memory_limit in the pipeline");
  }
  std::lock_guard lock(mutex_);
  if (!draining_) return arrow::Status::OK();
  return MakeError(ErrorClass::kTransient, "server.draining",
                   "dxtd is about to end and takes no new runs",
                   "Submit again in a moment; the same request id makes one run");
}

arrow::Result<NewRun> Dispatcher::Stored(const Submission& submission) {
  NewRun run;
  run.id = ids_.Ulid();
  run.project = submission.pipeline.project.name;
  run.pipeline = submission.pipeline.name;
  run.request_id = submission.request_id;
  run.request_hash = submission.request_hash;
  run.document_hash = submission.document_hash;
  run.pipeline_document = submission.pipeline_document;
  run.project_document = submission.project_document;
  run.options = FormatRunOptions(submission.options);
  run.dry_run = submission.options.dry_run;
  run.created_at = FormatTime(clock_.Now());
  run.priority = submission.priority != 0 ? submission.priority
                                          : submission.pipeline.runtime.priority;
  run.trigger = submission.trigger;
  run.retry_of = submission.retry_of;
  run.pipeline_revision = submission.pipeline_revision;
  if (options_.seal) {
    ARROW_ASSIGN_OR_RAISE(run.sealed_input,
                          options_.seal(run.id, submission.input.Encode()));
  }
  return run;
}

arrow::Result<RunRecord> Dispatcher::Submit(Submission submission,
                                            const AuditRecord* audit) {
  ARROW_RETURN_NOT_OK(Check(submission));
  ARROW_RETURN_NOT_OK(ConfigureLog(submission.pipeline.project));
  std::optional<RunRecord> resumed;
  if (!options_.resumes) {
    ARROW_ASSIGN_OR_RAISE(resumed, Resume(submission));
  }
  if (resumed) {
    RunRecord run = *resumed;
    Adopt(std::move(*resumed), std::move(submission), {});
    return run;
  }
  ARROW_ASSIGN_OR_RAISE(const NewRun wanted, Stored(submission));
  ARROW_ASSIGN_OR_RAISE(auto created, store_.runs().Create(wanted, audit));
  if (created.existed && (created.run.state != "QUEUED" || Feed(created.run.id))) {
    return std::move(created.run);  // The request was sent before.
  }
  RunRecord run = created.run;
  created.run.traceparent = submission.traceparent;
  if (!created.existed || !options_.resumes) {
    Adopt(std::move(created.run), std::move(submission), {});
  }
  return run;
}

arrow::Result<std::optional<RunRecord>> Dispatcher::Resume(const Submission& submission) {
  if (submission.options.dry_run) return std::nullopt;
  const auto& pipeline = submission.pipeline;
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const auto found, store_.runs().FindInterrupted(
                                                pipeline.project.name, pipeline.name));
    if (!found || Feed(found->id)) return std::nullopt;
    const bool same = found->document_hash == submission.document_hash &&
                      found->options == FormatRunOptions(submission.options) &&
                      found->state != "CANCELLING";
    if (same && !submission.options.fresh) return found;
    const auto why =
        MakeError(ErrorClass::kTransient, "run.interrupted",
                  "dxtd ended before the run did, and a later run with " +
                      std::string(same ? "--new" : "other documents or options") +
                      " took its place");
    EndUnheld(MakeJob(*found, submission), RunState::kFailed, why);
    ARROW_ASSIGN_OR_RAISE(const auto after, store_.runs().Get(found->id));
    if (after && !IsTerminalRunState(after->state)) return std::nullopt;
  }
}

arrow::Result<RunRecord> Dispatcher::Retry(std::string_view id, std::string request_id,
                                           const AuditRecord* audit) {
  ARROW_ASSIGN_OR_RAISE(const RunRecord run, Get(id));
  if (!IsTerminalRunState(run.state) || run.state == "SUCCEEDED") {
    return MakeError(
        ErrorClass::kConfig, "run.not_retryable",
        "run " + run.id +
            (run.state == "SUCCEEDED" ? " succeeded, so there is nothing to retry"
                                      : " has not ended yet"),
        run.state == "SUCCEEDED" ? "Submit its pipeline to run it again"
                                 : "Wait for its end, or cancel it first");
  }
  Submission submission;
  ARROW_ASSIGN_OR_RAISE(RunOptions options, ParseRunOptions(run.options));
  ARROW_ASSIGN_OR_RAISE(auto succeeded, Succeeded(run));
  if (run.state == "PARTIAL" && succeeded.size() == StreamsOf(run)) {
    return MakeError(
        ErrorClass::kConfig, "run.not_retryable",
        "all streams of run " + run.id + " were loaded, but for rows that were left out",
        "dxtctl dlq list shows them, dxtctl dlq replay loads them");
  }
  for (auto& stream : succeeded) options.left_out_streams.push_back(std::move(stream));
  if (run.pipeline_revision > 0 && options_.source != nullptr) {
    ARROW_ASSIGN_OR_RAISE(submission,
                          options_.source->Prepare(run.project, run.pipeline, options, {},
                                                   run.pipeline_revision));
  } else {
    ARROW_ASSIGN_OR_RAISE(auto job, Restored(run));
    submission = std::move(job->submission);
    submission.options = std::move(options);
  }
  submission.request_id = std::move(request_id);
  submission.request_hash = "retry:" + run.id;
  submission.priority = run.priority;
  submission.trigger = {"RETRY", run.id, ""};
  submission.retry_of = run.id;
  return Submit(std::move(submission), audit);
}

Dispatcher::JobPtr Dispatcher::MakeJob(RunRecord run, Submission submission) const {
  auto job = std::make_shared<Job>();
  job->run = std::move(run);
  job->submission = std::move(submission);
  job->feed = std::make_shared<RunFeed>(job->run.attempt);
  return job;
}

void Dispatcher::Adopt(RunRecord run, Submission submission,
                       const std::vector<std::string>& replaced) {
  const std::string id = run.id;
  Enqueue(MakeJob(std::move(run), std::move(submission)));
  for (const auto& other : replaced) {
    Warn("cancel_failed", Cancel(other, "run " + id + " takes its place").status(),
         other);
  }
}

void Dispatcher::Enqueue(JobPtr job) {
  for (auto* listener : options_.listeners) listener->OnQueued(job->run);
  std::lock_guard lock(mutex_);
  if (stopping_) job->stop.request_stop();
  queue_.Add(QueuedOf(job->run, job->submission));
  jobs_[job->run.id] = std::move(job);
  const int free = kThreadsPerPlace * options_.max_workers + lost_workers_ -
                   static_cast<int>(workers_.size());
  const bool wanted = idle_workers_ < static_cast<int>(queue_.waiting()) && free > 0;
  if (wanted && options_.own_threads && !stopping_) {
    workers_.emplace_back([this] { Work(); });
  }
  ++changes_;
  changed_.notify_one();
}

arrow::Result<RunRecord> Dispatcher::Get(std::string_view id) {
  ARROW_ASSIGN_OR_RAISE(auto run, store_.runs().Get(id));
  if (run) return *run;
  return MakeError(ErrorClass::kConfig, "run.not_found",
                   "there is no run " + std::string(id) + " in this state folder",
                   "dxtctl runs list shows those that are kept");
}

std::string Dispatcher::WaitingFor(std::string_view id) const {
  std::lock_guard lock(mutex_);
  return draining_ ? std::string() : queue_.WaitingFor(id);
}

std::shared_ptr<RunFeed> Dispatcher::Feed(std::string_view id) const {
  std::lock_guard lock(mutex_);
  if (const auto found = jobs_.find(id); found != jobs_.end()) return found->second->feed;
  for (const auto& [run, feed] : ended_) {
    if (run == id) return feed;
  }
  return nullptr;
}

DispatcherStatus Dispatcher::Status() const {
  DispatcherStatus status;
  status.workers = options_.max_workers;
  status.memory_budget = options_.memory_budget;
  if (const auto stats = store_.runs().Stats(); stats.ok()) {
    if (const auto since = ParseUtcTime(stats->oldest_queued_at)) {
      const std::chrono::duration<double> age = clock_.Now() - *since;
      status.oldest_queued_seconds = std::max(0.0, age.count());
    }
  }
  std::lock_guard lock(mutex_);
  status.queued = queue_.waiting();
  status.busy = static_cast<int>(queue_.running());
  // Those whose end is being stored are no longer busy.
  status.busy = std::min(status.busy, options_.max_workers);
  status.memory_reserved = queue_.memory_used();
  status.draining = draining_;
  return status;
}

arrow::Result<RunRecord> Dispatcher::Cancel(std::string_view id, std::string_view reason,
                                            const AuditRecord* audit) {
  ARROW_ASSIGN_OR_RAISE(RunRecord run, store_.runs().RequestCancel(id, reason, audit));
  if (IsTerminalRunState(run.state)) return run;
  JobPtr job;
  bool waiting = false;
  {
    std::lock_guard lock(mutex_);
    const auto found = jobs_.find(id);
    if (found != jobs_.end()) {
      job = found->second;
      waiting = queue_.Remove(id);
      if (waiting) {
        ended_.emplace_back(job->run.id, job->feed);
        jobs_.erase(found);
      }
    }
  }
  if (waiting) {
    EndUnheld(job, RunState::kCancelled,
              MakeError(ErrorClass::kCancelled, "run.cancelled",
                        "the run was cancelled before it began"));
    return Get(id);
  }
  if (job) {
    RequestStop(*job, StopReason::kCancel);
    SetAlarm(job, options_.stuck_after);
    return run;
  }
  // Interrupted: nobody is going to end it.
  if (run.interrupted) {
    EndUnheld(MakeJob(run, {}), RunState::kCancelled,
              MakeError(ErrorClass::kCancelled, "run.cancelled",
                        "the run was interrupted, and cancelled before it went on"));
    return Get(id);
  }
  return run;
}

void Dispatcher::CancelAttachment(std::string_view attachment) {
  std::vector<std::string> mine;
  {
    std::lock_guard lock(mutex_);
    for (const auto& [id, job] : jobs_) {
      if (job->submission.attachment == attachment) mine.push_back(id);
    }
  }
  for (const auto& id : mine) {
    Warn("cancel_failed", Cancel(id, "its client went away").status(), id);
  }
}

RunResult Dispatcher::ResultOf(const Job& job, RunState state,
                               const arrow::Status& why) const {
  RunResult result;
  result.project = job.run.project;
  result.pipeline = job.run.pipeline;
  result.run = job.run.id;
  result.state = state;
  result.dry_run = job.run.dry_run;
  result.ended_at = FormatTime(clock_.Now());
  result.started_at = job.run.started_at.empty() ? result.ended_at : job.run.started_at;
  result.server = options_.server;
  result.error = why;
  return result;
}

void Dispatcher::EndUnheld(const JobPtr& job, RunState state, const arrow::Status& why) {
  const RunResult result = ResultOf(*job, state, why);
  const RunOutcome outcome = OutcomeOf(result);
  Warn("run_not_stored", store_.runs().Abandon(job->run.id, outcome), job->run.id);
  Tell(job, result, outcome);
}

void Dispatcher::Tell(const JobPtr& job, const RunResult& result,
                      const RunOutcome& outcome) {
  RunRecord record = job->run;
  record.resumed = result.resumed;
  record.attempt = job->lease.attempt;
  record.started_at = result.started_at;
  record.ended_at = outcome.ended_at;
  record.state = outcome.state;
  record.exit_code = outcome.exit_code;
  record.result_json = outcome.result_json;
  if (log_ != nullptr) {
    log_->Write(LogLevel::kInfo, "run_ended", record.state,
                {{"run", record.id}, {"pipeline", record.pipeline}});
  }
  for (auto* listener : options_.listeners) {
    listener->OnEnded(record, result, job->submission.pipeline);
  }
  {
    constexpr size_t kKeptFeeds = 64;  // Most are in there twice.
    std::lock_guard lock(mutex_);
    ended_.emplace_back(record.id, job->feed);
    while (ended_.size() > kKeptFeeds) ended_.pop_front();
  }
  job->feed->End(std::move(record));
}

}  // namespace dxt
