#include "server/scheduler/dispatcher.h"

#include <algorithm>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "base/log.h"
#include "server/scheduler/feed_observer.h"
#include "server/scheduler/redaction.h"
#include "server/scheduler/state_journal.h"

namespace dxt {
namespace {

constexpr size_t kKeptFeeds = 32;

std::string PipelineKey(const PipelineDocument& pipeline) {
  return pipeline.project.name + "/" + pipeline.name;
}

RunOutcome OutcomeOf(const RunResult& result) {
  return {std::string(RunStateName(result.state)), result.ExitCode(), result.ToJson(),
          result.ended_at};
}

}  // namespace

struct Dispatcher::Job {
  std::string id;
  Submission submission;
  std::string created_at;
  bool started = false;
  std::stop_source stop;
  std::shared_ptr<RunFeed> feed = std::make_shared<RunFeed>();

  int64_t memory() const { return submission.pipeline.runtime.memory_limit; }
  bool writes() const { return !submission.options.dry_run; }
};

Dispatcher::Dispatcher(DispatcherOptions options, const ConnectorRegistry& registry,
                       Clock& clock, IdSource& ids, StateStore& store, Log* log)
    : options_(std::move(options)),
      registry_(registry),
      clock_(clock),
      ids_(ids),
      store_(store),
      log_(log),
      memory_free_(options_.memory_budget) {}

Dispatcher::~Dispatcher() { Stop(); }

arrow::Status Dispatcher::ConfigureLog(const ProjectDocument& project) {
  const bool asked = !project.log_level.empty() || !project.log_format.empty() ||
                     !project.log_file.empty();
  if (log_ == nullptr || !asked) return arrow::Status::OK();
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

arrow::Result<RunRecord> Dispatcher::Submit(Submission submission) {
  const int64_t needed = submission.pipeline.runtime.memory_limit;
  if (needed > options_.memory_budget) {
    return MakeError(ErrorClass::kConfig, "run.memory",
                     "runtime.memory_limit asks for " + std::to_string(needed >> 20) +
                         " MiB, and dxtd may use " +
                         std::to_string(options_.memory_budget >> 20) +
                         " MiB for all runs",
                     "Lower runtime.memory_limit in the pipeline");
  }
  ARROW_RETURN_NOT_OK(ConfigureLog(submission.pipeline.project));
  ARROW_ASSIGN_OR_RAISE(auto resumed, Resume(submission));
  RunRecord run;
  if (resumed) {
    run = *resumed;
  } else {
    ARROW_ASSIGN_OR_RAISE(run, Store(submission));
    if (run.state != "QUEUED" || Feed(run.id))
      return run;  // The request was sent before.
  }
  auto job = std::make_shared<Job>();
  job->id = run.id;
  job->created_at = run.created_at;
  job->submission = std::move(submission);
  Enqueue(std::move(job));
  return run;
}

arrow::Result<RunRecord> Dispatcher::Store(const Submission& submission) {
  NewRun run;
  run.id = ids_.Ulid();
  run.project = submission.pipeline.project.name;
  run.pipeline = submission.pipeline.name;
  run.request_id = submission.request_id;
  run.document_hash = submission.document_hash;
  run.pipeline_document = submission.pipeline_document;
  run.project_document = submission.project_document;
  run.options = submission.options_text;
  run.dry_run = submission.options.dry_run;
  run.created_at = FormatTime(clock_.Now());
  ARROW_ASSIGN_OR_RAISE(auto created, store_.runs().Create(run));
  return created.run;
}

arrow::Result<std::optional<RunRecord>> Dispatcher::Resume(const Submission& submission) {
  if (submission.options.dry_run) return std::nullopt;
  const auto& pipeline = submission.pipeline;
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const auto found, store_.runs().FindInterrupted(
                                                pipeline.project.name, pipeline.name));
    if (!found || Feed(found->id)) return std::nullopt;
    const bool same = found->document_hash == submission.document_hash &&
                      found->options == submission.options_text;
    if (same && !submission.options.fresh) return found;
    RunResult given_up;
    given_up.project = found->project;
    given_up.pipeline = found->pipeline;
    given_up.run = found->id;
    given_up.state = RunState::kFailed;
    given_up.started_at = found->started_at;
    given_up.ended_at = FormatTime(clock_.Now());
    given_up.server = options_.server;
    given_up.error =
        MakeError(ErrorClass::kTransient, "run.interrupted",
                  "dxtd ended before the run did, and a later run with " +
                      std::string(same ? "--new" : "other documents or options") +
                      " took its place");
    ARROW_RETURN_NOT_OK(store_.runs().Abandon(found->id, OutcomeOf(given_up)));
  }
}

