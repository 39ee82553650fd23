#pragma once
#include <array>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "server/scheduler/run_listener.h"

namespace dxt {

class Clock;
class Exposition;

/// Counts what happens to runs. Safe from any thread.
class RunMetrics : public RunListener {
 public:
  /// `clock` must outlive it.
  explicit RunMetrics(Clock& clock) : clock_(clock) {}

  void OnQueued(const RunRecord& run) override;
  void OnStarted(const RunRecord& run, double queued_seconds) override;
  void OnRetry(std::string_view run, std::string_view stream,
               ErrorClass error_class) override;
  void OnEnded(const RunRecord& run, const RunResult& result,
               const PipelineDocument& pipeline) override;

  /// Appends every family.
  void Expose(Exposition& out) const;

 private:
  struct Distribution {
    std::vector<int64_t> counts;
    double sum = 0;
  };
  struct Volume {
    int64_t rows_read = 0, rows_written = 0, rows_deleted = 0, rows_rejected = 0,
            bytes_read = 0, bytes_written = 0;
    double last_success = 0;  ///< Unix seconds; 0 = none yet.
  };
  static void Observe(Distribution& distribution, double seconds);
  Volume& VolumeOf(const std::string& pipeline);

  Clock& clock_;
  mutable std::mutex mutex_;
  int64_t queued_ = 0, started_ = 0;
  std::map<std::string, int64_t> ended_by_state_;
  std::map<std::string, int64_t> retries_by_class_, failures_by_class_;
  std::map<std::string, Distribution> seconds_by_state_;
  Distribution queue_seconds_;
  std::map<std::string, Volume> volumes_;
};

}  // namespace dxt
