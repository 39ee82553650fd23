#include "server/alerts/receivers.h"

#include <algorithm>
#include <set>

#include "server/alerts/alert_message.h"
#include "server/alerts/alert_sender.h"

namespace dxt {

std::vector<Receiver> ReceiversOf(const std::vector<AlertRule>& rules,
                                  const std::vector<AlertEvent>& events) {
  std::vector<Receiver> receivers;
  std::set<std::string_view> seen;
  for (const AlertRule& rule : rules) {
    const auto event = std::find_if(events.begin(), events.end(),
                                    [&](AlertEvent e) { return rule.Wants(e); });
    if (event == events.end() || !seen.insert(rule.webhook).second) continue;
    receivers.push_back({&rule, *event});
  }
  return receivers;
}

bool SendTo(const AlertRule& rule, const AlertMessage& message, AlertSender& sender) {
  return sender.Send({rule.webhook, ToWebhookJson(message),
                      std::string(AlertEventName(message.event)),
                      message.project + "/" + message.pipeline, message.run});
}

}  // namespace dxt
