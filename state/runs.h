#pragma once
// Runs: what waits, what runs, and the history they form. See state_store.h for what
// holds for every call.
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/result.h>

#include "state/records.h"

namespace dxt {

struct AuditRecord;

/// A document as it was submitted, unresolved.
struct StoredDocument {
  std::string path;  ///< Absolute, or "".
  std::string text;
};

/// What made a run.
struct Trigger {
  std::string kind = "SUBMIT";  ///< SUBMIT SCHEDULE DEPENDENCY RETRY
  std::string source;           ///< The schedule's name, or the id of the run it follows.
  std::string scheduled_at;     ///< The tick, of SCHEDULE.
};

struct NewRun {
  std::string id;  ///< ULID: sorts by time of making.
  std::string project;
  std::string pipeline;
  std::string request_id;     ///< "" = none.
  std::string document_hash;  ///< Of both unresolved texts.
  StoredDocument pipeline_document;
  StoredDocument project_document;
  std::string options;  ///< Canonical text of the options, for comparison.
  bool dry_run = false;
  std::string created_at;  ///< RFC 3339, UTC, like every time below.

  std::string request_hash;  ///< Of all that was asked; "" = not compared.
  int priority = 0;          ///< Higher ones are claimed first.
  Trigger trigger;
  std::string retry_of;           ///< The run that this one repeats, or "".
  int64_t pipeline_revision = 0;  ///< Of the stored pipeline; 0 = the document was sent.
  std::string not_before;         ///< Waits until then; "" = runs at once.
  /// Bytes from Sealer::Seal with this run's id; "" = none. Erased when the run ends.
  std::string sealed_input;
  /// Of a follow-up: made only if all dependencies of its pipeline are satisfied, judged
  /// in the transaction that ends the upstream run.
  bool if_upstreams_succeeded = false;
};

struct RunRecord {
  std::string id, project, pipeline, document_hash, options;
  std::string state;  ///< QUEUED RUNNING CANCELLING SUCCEEDED PARTIAL FAILED CANCELLED
  bool dry_run = false;
  bool resumed = false;      ///< Claimed a second time, after an interruption.
  bool interrupted = false;  ///< Its process ended, or its lease expired, before it did.
  int64_t attempt = 0;       ///< Claims so far.
  std::string created_at, started_at, ended_at;
  std::optional<int> exit_code;
  std::string result_json;  ///< Redacted; "" until the run has ended.

  std::string request_id;
  int priority = 0;
  Trigger trigger;
  std::string retry_of;
  int64_t pipeline_revision = 0;
  std::string not_before;
  std::string cancel_reason;
  /// W3C trace context of the call that made it. Not stored.
  std::string traceparent;
};

/// True for SUCCEEDED, PARTIAL, FAILED and CANCELLED.
bool IsTerminalRunState(std::string_view state);

/// A worker's right to write on behalf of a run. The next claim ends it, and so does
/// RunStore::Expire.
struct Lease {
  std::string run_id;
  int64_t attempt = 0;
};

struct RunOutcome {
  std::string state;
  int exit_code = 0;
  std::string result_json;
  std::string ended_at;
  /// The dependencies on this pipeline are satisfied by the run: it succeeded, and it
  /// moved what its dependents wait for.
  bool satisfies = false;
  /// What it logged and is not stored yet: goes into the log with the end.
  std::vector<LogRecord> last_lines = {};
};

struct CreatedRun {
  RunRecord run;
  bool existed = false;  ///< `request_id` was used before; this is its run.
};

/// Every condition that is set must hold. Project with pipeline, states and ids are
/// looked up; any other condition is tried on run after run until `limit` of them fit.
struct RunQuery {
  std::string project;    ///< "" = all.
  std::string pipeline;   ///< "" = all.
  std::string before_id;  ///< Only older ones; "" = no bound.
  int limit = 50;

