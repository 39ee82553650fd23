#include "server/alerts/run_alerts.h"

#include <algorithm>
#include <set>

#include "server/alerts/alert_message.h"

namespace dxt {

void RunAlerts::OnEnded(const RunRecord&, const RunResult& result,
                        const PipelineDocument& document) {
  const auto events = EventsOf(result);
  if (events.empty()) return;
  std::set<std::string> told;
  for (const auto* rules : {&document.alerts, &document.project.alerts}) {
    for (const AlertRule& rule : *rules) {
      const auto event = std::find_if(events.begin(), events.end(),
                                      [&](AlertEvent e) { return rule.Wants(e); });
      if (event == events.end() || !told.insert(rule.webhook).second) continue;
      sender_.Send({rule.webhook, ToWebhookJson(MessageOf(*event, result)),
                    std::string(AlertEventName(*event)),
                    result.project + "/" + result.pipeline, result.run});
    }
  }
}

}  // namespace dxt
