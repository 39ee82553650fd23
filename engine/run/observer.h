#pragma once
// Two interfaces leave the engine: Observer tells, Journal makes durable (contracts 3.4).
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "base/error.h"
#include "connectors/sdk/destination.h"
#include "engine/run/rejected_row.h"

namespace dxt {

/// What a stream is doing, for progress lines.
enum class StreamPhase : uint8_t {
  kQueued,
  kPlanning,
  kReading,
  kWriting,
  kCommitting,
  kDone
};

/// Counters of a stream so far. Totals, not differences.
struct StreamProgress {
  std::string stream;
  StreamPhase phase = StreamPhase::kQueued;
  int64_t rows_read = 0;
  int64_t rows_written = 0;
  int64_t bytes_read = 0;
  int64_t bytes_written = 0;
  std::optional<int64_t> expected_rows;
  int64_t windows = 0;  ///< Committed so far.
  int attempt = 1;
};

enum class Severity : uint8_t { kDebug, kInfo, kWarning, kError };

/// Receives what happened; never decides, never blocks, never fails. Calls come from
/// worker threads.
class Observer {
 public:
  virtual ~Observer() = default;
  /// At most about ten times a second per stream, and once at each phase change.
  virtual void OnProgress(const StreamProgress&) {}
  /// `event` is a stable snake_case name (OBS-02), e.g. "extract_started".
  virtual void OnEvent(Severity, std::string_view /*stream*/, std::string_view /*event*/,
                       std::string_view /*message*/) {}
  /// A stream failed with an error of this class and is about to be tried again.
  virtual void OnRetry(std::string_view /*stream*/, ErrorClass) {}
};

/// What a user said of a chain's cursor with `dxtctl state`; holds for the next commit.
struct CursorDirective {
  enum class Kind : uint8_t {
    kReset,   ///< Forget the cursor: a first load again.
    kAccept,  ///< Believe the ledger although fingerprint or contents changed.
    kSet,     ///< Read from `value`.
  };
  Kind kind = Kind::kReset;
  std::string value;
};

/// What must be durable before the engine goes on. Blocks; a failure fails the stream.
/// Thread-safe.
class Journal {
 public:
  virtual ~Journal() = default;
  /// The stored cursor of a chain, nullopt when there is none.
  virtual arrow::Result<std::optional<LoadRecord>> LoadCheckpoint(
      const StreamIdentity& identity) = 0;
  /// The user's directive for a chain, nullopt when there is none.
  virtual arrow::Result<std::optional<CursorDirective>> Directive(
      const StreamIdentity& identity);
  /// Saved after each commit, which also uses the chain's directive up; for a target
  /// without a ledger the checkpoint is the authority.
  virtual arrow::Status SaveCheckpoint(const StreamIdentity& identity,
                                       const LoadRecord& record) = 0;
  /// Before Commit: this load id is about to be committed by this run.
  virtual arrow::Status RecordIntent(const StreamIdentity& identity,
                                     const LoadRecord& record) = 0;
  /// The load whose intent is recorded and not yet settled, from an earlier attempt or
  /// run.
  virtual arrow::Result<std::optional<LoadRecord>> PendingIntent(
      const StreamIdentity& identity) = 0;
  /// The intent was settled: committed (its checkpoint was saved) or given up.
  virtual arrow::Status ClearIntent(const StreamIdentity& identity,
                                    std::string_view load_id) = 0;
  /// A sealed package exists at `path` (absolute).
  virtual arrow::Status RecordPackage(const StreamIdentity& identity,
                                      std::string_view load_id,
                                      std::string_view path) = 0;

  /// Rows that the load `load_id` leaves out, before its intent is recorded or its
  /// package sealed. They count, and dead letters show, once the checkpoint of that load
  /// is saved; until then the next call for the chain (kLoad), or the load (kExtract),
  /// replaces them.
  virtual arrow::Status HoldRejected(const StreamIdentity& identity,
                                     std::string_view load_id, RejectStage stage,
                                     std::span<const RejectedRow> rows);
  /// Forgets what is held for packages of the chain, but for these.
  virtual arrow::Status ForgetRejected(const StreamIdentity& identity,
                                       std::span<const std::string> but_loads);
  /// What committed loads of this run have left out of the chain.
  virtual arrow::Result<RejectCounts> Rejected(const StreamIdentity& identity);

  /// Dead letters of the stream that wait, of any lane, oldest first: those of `ids`, or
  /// all when it is empty, with a larger `seq` than `after`.
  virtual arrow::Result<std::vector<StoredRow>> StoredRows(
      const StreamIdentity& identity, std::span<const std::string> ids, int64_t after,
      int limit);
  /// The load `load_id`, before its intent is recorded, carries these letters: saving its
  /// checkpoint marks them as replayed.
  virtual arrow::Status HoldReplay(std::string_view load_id,
                                   std::span<const std::string> ids);
  /// A replay could not load a letter either.
  virtual arrow::Status RefuseReplay(std::string_view id, const RejectedRow& why);
};

}  // namespace dxt