  std::string after_id;             ///< Only newer ones; "" = no bound.
  bool ascending = false;           ///< Oldest first.
  std::vector<std::string> states;  ///< Any of them; empty = all.
  std::string trigger;              ///< A Trigger::kind; "" = all.
  std::optional<bool> dry_run;
  std::string created_from, created_before;  ///< Inclusive, exclusive; "" = no bound.
  std::string ended_from,
      ended_before;  ///< Likewise; either excludes what has not ended.
};

struct RunStats {
  std::vector<std::pair<std::string, int64_t>>
      by_state;                  ///< States without a run are absent.
  std::string oldest_queued_at;  ///< `created_at`; "" when none waits.
};

/// What a run executes: to go on after a restart, or to repeat it.
struct StoredInput {
  StoredDocument pipeline_document, project_document;
  std::string options;
  std::string sealed_input;  ///< "" once the run has ended.
};

class RunStore {
 public:
  virtual ~RunStore() = default;
  /// The same `request_id` with the same `request_hash` gives the run that it made; with
  /// another hash kConfig `run.request_reused`. Kept for 7 days at least.
  virtual arrow::Result<CreatedRun> Create(const NewRun& run,
                                           const AuditRecord* audit = nullptr) = 0;
  virtual arrow::Result<std::optional<RunRecord>> Get(std::string_view id) = 0;
  /// Newest first, unless `ascending`.
  virtual arrow::Result<std::vector<RunRecord>> List(const RunQuery& query) = 0;
  /// All that wait, in the order they are to be claimed: by priority, then by age.
  virtual arrow::Result<std::vector<RunRecord>> Queued() = 0;
  /// All that an earlier process, or a worker whose lease expired, began and did not end;
  /// oldest first.
  virtual arrow::Result<std::vector<RunRecord>> Interrupted() = 0;
  virtual arrow::Result<std::optional<StoredInput>> Input(std::string_view id) = 0;
  virtual arrow::Result<RunStats> Stats() = 0;

  /// QUEUED, or interrupted, becomes RUNNING under a new attempt. kFenced `run.fenced`
  /// when it is held by a living worker, was asked to cancel before it began, or has
  /// ended.
  virtual arrow::Result<Lease> Claim(std::string_view id, std::string_view now) = 0;
  /// Non-terminal states only: QUEUED, RUNNING, CANCELLING.
  virtual arrow::Status SetState(const Lease& lease, std::string_view state) = 0;
  /// QUEUED or RUNNING becomes CANCELLING, with the reason; a queued one can no longer be
  /// claimed and is for Abandon. One that has ended is returned unchanged. kConfig
  /// `run.not_found`.
  virtual arrow::Result<RunRecord> RequestCancel(std::string_view id,
                                                 std::string_view reason,
                                                 const AuditRecord* audit = nullptr) = 0;
  /// Ends the run, stores its last lines, erases its input, satisfies its dependents if
  /// `outcome` says so, and then makes its follow-ups (dependents, an automatic retry):
  /// all in one transaction. Returns the runs that were made.
  virtual arrow::Result<std::vector<RunRecord>> Finish(
      const Lease& lease, const RunOutcome& outcome,
      std::span<const NewRun> follow_ups) = 0;
  arrow::Status Finish(const Lease& lease, const RunOutcome& outcome) {
    return Finish(lease, outcome, {}).status();
  }
  /// Ends a run that no worker holds: a queued one that is cancelled, an interrupted one
  /// that is given up. kFenced when a worker holds it.
  virtual arrow::Status Abandon(std::string_view id, const RunOutcome& outcome) = 0;
  /// Voids the lease of a worker that is stuck or gone: the run is interrupted and can be
  /// claimed again. kFenced when no worker holds it.
  virtual arrow::Status Expire(std::string_view id) = 0;
  /// The newest interrupted run of a pipeline.
  virtual arrow::Result<std::optional<RunRecord>> FindInterrupted(
      std::string_view project, std::string_view pipeline) = 0;
  /// Forgets runs that ended before `before` and are not among the newest
  /// `keep_per_pipeline` of their pipeline, with their logs; ticks older than `before`,
  /// but each schedule's newest. Keeps requests younger than 7 days at `now`. Deletes
  /// slice by slice, so that writers go on; meant for a maintenance thread. Returns how
  /// many runs went.
  virtual arrow::Result<int64_t> Prune(std::string_view before, int64_t keep_per_pipeline,
                                       std::string_view now) = 0;
};

}  // namespace dxt
