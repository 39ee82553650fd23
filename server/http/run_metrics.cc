#include "server/http/run_metrics.h"

#include <algorithm>

#include "base/clock.h"
#include "server/http/exposition.h"

namespace dxt {
namespace {

const std::vector<double>& Bounds() {
  static const std::vector<double> bounds = {0.01, 0.05, 0.1, 0.5, 1,    5,     10,
                                             30,   60,   300, 900, 3600, 14400, 86400};
  return bounds;
}

/// Series of pipelines are bounded; those beyond share one.
constexpr size_t kMostPipelines = 1000;
constexpr char kOthers[] = "others";

constexpr std::array kStates = {"SUCCEEDED", "PARTIAL", "FAILED", "CANCELLED"};
constexpr std::array kClasses = {ErrorClass::kConfig,    ErrorClass::kAuth,
                                 ErrorClass::kData,      ErrorClass::kUnsupported,
                                 ErrorClass::kTransient, ErrorClass::kThrottled,
                                 ErrorClass::kCancelled, ErrorClass::kFenced,
                                 ErrorClass::kGuard,     ErrorClass::kInternal};

int64_t At(const std::map<std::string, int64_t>& counts, const std::string& key) {
  const auto found = counts.find(key);
  return found == counts.end() ? 0 : found->second;
}

}  // namespace

void RunMetrics::Observe(Distribution& distribution, double seconds) {
  distribution.counts.resize(Bounds().size() + 1);
  const auto bucket = std::lower_bound(Bounds().begin(), Bounds().end(), seconds);
  ++distribution.counts[bucket - Bounds().begin()];
  distribution.sum += seconds;
}

RunMetrics::Volume& RunMetrics::VolumeOf(const std::string& pipeline) {
  if (volumes_.size() >= kMostPipelines && volumes_.count(pipeline) == 0) {
    return volumes_[kOthers];
  }
  return volumes_[pipeline];
}

void RunMetrics::OnQueued(const RunRecord&) {
  std::lock_guard lock(mutex_);
  ++queued_;
}

void RunMetrics::OnStarted(const RunRecord&, double queued_seconds) {
  std::lock_guard lock(mutex_);
  ++started_;
  Observe(queue_seconds_, queued_seconds);
}

void RunMetrics::OnRetry(std::string_view, std::string_view, ErrorClass error_class) {
  std::lock_guard lock(mutex_);
  ++retries_by_class_[std::string(ErrorClassName(error_class))];
}

void RunMetrics::OnEnded(const RunRecord& run, const RunResult& result,
                         const PipelineDocument&) {
  std::lock_guard lock(mutex_);
  ++ended_by_state_[run.state];
  Observe(seconds_by_state_[run.state], result.seconds);
  if (!result.error.ok()) {
    ++failures_by_class_[std::string(
        ErrorClassName(GetErrorInfo(result.error).error_class))];
  }
  Volume& volume = VolumeOf(run.project + "/" + run.pipeline);
  for (const auto& stream : result.streams) {
    volume.rows_read += stream.rows_read;
    volume.rows_written += stream.rows_written;
    volume.rows_deleted += stream.rows_deleted;
    volume.rows_rejected += stream.rows_rejected;
    volume.bytes_read += stream.bytes_read;
    volume.bytes_written += stream.bytes_written;
    if (!stream.error.ok()) {
      ++failures_by_class_[std::string(
          ErrorClassName(GetErrorInfo(stream.error).error_class))];
    }
  }
  if (result.state == RunState::kSucceeded && !result.dry_run) {
    volume.last_success =
        std::chrono::duration<double>(clock_.Now().time_since_epoch()).count();
  }
}

void RunMetrics::Expose(Exposition& out) const {
  using Type = Exposition::Type;
  std::lock_guard lock(mutex_);
  out.Family("dxt_runs_queued_total", Type::kCounter, "Runs that were queued.");
  out.Series({}, static_cast<double>(queued_));
  out.Family("dxt_runs_started_total", Type::kCounter, "Runs that a worker claimed.");
  out.Series({}, static_cast<double>(started_));
  out.Family("dxt_runs_ended_total", Type::kCounter, "Runs that ended, by state.");
  for (const char* state : kStates) {
    out.Series({{"state", state}}, static_cast<double>(At(ended_by_state_, state)));
  }
  const auto by_class = [&](const std::map<std::string, int64_t>& counts) {
    for (const auto error_class : kClasses) {
      const std::string name(ErrorClassName(error_class));
      out.Series({{"class", name}}, static_cast<double>(At(counts, name)));
    }
  };
  out.Family("dxt_retries_total", Type::kCounter,
             "Attempts that failed and were made again, by error class.");
  by_class(retries_by_class_);
  out.Family("dxt_failures_total", Type::kCounter,
             "Streams and runs that ended with an error, by its class.");
  by_class(failures_by_class_);

  static const Distribution none{std::vector<int64_t>(Bounds().size() + 1), 0};
  out.Family("dxt_run_duration_seconds", Type::kHistogram,
             "How long runs took once claimed, by the state they ended in.");
  for (const char* state : kStates) {
    const auto found = seconds_by_state_.find(state);
    const auto& seconds = found == seconds_by_state_.end() ? none : found->second;
    out.Histogram({{"state", state}}, Bounds(), seconds.counts, seconds.sum);
  }
  out.Family("dxt_run_queue_seconds", Type::kHistogram,
             "How long runs waited until they were claimed.");
  const auto& waited = queue_seconds_.counts.empty() ? none : queue_seconds_;
  out.Histogram({}, Bounds(), waited.counts, waited.sum);

  const auto volume = [&](const char* name, const char* help, int64_t Volume::* member) {
    out.Family(name, Type::kCounter, help);
    for (const auto& [pipeline, counts] : volumes_) {
      out.Series({{"pipeline", pipeline}}, static_cast<double>(counts.*member));
    }
  };
  volume("dxt_rows_read_total", "Rows read from sources.", &Volume::rows_read);
  volume("dxt_rows_written_total", "Rows handed to targets.", &Volume::rows_written);
  volume("dxt_rows_deleted_total", "Rows deleted in targets.", &Volume::rows_deleted);
  volume("dxt_rows_rejected_total", "Rows set aside.", &Volume::rows_rejected);
  volume("dxt_bytes_read_total", "Bytes read from sources.", &Volume::bytes_read);
  volume("dxt_bytes_written_total", "Bytes handed to targets.", &Volume::bytes_written);
  out.Family("dxt_pipeline_last_success_timestamp_seconds", Type::kGauge,
             "When a run of the pipeline last succeeded, since the daemon started.");
  for (const auto& [pipeline, counts] : volumes_) {
    if (counts.last_success > 0) {
      out.Series({{"pipeline", pipeline}}, counts.last_success);
    }
  }
}

}  // namespace dxt
