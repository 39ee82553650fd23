#include "server/alerts/run_alerts.h"

#include "engine/plan/alerts.h"
#include "server/alerts/alert_message.h"
#include "server/alerts/receivers.h"

namespace dxt {

void RunAlerts::OnEnded(const RunRecord&, const RunResult& result,
                        const PipelineDocument& document) {
  const auto events = EventsOf(result);
  if (events.empty()) return;
  const auto rules = JoinAlerts(document.alerts, document.project.alerts);
  for (const auto& [rule, event] : ReceiversOf(rules, events)) {
    SendTo(*rule, MessageOf(event, result), sender_);
  }
}

}  // namespace dxt