void Dispatcher::Enqueue(std::shared_ptr<Job> job) {
  std::lock_guard lock(mutex_);
  if (stopping_) job->stop.request_stop();
  jobs_[job->id] = job;
  queue_.push_back(std::move(job));
  const auto waiting = static_cast<int>(queue_.size());
  if (idle_workers_ < waiting &&
      static_cast<int>(workers_.size()) < options_.max_workers && !stopping_) {
    workers_.emplace_back([this] { Work(); });
  }
  changed_.notify_all();
}

std::shared_ptr<Dispatcher::Job> Dispatcher::NextJob(std::unique_lock<std::mutex>& lock) {
  while (true) {
    for (auto at = queue_.begin(); at != queue_.end(); ++at) {
      const auto& job = *at;
      const std::string key = PipelineKey(job->submission.pipeline);
      if (job->writes() && busy_pipelines_.count(key)) continue;
      if (job->memory() > memory_free_)
        break;  // None may overtake it, or it would starve.
      auto taken = job;
      queue_.erase(at);
      if (taken->writes()) busy_pipelines_.insert(key);
      memory_free_ -= taken->memory();
      taken->started = true;
      return taken;
    }
    if (stopping_ && queue_.empty()) return nullptr;
    ++idle_workers_;
    changed_.wait(lock);
    --idle_workers_;
  }
}

void Dispatcher::Work() {
  std::unique_lock lock(mutex_);
  while (auto job = NextJob(lock)) {
    lock.unlock();
    Execute(*job);
    lock.lock();
    if (job->writes()) busy_pipelines_.erase(PipelineKey(job->submission.pipeline));
    memory_free_ += job->memory();
    jobs_.erase(job->id);
    changed_.notify_all();
  }
}

RunContext Dispatcher::ContextWithoutRun(Observer& observer, Journal& journal) const {
  RunContext context;
  context.registry = &registry_;
  context.clock = &clock_;
  context.ids = &ids_;
  context.observer = &observer;
  context.journal = &journal;
  context.state_dir = options_.state_dir;
  context.owner = options_.owner;
  context.worker_threads = options_.threads_per_run;
  return context;
}

RunContext Dispatcher::ContextFor(const Job& job, Observer& observer,
                                  Journal& journal) const {
  RunContext context = ContextWithoutRun(observer, journal);
  context.run_id = job.id;
  context.owner = options_.owner + "/" + job.id;
  return context;
}

arrow::Result<std::vector<std::string>> Dispatcher::Completed(
    const PipelineDocument& pipeline, const Lease& lease) {
  std::vector<std::string> streams;
  if (lease.attempt <= 1) return streams;
  ARROW_ASSIGN_OR_RAISE(const auto chains, store_.cursors().List(pipeline.project.name +
                                                                 "/" + pipeline.name));
  for (const auto& chain : chains) {
    if (chain.checkpoint && chain.checkpoint->run == lease.run_id) {
      streams.push_back(chain.key.stream);
    }
  }
  return streams;
}

void Dispatcher::Execute(Job& job) {
  const auto& submission = job.submission;
  RunResult result;
  Lease lease;
  auto claimed = store_.runs().Claim(job.id, FormatTime(clock_.Now()));
  if (claimed.ok()) {
    lease = *claimed;
    job.feed->AddState("RUNNING");
    StateJournal journal(store_, clock_, lease);
    FeedObserver observer(*job.feed, log_, submission.redactor, job.id);
    RunOptions options = submission.options;
    auto completed = Completed(submission.pipeline, lease);
    if (completed.ok()) {
      options.completed_streams = std::move(*completed);
      result = options_.execute(submission.pipeline, options,
                                ContextFor(job, observer, journal), job.stop.get_token());
    } else {
      result.project = submission.pipeline.project.name;
      result.pipeline = submission.pipeline.name;
      result.state = RunState::kFailed;
      result.error = completed.status();
    }
    result.resumed = lease.attempt > 1;
  } else {
    result.project = submission.pipeline.project.name;
    result.pipeline = submission.pipeline.name;
    result.state = RunState::kFailed;
    result.error = claimed.status();
  }
  result.run = job.id;
  result.server = options_.server;
  RedactResult(result, submission.redactor);

  RunRecord record;
  record.id = job.id;
  record.project = result.project;
  record.pipeline = result.pipeline;
  record.document_hash = submission.document_hash;
  record.dry_run = submission.options.dry_run;
  record.resumed = result.resumed;
  record.attempt = lease.attempt;
  record.created_at = job.created_at;
  record.started_at = result.started_at;
  record.ended_at = result.ended_at;
  record.state = RunStateName(result.state);
  record.exit_code = result.ExitCode();
  record.result_json = result.ToJson();
  if (claimed.ok()) {
    const auto stored = store_.runs().Finish(lease, OutcomeOf(result));
    // The data is committed or rolled back already; what is lost is a line of history.
    if (!stored.ok() && log_ != nullptr) {
      log_->Write(LogLevel::kError, "run_not_stored", stored.message(),
                  {{"run", job.id}});
    }
  }
  if (log_ != nullptr) {
    log_->Write(LogLevel::kInfo, "run_ended", record.state,
                {{"run", job.id}, {"pipeline", record.pipeline}});
  }
  Remember(job);
  job.feed->End(std::move(record));
}

