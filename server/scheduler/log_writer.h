#pragma once
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "state/state_store.h"

namespace dxt {

class Log;

/// Writes log lines of runs to the store, many in one transaction, on a thread of its
/// own. Safe from any thread.
class LogWriter {
 public:
  /// Lines that may wait; beyond it, further ones are lost and counted in the run's log.
  static constexpr size_t kMostWaiting = 50'000;

  /// `log` may be null, and is told when the store refuses lines; both must outlive it.
  LogWriter(LogStore& store, Log* log);
  /// Writes what waits.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  /// Never blocks on the store.
  void Add(const std::string& run, LogRecord line);
  /// The lines of a run that wait, which are then the caller's to store. Those before
  /// them are stored, or were refused, when it returns.
  std::vector<LogRecord> Take(const std::string& run);

 private:
  using Lines = std::map<std::string, std::vector<LogRecord>>;  ///< Of each run.

  void Work();
  void Write(const Lines& lines);

  LogStore& store_;
  Log* const log_;
  std::mutex mutex_;
  std::condition_variable changed_, written_;
  Lines waiting_, writing_;
  size_t count_ = 0;  ///< Lines in waiting_.
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace dxt
