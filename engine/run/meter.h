#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "engine/run/observer.h"

namespace dxt {

class Clock;

/// Counts one stream's progress and tells the observer, at most ten times a second and at
/// each phase change. Thread-safe; counting is lock-free.
class StreamMeter {
 public:
  StreamMeter(std::string stream, Observer& observer, Clock& clock);

  void SetPhase(StreamPhase phase);
  void SetExpected(std::optional<int64_t> rows);
  /// Starts the counters again, for another attempt.
  void Restart(int attempt);
  void CountRead(int64_t rows, int64_t total_bytes);
  void CountWritten(int64_t rows, int64_t bytes);
  void CountWindow() { ++windows_; }
  void Event(Severity severity, std::string_view event, std::string_view message);

  int64_t rows_read() const { return rows_read_; }
  int64_t bytes_read() const { return bytes_read_; }
  int64_t rows_written() const { return rows_written_; }
  int64_t bytes_written() const { return bytes_written_; }

 private:
  void Tell(bool always);

  const std::string stream_;
  Observer& observer_;
  Clock& clock_;
  std::atomic<int64_t> rows_read_{0}, bytes_read_{0}, rows_written_{0}, bytes_written_{0};
  std::atomic<int64_t> windows_{0};  ///< Of all attempts.
  std::atomic<int64_t> expected_{-1};
  std::atomic<int64_t> next_tell_{0};  ///< Steady clock, milliseconds.
  std::atomic<int> attempt_{1};
  std::atomic<StreamPhase> phase_{StreamPhase::kQueued};
};

}  // namespace dxt
