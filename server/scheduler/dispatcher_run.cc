// How a run is begun, executed and ended.
#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/time_text.h"
#include "server/scheduler/catalog.h"
#include "server/scheduler/feed_observer.h"
#include "server/scheduler/job.h"
#include "server/scheduler/log_writer.h"
#include "server/scheduler/redaction.h"
#include "server/scheduler/run_listener.h"
#include "server/scheduler/state_journal.h"

namespace dxt {

namespace {

// A full disk, say, is emptied by people: about an hour.
constexpr int kStoreAttempts = 750;
constexpr int kLastStoreAttempts = 5;
constexpr std::chrono::milliseconds kStoreWait{200};
constexpr std::chrono::milliseconds kMostStoreWait{5000};

}  // namespace

const std::string& Dispatcher::IdOf(const Job& job) { return job.run.id; }

std::stop_token Dispatcher::StopOf(const Job& job) { return job.stop.get_token(); }

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
  context.run_id = job.run.id;
  context.owner = options_.owner + "/" + job.run.id;
  return context;
}

arrow::Result<std::vector<std::string>> Dispatcher::Completed(const RunRecord& run) {
  std::vector<std::string> streams;
  ARROW_ASSIGN_OR_RAISE(const auto chains,
                        store_.cursors().List(run.project + "/" + run.pipeline));
  for (const auto& chain : chains) {
    if (chain.checkpoint && chain.checkpoint->run == run.id) {
      streams.push_back(chain.key.stream);
    }
  }
  return streams;
}

Dispatcher::JobPtr Dispatcher::Begin() {
  std::unique_lock lock(mutex_);
  if (places_taken_ >= options_.max_workers) return nullptr;
  // Held from before the claim: a run that is claimed has nothing more to wait for.
  ++places_taken_;
  lock.unlock();
  JobPtr job = Claim();
  lock.lock();
  // One that was given up already needs no place.
  const bool executes = job && !job->lost;
  if (executes) job->executes = true;
  if (!executes) --places_taken_;
  return job;
}

Dispatcher::JobPtr Dispatcher::Claim() {
  while (true) {
    JobPtr job;
    {
      std::lock_guard lock(mutex_);
      if (draining_) return nullptr;
      const auto id = queue_.Take();
      if (!id) return nullptr;
      job = jobs_.find(*id)->second;
    }
    const auto now = clock_.Now();
    auto claimed = store_.runs().Claim(job->run.id, FormatTime(now));
    if (claimed.ok()) {
      job->lease = *claimed;
      Started(job, now);
      return job;
    }
    if (GetErrorInfo(claimed.status()).error_class != ErrorClass::kFenced) {
      // A full disk, say. The run waits on, and workers ask again after a while, unless
      // a client waits with it.
      Warn("claim_failed", claimed.status(), job->run.id);
      if (options_.resumes || ++job->claims_failed < kLastStoreAttempts) {
        std::lock_guard lock(mutex_);
        queue_.Done(job->run.id);
        queue_.Add(QueuedOf(job->run, job->submission));
        claims_fail_ = true;
        return nullptr;
      }
      Release(job);
      EndUnheld(job, RunState::kFailed, claimed.status());
      continue;
    }
    // Cancelled between the queue and the claim.
    Release(job);
    EndUnheld(job, RunState::kCancelled,
              MakeError(ErrorClass::kCancelled, "run.cancelled",
                        "the run was cancelled before it began"));
  }
}

void Dispatcher::Started(const JobPtr& job, std::chrono::system_clock::time_point now) {
  const auto queued = ParseUtcTime(job->run.created_at).value_or(now);
  job->run.state = "RUNNING";
  job->run.attempt = job->lease.attempt;
  if (job->run.started_at.empty()) job->run.started_at = FormatTime(now);
  for (auto* listener : options_.listeners) {
    listener->OnStarted(job->run, std::chrono::duration<double>(now - queued).count());
  }
  job->feed->AddState("RUNNING");
  const auto timeout = job->submission.pipeline.runtime.timeout_ms;
  {
    std::lock_guard lock(mutex_);
    claims_fail_ = false;
    job->held = true;
    // A stop that came before there was anything to stop.
    if (job->stop_reason != StopReason::kNone) job->stop.request_stop();
    if (timeout) job->times_out = clock_.Tick() + std::chrono::milliseconds(*timeout);
  }
  if (timeout) SetAlarm(job, std::chrono::milliseconds(*timeout));
}

RunResult Dispatcher::Execute(Job& job) {
  if (options_.permit) {
    const auto refused = options_.permit(job.submission.pipeline);
    if (!refused.ok()) return ResultOf(job, RunState::kFailed, refused);
  }
  StateJournal journal(store_, clock_, job.lease, &job.submission.redactor);
  FeedObserver::Ears ears;
  ears.feed = job.feed.get();
  ears.log = log_;
  ears.stored = run_logs_.get();
  ears.listeners = &options_.listeners;
  FeedObserver observer(ears, job.submission.redactor, clock_, job.run.id);
  RunOptions options = job.submission.options;
  if (job.lease.attempt > 1) {
    auto completed = Completed(job.run);
    if (!completed.ok()) return ResultOf(job, RunState::kFailed, completed.status());
    options.completed_streams = std::move(*completed);
  }
  return options_.execute(job.submission.pipeline, options,
                          ContextFor(job, observer, journal), job.stop.get_token());
}

