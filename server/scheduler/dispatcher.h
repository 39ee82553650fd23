#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/secret.h"
#include "engine/run/engine.h"
#include "server/scheduler/run_feed.h"
#include "server/scheduler/run_queue.h"
#include "server/scheduler/submission.h"
#include "state/state_store.h"

namespace dxt {

class Log;
class LogWriter;
class RunListener;
class RunSource;

/// ExecuteRun, or what a test puts in its place.
using RunExecutor = std::function<RunResult(const PipelineDocument&, const RunOptions&,
                                            const RunContext&, std::stop_token)>;

struct DispatcherOptions {
  RunExecutor execute = ExecuteRun;
  /// ParseDocuments, or what a test puts in its place; unset = with the registry.
  std::function<ParsedDocuments(const DocumentInputs&)> parse;
  std::filesystem::path state_dir;
  /// Runs that execute at a time; storing the end of one is no part of it.
  int max_workers = 16;
  bool own_threads = true;  ///< Else the caller begins and ends runs itself.
  int threads_per_run = 2;
  int64_t memory_budget = 1 << 30;  ///< Shared by the runs that execute.
  std::string server = "private";   ///< RunResult::server.
  std::string owner;                ///< host/boot/pid, for fences.
  /// What is unfinished goes on by itself (Recover); else with the next submission of the
  /// same pipeline.
  bool resumes = false;
  /// A worker that did not return this long after it was asked to stop is given up.
  std::chrono::milliseconds stuck_after = std::chrono::seconds(60);
  /// Of stored pipelines, for dependents and schedules; may be null.
  RunSource* source = nullptr;
  /// Encrypt and decrypt RunInput::Encode under a run's id. Unset = inputs are not kept,
  /// and a run whose document has variables cannot go on after a restart.
  std::function<arrow::Result<std::string>(std::string_view run, std::string_view bytes)>
      seal, unseal;
  std::vector<RunListener*> listeners;
  /// Asked before a run executes, whatever made it: what this dxtd may not do for it.
  /// Unset = everything is permitted.
  std::function<arrow::Status(const PipelineDocument&)> permit;
  /// A submitted project's `logging` moves the daemon's log; for private ones.
  bool project_logging = true;
  bool store_logs = true;
};

struct DispatcherStatus {
  int workers = 0, busy = 0;
  size_t queued = 0;
  double oldest_queued_seconds = 0;
  int64_t memory_budget = 0, memory_reserved = 0;
  bool draining = false;
};

/// Queues runs, executes them on worker threads, keeps their feeds. The store is the
/// truth: whatever Submit returned survives a crash. Safe from any thread.
class Dispatcher {
 public:
  /// A run that was begun and has not ended.
  struct Job;

  /// `log` may be null; everything handed in must outlive the dispatcher.
  Dispatcher(DispatcherOptions options, const ConnectorRegistry& registry, Clock& clock,
             IdSource& ids, StateStore& store, Log* log);
  /// Stops as Stop does.
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  /// Once, before anything else, where `resumes`: queues what an earlier process had
  /// queued, and what it had begun goes on or fails, as its `runtime.on_interrupt` says.
  arrow::Status Recover();

  /// Stores and queues a run, or without `resumes` continues an interrupted one of the
  /// same pipeline. Does not wait for it. kConfig "run.memory" when it can never fit the
  /// budget, "selector.…" of a selection that the run would refuse, "run.request_reused";
  /// kTransient "server.draining".
  arrow::Result<RunRecord> Submit(Submission submission,
                                  const AuditRecord* audit = nullptr);
  /// Checks what Submit checks, and stores nothing.
  arrow::Status Check(const Submission& submission) const;
  /// A new run of the streams of a run that did not succeed, with its document, revision
  /// and values. kConfig "run.not_found", "run.not_retryable" (it has not ended, or it
  /// succeeded), "run.input_gone" (its values were erased at its end).
  arrow::Result<RunRecord> Retry(std::string_view id, std::string request_id,
                                 const AuditRecord* audit = nullptr);
  /// Asks a run to stop; one that waits ends at once, one that has ended is returned as
  /// it is. kConfig "run.not_found".
  arrow::Result<RunRecord> Cancel(std::string_view id, std::string_view reason = {},
                                  const AuditRecord* audit = nullptr);
  arrow::Result<RunRecord> Get(std::string_view id);
  /// Why a run waits, or "".
  std::string WaitingFor(std::string_view id) const;
  /// Of a run that executes, waits, or ended not long ago; null otherwise.
  std::shared_ptr<RunFeed> Feed(std::string_view id) const;
  /// Cancels every run of a client that went away.
  void CancelAttachment(std::string_view attachment);

  /// One tick of a schedule becomes a run, or is noted as skipped (`tick.outcome` empty =
  /// decide; else it is stored as it is). `next_at` is the schedule's new due time.
  /// kFenced "schedule.tick_fired" when this tick was stored before.
  arrow::Result<TickRecord> FireTick(const ScheduleRecord& schedule, TickRecord tick,
                                     std::string_view next_at);
  /// Runs a schedule's pipeline now, beside its ticks.
  arrow::Result<RunRecord> Trigger(const ScheduleRecord& schedule, std::string request_id,
                                   const AuditRecord* audit = nullptr);

