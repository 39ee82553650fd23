#pragma once
#include "server/alerts/alert_sender.h"
#include "server/scheduler/run_listener.h"

namespace dxt {

/// Tells the receivers that a document names how its runs ended. A receiver that both
/// project and pipeline name is told once.
class RunAlerts : public RunListener {
 public:
  /// `sender` must outlive it.
  explicit RunAlerts(AlertSender& sender) : sender_(sender) {}

  void OnEnded(const RunRecord& run, const RunResult& result,
               const PipelineDocument& document) override;

 private:
  AlertSender& sender_;
};

}  // namespace dxt
