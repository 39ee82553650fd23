#pragma once
// What is written down to be read by people: logs of runs, and who changed what. See
// state_store.h for what holds for every call.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

namespace dxt {

struct LogRecord {
  int64_t seq = 0;  ///< Position in the run's log, from 1; set by the store.
  std::string time;
  std::string severity;  ///< DEBUG INFO WARNING ERROR
  std::string stream;    ///< "" = the run as a whole.
  std::string event, message;
};

/// Logs of runs. They go when their run goes, or before.
class LogStore {
 public:
  /// The newest lines that are kept of a run; older ones make room.
  static constexpr int64_t kLinesPerRun = 10'000;

  virtual ~LogStore() = default;
  /// Appends in order and returns the `seq` of the last line. One transaction: hand in
  /// batches. kConfig `run.not_found`.
  virtual arrow::Result<int64_t> Append(std::string_view run,
                                        std::span<const LogRecord> lines) = 0;
  /// Lines after `after` (0 = from the first kept), oldest first, of `min_severity` or
  /// above ("" = all) and of `stream` ("" = all).
  virtual arrow::Result<std::vector<LogRecord>> Read(std::string_view run, int64_t after,
                                                     int limit,
                                                     std::string_view min_severity = {},
                                                     std::string_view stream = {}) = 0;
  /// Forgets the logs of runs made before `before`, slice by slice; returns of how many.
  virtual arrow::Result<int64_t> Prune(std::string_view before) = 0;
};

/// Who did what. Never changed.
struct AuditRecord {
  int64_t id = 0;  ///< Grows without gaps; set by the store.
  std::string at, principal, action, resource, detail;
};

/// A change that is to be audited takes its record along and stores it in its own
/// transaction: it is written when, and only when, the change is.
class AuditStore {
 public:
  virtual ~AuditStore() = default;
  /// For what changes nothing else in the store.
  virtual arrow::Status Append(const AuditRecord& record) = 0;
  /// Newest first; `before_id` 0 = from the newest.
  virtual arrow::Result<std::vector<AuditRecord>> List(int64_t before_id, int limit) = 0;
  /// Forgets the records older than `before`, oldest first and slice by slice, up to the
  /// first that is not, and never the newest; returns how many.
  virtual arrow::Result<int64_t> Prune(std::string_view before) = 0;
};

}  // namespace dxt
