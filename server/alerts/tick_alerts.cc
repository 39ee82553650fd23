#include "server/alerts/tick_alerts.h"

#include "base/log.h"
#include "server/alerts/alert_message.h"
#include "server/alerts/receivers.h"
#include "server/alerts/told_alerts.h"
#include "server/scheduler/catalog.h"

namespace dxt {

void TickAlerts::OnTickMissed(const TickRecord& tick, const std::string& pipeline) {
  const std::string key = "missed " + tick.project + "/" + tick.schedule;
  if (!parts_.told->Of(key).empty()) {
    const auto before = parts_.store->schedules().Ticks(tick.project, tick.schedule,
                                                        tick.scheduled_at, 1);
    // Well again since, or another schedule of that name: no tick before this one.
    const bool well =
        before.ok() && (before->empty() || before->front().outcome == "FIRED");
    if (!well) return;
  }
  const size_t slash = pipeline.find('/');
  const auto alerts = parts_.catalog->Alerts(tick.project, pipeline.substr(slash + 1));
  if (!alerts.ok()) {
    if (parts_.log != nullptr) {
      parts_.log->Write(LogLevel::kWarning, "alerts_unknown", alerts.status().message(),
                        {{"pipeline", pipeline}, {"schedule", tick.schedule}});
    }
    return;
  }
  if (alerts->paused) return;
  AlertMessage message = MissedMessage(tick, pipeline);
  message.server = parts_.server;
  for (const auto& receiver : ReceiversOf(alerts->rules, {AlertEvent::kMissed})) {
    if (SendTo(*receiver.rule, message, *parts_.sender)) {
      parts_.told->Set(key, tick.scheduled_at);
    }
  }
}

}  // namespace dxt