void Dispatcher::Remember(const Job& job) {
  std::lock_guard lock(mutex_);
  ended_.emplace_back(job.id, job.feed);
  if (ended_.size() > kKeptFeeds) ended_.pop_front();
}

arrow::Result<RunRecord> Dispatcher::Get(std::string_view id) {
  ARROW_ASSIGN_OR_RAISE(auto run, store_.runs().Get(id));
  if (run) return *run;
  return MakeError(ErrorClass::kConfig, "run.not_found",
                   "there is no run " + std::string(id) + " in this state folder");
}

void Dispatcher::CancelJob(const std::shared_ptr<Job>& job) {
  job->stop.request_stop();
  job->feed->AddState("CANCELLING");
}

arrow::Result<RunRecord> Dispatcher::Cancel(std::string_view id) {
  std::shared_ptr<Job> job;
  bool waiting = false;
  {
    std::lock_guard lock(mutex_);
    const auto found = jobs_.find(id);
    if (found != jobs_.end()) {
      job = found->second;
      waiting = !job->started;
      if (waiting) {
        std::erase(queue_, job);
        jobs_.erase(found);
      }
    }
  }
  if (waiting) {
    EndUnstarted(job);
  } else if (job) {
    CancelJob(job);
  }
  ARROW_ASSIGN_OR_RAISE(auto run, Get(id));
  if (job && !IsTerminalRunState(run.state)) run.state = "CANCELLING";
  return run;
}

void Dispatcher::EndUnstarted(const std::shared_ptr<Job>& job) {
  RunResult result;
  result.project = job->submission.pipeline.project.name;
  result.pipeline = job->submission.pipeline.name;
  result.run = job->id;
  result.state = RunState::kCancelled;
  result.dry_run = job->submission.options.dry_run;
  result.started_at = result.ended_at = FormatTime(clock_.Now());
  result.server = options_.server;
  result.error = MakeError(ErrorClass::kCancelled, "run.cancelled",
                           "the run was cancelled before it began");
  const auto stored = store_.runs().Abandon(job->id, OutcomeOf(result));
  if (!stored.ok() && log_ != nullptr) {
    log_->Write(LogLevel::kError, "run_not_stored", stored.message(), {{"run", job->id}});
  }
  RunRecord record;
  record.id = job->id;
  record.project = result.project;
  record.pipeline = result.pipeline;
  record.created_at = job->created_at;
  record.ended_at = result.ended_at;
  record.dry_run = result.dry_run;
  record.state = RunStateName(result.state);
  record.exit_code = result.ExitCode();
  record.result_json = result.ToJson();
  Remember(*job);
  job->feed->End(std::move(record));
}

std::shared_ptr<RunFeed> Dispatcher::Feed(std::string_view id) const {
  std::lock_guard lock(mutex_);
  if (const auto found = jobs_.find(id); found != jobs_.end()) return found->second->feed;
  for (const auto& [run, feed] : ended_) {
    if (run == id) return feed;
  }
  return nullptr;
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
    const auto cancelled = Cancel(id);
    if (!cancelled.ok() && log_ != nullptr) {
      log_->Write(LogLevel::kWarning, "cancel_failed", cancelled.status().message(),
                  {{"run", id}});
    }
  }
}

void Dispatcher::Stop() {
  std::vector<std::string> waiting;
  std::vector<std::thread> workers;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& [id, job] : jobs_) {
      if (job->started) {
        job->stop.request_stop();
      } else {
        waiting.push_back(id);
      }
    }
    workers.swap(workers_);
  }
  for (const auto& id : waiting) (void)Cancel(id);
  changed_.notify_all();
  for (auto& worker : workers) worker.join();
}

}  // namespace dxt
