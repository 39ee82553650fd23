#pragma once
// What dxtd remembers between processes: runs, cursors, intents, packages. Facets over
// one database; every call is one transaction, durable when it returns, and safe from any
// thread.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

namespace dxt {

/// A document as it was submitted, unresolved.
struct StoredDocument {
  std::string path;  ///< Absolute, or "".
  std::string text;
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
};

struct RunRecord {
  std::string id, project, pipeline, document_hash, options;
  std::string state;  ///< QUEUED RUNNING CANCELLING SUCCEEDED PARTIAL FAILED CANCELLED
  bool dry_run = false;
  bool resumed = false;      ///< Claimed a second time, after an interruption.
  bool interrupted = false;  ///< Its process ended before it did.
  int64_t attempt = 0;       ///< Claims so far.
  std::string created_at, started_at, ended_at;
  std::optional<int> exit_code;
  std::string result_json;  ///< Redacted; "" until the run has ended.
};

/// True for SUCCEEDED, PARTIAL, FAILED and CANCELLED.
bool IsTerminalRunState(std::string_view state);

/// A worker's right to write on behalf of a run. The next claim ends it.
struct Lease {
  std::string run_id;
  int64_t attempt = 0;
};

struct RunOutcome {
  std::string state;
  int exit_code = 0;
  std::string result_json;
  std::string ended_at;
};

struct CreatedRun {
  RunRecord run;
  bool existed = false;  ///< `request_id` was used before; this is its run.
};

struct RunQuery {
  std::string project;    ///< "" = all.
  std::string pipeline;   ///< "" = all.
  std::string before_id;  ///< Only older ones; "" = from the newest.
  int limit = 50;
};

/// Runs and the history they form.
class RunStore {
 public:
  virtual ~RunStore() = default;
  virtual arrow::Result<CreatedRun> Create(const NewRun& run) = 0;
  virtual arrow::Result<std::optional<RunRecord>> Get(std::string_view id) = 0;
  /// Newest first.
  virtual arrow::Result<std::vector<RunRecord>> List(const RunQuery& query) = 0;
  /// QUEUED, or interrupted, becomes RUNNING under a new attempt. kFenced when the run is
  /// claimed by a living worker or has ended.
  virtual arrow::Result<Lease> Claim(std::string_view id, std::string_view now) = 0;
  /// Non-terminal states only: QUEUED, RUNNING, CANCELLING.
  virtual arrow::Status SetState(const Lease& lease, std::string_view state) = 0;
  virtual arrow::Status Finish(const Lease& lease, const RunOutcome& outcome) = 0;
  /// Ends a run that no worker holds: a queued one that is cancelled, an interrupted one
  /// that is given up. kFenced when a worker holds it.
  virtual arrow::Status Abandon(std::string_view id, const RunOutcome& outcome) = 0;
  /// The newest interrupted run of a pipeline.
  virtual arrow::Result<std::optional<RunRecord>> FindInterrupted(
      std::string_view project, std::string_view pipeline) = 0;
};

/// Whose cursor: one chain of windows.
struct ChainKey {
  std::string pipeline;  ///< "<project>/<pipeline>".
  std::string stream;
  std::string lane = "sync";
};

/// One committed, or about to be committed, window of a chain.
struct Checkpoint {
  int64_t window_seq = 0;
  std::string load_id, run, cursor_before, cursor_after, read_from;
  int64_t rows = 0, rows_deleted = 0;
  std::string mode, schema_hash, package_hash, fingerprint, target, target_ident,
      committed_at;
};

/// What a user asked of a chain's cursor, waiting for the next commit.
struct Directive {
  enum class Kind : uint8_t { kReset, kAccept, kSet };
  Kind kind = Kind::kReset;
  std::string value;  ///< Of kSet.
  std::string made_at;
};

/// A chain with all that is stored of it.
struct ChainRecord {
  ChainKey key;
  std::optional<Checkpoint> checkpoint;
  std::optional<Directive> directive;
  std::string updated_at;
};

class CursorStore {
 public:
  virtual ~CursorStore() = default;
  virtual arrow::Result<std::optional<Checkpoint>> Load(const ChainKey& key) = 0;
  /// Replaces the checkpoint, uses the chain's directive up and settles the intent of
  /// `checkpoint.load_id`, in one transaction.
  virtual arrow::Status Save(const Lease& lease, const ChainKey& key,
                             const Checkpoint& checkpoint, std::string_view now) = 0;
  /// By pipeline ("" = all), stream, lane.
  virtual arrow::Result<std::vector<ChainRecord>> List(std::string_view pipeline) = 0;
  virtual arrow::Result<std::optional<Directive>> GetDirective(const ChainKey& key) = 0;
  virtual arrow::Status SetDirective(const ChainKey& key, const Directive& directive) = 0;
};

/// Loads that are about to be committed: what a crash leaves to be looked up.
class IntentStore {
 public:
  virtual ~IntentStore() = default;
  virtual arrow::Status Record(const Lease& lease, const ChainKey& key,
                               const Checkpoint& intended) = 0;
  virtual arrow::Result<std::optional<Checkpoint>> Pending(const ChainKey& key) = 0;
  virtual arrow::Status Clear(const Lease& lease, const ChainKey& key,
                              std::string_view load_id) = 0;
};

struct PackageRecord {
  ChainKey key;
  std::string load_id;
  std::string path;  ///< Absolute folder.
  std::string created_at;
};

/// Where sealed packages were made. Their manifests on disk are the truth; this says
/// where to look.
class PackageIndex {
 public:
  virtual ~PackageIndex() = default;
  virtual arrow::Status Record(const Lease& lease, const PackageRecord& package) = 0;
  /// Oldest first; by pipeline ("" = all).
  virtual arrow::Result<std::vector<PackageRecord>> List(std::string_view pipeline) = 0;
  virtual arrow::Result<std::optional<PackageRecord>> Get(std::string_view load_id) = 0;
  /// Forgets the record; its files are the caller's. A missing one is OK.
  virtual arrow::Status Remove(std::string_view load_id) = 0;
};

class StateStore {
 public:
  virtual ~StateStore() = default;
  virtual RunStore& runs() = 0;
  virtual CursorStore& cursors() = 0;
  virtual IntentStore& intents() = 0;
  virtual PackageIndex& packages() = 0;
};

}  // namespace dxt
