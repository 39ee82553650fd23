#pragma once
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
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
  /// Waits until what was added before is stored, or was refused.
  void Flush();

 private:
  void Work();
  void Write(std::deque<std::pair<std::string, LogRecord>> lines);

  LogStore& store_;
  Log* const log_;
  std::mutex mutex_;
  std::condition_variable changed_, written_;
  std::deque<std::pair<std::string, LogRecord>> waiting_;
  uint64_t added_ = 0, done_ = 0;
  uint64_t wanted_ = 0;  ///< Flush waits for this many.
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace dxt