void Dispatcher::Settle(const JobPtr& job, RunResult& result) {
  result.run = job->run.id;
  result.server = options_.server;
  result.resumed = job->lease.attempt > 1;
  StopReason reason;
  {
    std::lock_guard lock(mutex_);
    reason = job->stop_reason;
  }
  const bool stopped =
      result.state == RunState::kCancelled || result.state == RunState::kPartial;
  if (reason == StopReason::kTimeout && stopped) {
    if (result.state == RunState::kCancelled) result.state = RunState::kFailed;
    result.error = MakeError(
        ErrorClass::kTransient, "run.timeout",
        "the run lasted longer than runtime.timeout and was stopped; what its streams "
        "had committed stays",
        "dxtctl runs retry " + job->run.id + ", or raise runtime.timeout");
  }
  RedactResult(result, job->submission.redactor);
}

std::vector<NewRun> Dispatcher::FollowUps(const Job& job, const RunResult& result,
                                          std::map<std::string, Submission>& submissions,
                                          std::map<std::string, Admission>& admissions) {
  std::vector<NewRun> follow_ups;
  if (options_.source == nullptr) return follow_ups;
  const auto names = store_.dependencies().Downstreams(job.run.project, job.run.pipeline);
  if (!names.ok()) {
    Warn("dependents_not_read", names.status(), job.run.id);
    return follow_ups;
  }
  for (const auto& name : *names) {
    auto prepared = options_.source->Prepare(job.run.project, name, {}, {});
    if (prepared.ok()) {
      prepared->trigger = {"DEPENDENCY", job.run.id, ""};
      auto admission = Admit(*prepared, nullptr);
      if (!admission.made) continue;
      auto stored = Stored(*prepared);
      if (stored.ok()) {
        stored->if_upstreams_succeeded = true;
        submissions.emplace(stored->id, std::move(*prepared));
        admissions.emplace(stored->id, std::move(admission));
        follow_ups.push_back(std::move(*stored));
        continue;
      }
      prepared = stored.status();
    }
    // Its dependencies stay satisfied: the next upstream run asks again.
    Warn("dependent_not_made", prepared.status(), job.run.id);
  }
  return follow_ups;
}

bool Dispatcher::MayBeStored(const arrow::Status& refused, int attempt) const {
  if (!IsRetryable(GetErrorInfo(refused).error_class)) return false;
  std::lock_guard lock(mutex_);
  // One that ends soon leaves the run to the next process, as an interrupted one; so does
  // one with a client who waits for it.
  const bool ending = stopping_ || draining_ || !options_.resumes;
  return attempt < (ending ? kLastStoreAttempts : kStoreAttempts);
}

void Dispatcher::End(const JobPtr& job, RunResult result) {
  Settle(job, result);
  bool lost, released;
  {
    std::lock_guard lock(mutex_);
    // The next run is claimed while this one is stored, by the same sync.
    LeavePlace(*job);
    lost = job->lost;
    released = job->stop_reason == StopReason::kDrain &&
               result.state != RunState::kSucceeded && result.state != RunState::kFailed;
  }
  if (lost) return;
  if (released) {
    // For the next process to go on with.
    Warn("run_not_released", store_.runs().Expire(job->run.id), job->run.id);
    Release(job);
    return;
  }
  RunOutcome outcome = OutcomeOf(result);
  outcome.satisfies = result.state == RunState::kSucceeded && !job->run.dry_run &&
                      job->submission.options.phase != RunOptions::Phase::kExtract;
  std::map<std::string, Submission> submissions;
  std::map<std::string, Admission> admissions;
  std::vector<NewRun> follow_ups;
  if (outcome.satisfies) follow_ups = FollowUps(*job, result, submissions, admissions);
  if (run_logs_) outcome.last_lines = run_logs_->Take(job->run.id);
  auto made = store_.runs().Finish(job->lease, outcome, follow_ups);
  for (int attempt = 1; !made.ok() && MayBeStored(made.status(), attempt); ++attempt) {
    clock_.WaitUntil(clock_.Tick() + std::min(attempt * kStoreWait, kMostStoreWait), {});
    made = store_.runs().Finish(job->lease, outcome, follow_ups);
  }
  if (!made.ok()) {
    for (auto& line : outcome.last_lines) run_logs_->Add(job->run.id, std::move(line));
  }
  {
    std::lock_guard lock(mutex_);
    if (job->lost) return;  // It was given up meanwhile.
  }
  // The data is committed or rolled back already; the next start looks what became of it.
  Warn("run_not_stored", made.status(), job->run.id);
  Release(job);
  Tell(job, result, outcome);
  if (!made.ok()) return;
  for (auto& run : *made) {
    const std::string id = run.id;
    Adopt(std::move(run), std::move(submissions.at(id)), admissions.at(id).replaced);
  }
}

void Dispatcher::Release(const JobPtr& job) {
  std::lock_guard lock(mutex_);
  queue_.Done(job->run.id);
  jobs_.erase(job->run.id);
  // Whoever asks for its feed before the end is told finds it all the same.
  ended_.emplace_back(job->run.id, job->feed);
  ++changes_;
  changed_.notify_all();
}

void Dispatcher::LeavePlace(Job& job) {
  if (!std::exchange(job.executes, false)) return;
  --places_taken_;
  ++changes_;
  changed_.notify_one();
}

void Dispatcher::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    const uint64_t seen = changes_;
    lock.unlock();
    const JobPtr job = Begin();
    if (job) End(job, Execute(*job));
    lock.lock();
    if (job && job->lost) {
      --lost_workers_;
      return;
    }
    if (job) continue;
    if (stopping_ && (draining_ || queue_.waiting() == 0)) return;
    ++idle_workers_;
    const auto more = [&] { return changes_ != seen; };
    if (claims_fail_) {
      changed_.wait_for(lock, std::chrono::seconds(1), more);
    } else {
      changed_.wait(lock, more);
    }
    --idle_workers_;
  }
}

}  // namespace dxt
