#pragma once
#include <string_view>

#include "base/error.h"
#include "engine/plan/documents.h"
#include "engine/run/result.h"
#include "state/state_store.h"

namespace dxt {

/// Told what happens to runs, for metrics and alerts. Calls come from any thread and must
/// not block. Texts are redacted.
class RunListener {
 public:
  virtual ~RunListener() = default;
  virtual void OnQueued(const RunRecord&) {}
  virtual void OnStarted(const RunRecord&, double /*queued_seconds*/) {}
  virtual void OnRetry(std::string_view /*pipeline*/, ErrorClass) {}
  /// `document` is the one that ran.
  virtual void OnEnded(const RunRecord&, const RunResult&,
                       const PipelineDocument& /*document*/) {}
};

}  // namespace dxt
