#pragma once
#include <string>
#include <string_view>

#include "base/error.h"
#include "engine/plan/documents.h"
#include "engine/run/observer.h"
#include "engine/run/result.h"
#include "state/state_store.h"

namespace dxt {

/// Told what happens to runs, for metrics and alerts. Calls come from any thread and must
/// not block.
class RunListener {
 public:
  virtual ~RunListener() = default;
  virtual void OnQueued(const RunRecord&) {}
  virtual void OnStarted(const RunRecord&, double /*queued_seconds*/) {}
  /// As Observer::OnProgress, of a run that was started and has not ended.
  virtual void OnProgress(std::string_view /*run*/, const StreamProgress&) {}
  /// A stream of a run is tried again.
  virtual void OnRetry(std::string_view /*run*/, std::string_view /*stream*/,
                       ErrorClass) {}
  /// Once per run, also for one that never began. Redacted. `document` is the one that
  /// ran; without streams where it could not be read any more.
  virtual void OnEnded(const RunRecord&, const RunResult&,
                       const PipelineDocument& /*document*/) {}
  /// A tick became no run: it was missed, held back, or its pipeline refused.
  virtual void OnTickMissed(const TickRecord&, const std::string& /*pipeline*/) {}
};

}  // namespace dxt
