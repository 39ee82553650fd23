#pragma once
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/secret.h"
#include "engine/run/engine.h"
#include "server/scheduler/run_feed.h"
#include "state/state_store.h"

namespace dxt {

class Log;

/// What a client asks to be run.
struct Submission {
  PipelineDocument pipeline;
  RunOptions options;
  std::string options_text;   ///< Canonical text of `options`, without `fresh`.
  std::string document_hash;  ///< Of both unresolved texts and their paths.
  StoredDocument pipeline_document, project_document;
  Redactor redactor;
  std::string request_id;
  std::string attachment;  ///< "" = belongs to no client.
};

/// ExecuteRun, or what a test puts in its place.
using RunExecutor = std::function<RunResult(const PipelineDocument&, const RunOptions&,
                                            const RunContext&, std::stop_token)>;

struct DispatcherOptions {
  RunExecutor execute = ExecuteRun;
  std::filesystem::path state_dir;
  int max_workers = 16;  ///< Runs at a time.
  int threads_per_run = 2;
  int64_t memory_budget = 1 << 30;  ///< Shared by the runs that execute.
  std::string server = "private";   ///< RunResult::server.
  std::string owner;                ///< host/boot/pid, for fences.
};

/// Queues runs, executes them on worker threads, keeps their feeds. Safe from any thread.
class Dispatcher {
 public:
  /// `log` may be null; everything handed in must outlive the dispatcher.
  Dispatcher(DispatcherOptions options, const ConnectorRegistry& registry, Clock& clock,
             IdSource& ids, StateStore& store, Log* log);
  /// Stops as Stop does.
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  /// Stores and queues a run, or continues an interrupted one of the same pipeline. Does
  /// not wait for it. kConfig "run.memory" when it can never fit the budget.
  arrow::Result<RunRecord> Submit(Submission submission);
  /// Asks a run to stop; one that has ended is returned as it is. kConfig
  /// "run.not_found".
  arrow::Result<RunRecord> Cancel(std::string_view id);
  arrow::Result<RunRecord> Get(std::string_view id);
  /// Of a run that executes, waits, or ended not long ago; null otherwise.
  std::shared_ptr<RunFeed> Feed(std::string_view id) const;
  /// Cancels every run of a client that went away.
  void CancelAttachment(std::string_view attachment);
  /// Cancels everything and waits until it has rolled back.
  void Stop();

  /// The services of work that is no run (list, test, discover, preview).
  RunContext ContextWithoutRun(Observer& observer, Journal& journal) const;

 private:
  struct Job;

  arrow::Result<std::optional<RunRecord>> Resume(const Submission& submission);
  /// Makes the log what the project's `logging` says; without it, it stays as it is.
  arrow::Status ConfigureLog(const ProjectDocument& project);
  /// The streams that this run committed before it was interrupted.
  arrow::Result<std::vector<std::string>> Completed(const PipelineDocument& pipeline,
                                                    const Lease& lease);
  arrow::Result<RunRecord> Store(const Submission& submission);
  void Enqueue(std::shared_ptr<Job> job);
  void CancelJob(const std::shared_ptr<Job>& job);
  void EndUnstarted(const std::shared_ptr<Job>& job);
  void Remember(const Job& job);
  std::shared_ptr<Job> NextJob(std::unique_lock<std::mutex>& lock);
  void Work();
  void Execute(Job& job);
  RunContext ContextFor(const Job& job, Observer& observer, Journal& journal) const;

  const DispatcherOptions options_;
  const ConnectorRegistry& registry_;
  Clock& clock_;
  IdSource& ids_;
  StateStore& store_;
  Log* const log_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  int idle_workers_ = 0;
  int64_t memory_free_;
  std::deque<std::shared_ptr<Job>> queue_;
  std::map<std::string, std::shared_ptr<Job>, std::less<>> jobs_;  ///< Not ended.
  std::set<std::string> busy_pipelines_;
  std::deque<std::pair<std::string, std::shared_ptr<RunFeed>>> ended_;
  std::vector<std::thread> workers_;
};

}  // namespace dxt
