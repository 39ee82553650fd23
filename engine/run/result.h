#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <arrow/status.h>

#include "engine/run/value_mender.h"

namespace dxt {

enum class StreamState : uint8_t {
  kQueued,
  kRunning,
  kSucceeded,
  kFailed,
  kCancelled,
  kSkipped
};
enum class RunState : uint8_t {
  kQueued,
  kRunning,
  kCancelling,
  kSucceeded,
  kPartial,
  kFailed,
  kCancelled
};
std::string_view StreamStateName(StreamState state);
std::string_view RunStateName(RunState state);

struct Warning {
  std::string code;
  std::string message;
};

/// What `plan` shows of one column.
struct ColumnResult {
  std::string source;  ///< Column or expression.
  std::string id;
  std::string dtype;
  std::string source_native;
  std::string target;
  std::string target_native;
  std::string exactness;  ///< "exact", "checked", "refused".
  std::string reason;     ///< Why checked or refused.
};

struct WatermarkResult {
  std::string field;
  std::string before;
  std::string after;
  std::string source;     ///< target | state | initial | cli | none
  std::string read_from;  ///< Where reading began: `before`, or below it by the lag.
  std::string held_from;  ///< Rows from here on were left to a later run; "" = none.
};

/// One record of the target, and what a run would do to it.
struct RecordChange {
  enum class Kind : uint8_t { kAdd, kChange, kDelete, kDouble };
  struct Cell {
    std::string column;
    std::optional<std::string> before, after;  ///< nullopt = NULL, or no such record.
  };
  Kind kind = Kind::kAdd;
  std::string key;          ///< JSON, like that of errors.
  std::vector<Cell> cells;  ///< Of kChange, those that differ.
};

/// `--diff` of one stream.
struct DiffResult {
  int64_t compared = 0;   ///< Rows of the source.
  bool complete = false;  ///< They are all that the run would read.
  int64_t added = 0, changed = 0, unchanged = 0;
  std::optional<int64_t> deleted;     ///< nullopt = unknown; why is in `note`.
  std::vector<RecordChange> changes;  ///< The first of each kind.
  std::string note;
};

/// `verify` of one stream. Rows are counted once each; what a target keeps of its past
/// (closed versions, rows marked as deleted) is not.
struct VerifyResult {
  bool equal = false;
  int64_t source_rows = 0, target_rows = 0;
  int64_t pending = 0;  ///< Rows of the source above the watermark: not in `source_rows`.
  int64_t missing = 0, changed = 0;
  int64_t extra = 0;     ///< Only in the target.
  int64_t doubled = 0;   ///< More often in the target than in the source.
  bool complete = true;  ///< Every part that differs was compared row by row.
  int parts = 0, parts_different = 0;
  struct Column {
    std::string name, source, target;  ///< Checksums, 16 hexadecimal digits.
  };
  std::vector<Column> columns;
  std::vector<RecordChange> changes;  ///< The first of each kind.
};

struct StreamResult {
  std::string id;
  StreamState state = StreamState::kQueued;
  std::string target;
  std::string extract_mode, load_mode, strategy, strategy_reason, buffer;
  int attempts = 1;
  std::string load_id;
  int64_t window_seq = 0;
  int64_t windows = 0;  ///< Committed by this run.
  int readers = 1;      ///< Of the source, at a time.
  int writers = 1;      ///< Of the last window.
  std::string lane = "sync";
  std::optional<WatermarkResult> watermark;
  int64_t rows_read = 0, rows_written = 0, rows_deleted = 0, rows_rejected = 0,
          rows_deduplicated = 0, bytes_read = 0, bytes_written = 0;
  int64_t dead_letters = 0;  ///< Of the rejected rows, those that are stored.
  ValueChanges values_changed;
  double seconds = 0;
  bool began_writing =
      false;              ///< Past the plan: a failure is the run's, not the document's.
  std::string guarantee;  ///< Of the load; "" when it was not planned.
  std::vector<std::string> schema_changes;
  std::vector<Warning> warnings;
  arrow::Status error;  ///< OK unless kFailed or kCancelled.
  // Dry runs only:
  std::string query;
  std::vector<std::string> ddl;
  std::vector<std::string> administrator_sql;
  std::vector<ColumnResult> columns;
  int splits = 1;
  std::optional<int64_t> source_rows, target_rows;
  std::optional<DiffResult> diff;      ///< With --diff.
  std::optional<VerifyResult> verify;  ///< Of `verify`, in place of the plan.
};

struct RunResult {
  std::string project, pipeline, run;
  RunState state = RunState::kQueued;
  bool resumed = false, dry_run = false;
  std::string started_at, ended_at;  ///< RFC 3339, UTC.
  double seconds = 0;
  std::string server = "private";
  std::vector<StreamResult> streams;
  arrow::Status error;  ///< Of the run as a whole: document or selection refused.

  /// By contracts 5.4; reads nothing but states, error classes and whether rows were
  /// written.
  int ExitCode() const;
  /// dxt.run_result/1 (contracts §8), one line of JSON.
  std::string ToJson() const;
};

struct StreamListing {
  std::string id, kind, source, target, extract_mode, load_mode;
  std::vector<std::string> tags;
};

struct ConnectionCheck {
  std::string name, type;
  arrow::Status status;
  double seconds = 0;
};

struct PreviewTable {
  std::vector<std::string> columns;
  std::vector<std::string> dtypes;
  std::vector<std::vector<std::optional<std::string>>> rows;  ///< nullopt = NULL.
};

}  // namespace dxt