  /// Begins no further run, gives those that execute `grace` to end, then stops them.
  /// They are released for the next process. What waits, waits. Blocks.
  void Drain(std::chrono::milliseconds grace);
  /// Cancels everything that was not drained and waits until it has rolled back.
  void Stop();

  DispatcherStatus Status() const;

  /// The services of work that is no run (list, test, discover, preview).
  RunContext ContextWithoutRun(Observer& observer, Journal& journal) const;

  // For a caller that executes runs itself (`own_threads` false).

  /// The next run, claimed and in one of the workers' places; null when none may execute
  /// now. A run that is not returned here stays QUEUED.
  std::shared_ptr<Job> Begin();
  /// Frees its place, stores what came of it, and makes its dependents in the same
  /// transaction.
  void End(const std::shared_ptr<Job>& job, RunResult result);
  static const std::string& IdOf(const Job& job);
  static std::stop_token StopOf(const Job& job);
  /// Acts on time-outs and stuck workers that are due.
  void CheckAlarms();

 private:
  using JobPtr = std::shared_ptr<Job>;
  enum class StopReason : uint8_t { kNone, kCancel, kTimeout, kDrain };
  struct Admission {
    bool made = true;
    std::string reason;                 ///< Why not.
    std::vector<std::string> replaced;  ///< Runs to cancel once it is made.
  };

  arrow::Result<std::optional<RunRecord>> Resume(const Submission& submission);
  /// Makes the log what the project's `logging` says; without it, it stays as it is.
  arrow::Status ConfigureLog(const ProjectDocument& project);
  arrow::Result<NewRun> Stored(const Submission& submission);
  arrow::Result<JobPtr> Restored(const RunRecord& run);
  /// Queues a stored run again, or ends it.
  void RecoverRun(const RunRecord& run);
  Admission Admit(const Submission& submission, const ScheduleRecord* schedule) const;
  JobPtr MakeJob(RunRecord run, Submission submission) const;
  void Enqueue(JobPtr job);
  void Adopt(RunRecord run, Submission submission,
             const std::vector<std::string>& replaced);

  /// Streams that the run committed before it was interrupted.
  arrow::Result<std::vector<std::string>> Completed(const RunRecord& run);
  /// Streams of an ended run that need not be run again.
  arrow::Result<std::vector<std::string>> Succeeded(const RunRecord& run);
  void RequestStop(Job& job, StopReason reason);
  void GiveUp(const JobPtr& job);
  void SetAlarm(const JobPtr& job, std::chrono::milliseconds in);
  void Watch(std::stop_token stop);
  /// Ends a run that no worker holds.
  void EndUnheld(const JobPtr& job, RunState state, const arrow::Status& why);
  RunResult ResultOf(const Job& job, RunState state, const arrow::Status& why) const;
  void Tell(const JobPtr& job, const RunResult& result, const RunOutcome& outcome);
  std::vector<NewRun> FollowUps(const Job& job, const RunResult& result,
                                std::map<std::string, Submission>& submissions,
                                std::map<std::string, Admission>& admissions);
  void Started(const JobPtr& job, std::chrono::system_clock::time_point now);
  void Settle(const JobPtr& job, RunResult& result);
  /// True when an end that the store refused like this is worth another try.
  bool MayBeStored(const arrow::Status& refused, int attempt) const;
  void Release(const JobPtr& job);
  /// The next run of the queue, RUNNING from here on.
  JobPtr Claim();
  /// Its worker's place is free for the next run.
  void LeavePlace(Job& job);
  void Work();
  RunResult Execute(Job& job);
  RunContext ContextFor(const Job& job, Observer& observer, Journal& journal) const;
  void Warn(std::string_view event, const arrow::Status& status, std::string_view run);

  const DispatcherOptions options_;
  const ConnectorRegistry& registry_;
  Clock& clock_;
  IdSource& ids_;
  StateStore& store_;
  Log* const log_;
  const std::unique_ptr<LogWriter> run_logs_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false, draining_ = false;
  bool claims_fail_ = false;  ///< The store refused the last one.
  uint64_t changes_ = 0;      ///< Grows with all that may let a run begin.
  int idle_workers_ = 0;
  int lost_workers_ = 0;  ///< Given up, and not returned yet.
  int places_taken_ = 0;  ///< By runs that are begun or execute.
  RunQueue queue_;
  std::map<std::string, JobPtr, std::less<>> jobs_;  ///< Not ended.
  std::deque<std::pair<std::string, std::shared_ptr<RunFeed>>> ended_;
  std::multimap<std::chrono::steady_clock::time_point, std::weak_ptr<Job>> alarms_;
  std::condition_variable_any alarms_changed_;
  std::vector<std::thread> workers_;
  std::jthread watch_;
};

}  // namespace dxt
