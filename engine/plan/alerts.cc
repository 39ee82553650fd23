#include "engine/plan/alerts.h"

#include "connectors/sdk/config.h"
#include "engine/plan/connections.h"
#include "engine/plan/keys.h"

namespace dxt {
namespace {

constexpr AlertEvent kEvents[] = {AlertEvent::kFailed, AlertEvent::kPartial,
                                  AlertEvent::kGuard};

std::vector<std::string> EventNames() {
  std::vector<std::string> names;
  for (const auto event : kEvents) names.emplace_back(AlertEventName(event));
  return names;
}

}  // namespace

std::string_view AlertEventName(AlertEvent event) {
  switch (event) {
    case AlertEvent::kFailed:
      return "failed";
    case AlertEvent::kPartial:
      return "partial";
    case AlertEvent::kGuard:
      return "guard";
  }
  return "failed";
}

bool AlertRule::Wants(AlertEvent event) const {
  for (const auto wanted : on) {
    if (wanted == event) return true;
  }
  return false;
}

OptionSpec AlertKeys() {
  OptionSpec webhook =
      Key("webhook", OptionKind::kString,
          "URL that gets a POST of Slack-compatible JSON. A secret: write ${NAME}.")
          .Required()
          .Example("\"${ALERT_WEBHOOK}\"")
          .Matching("https?://[^\\s/?#@]+([/?][^\\s#]*)?",
                    "an http:// or https:// URL without user and fragment");
  webhook.secret = true;
  OptionSpec event = Key("event", OptionKind::kString, "A thing to be told of.");
  event.choices = EventNames();
  return Key("alerts", OptionKind::kList, "Whom a daemon tells when a run goes wrong.")
      .Of({Key("", OptionKind::kObject, "One receiver.")
               .Fields({
                   webhook,
                   Key("on", OptionKind::kList,
                       "What is told: a run that failed, that loaded only some streams, "
                       "that a guard stopped.")
                       .Default("[failed, partial, guard]")
                       .Of({event})
                       .OneOrMany(),
               })});
}

std::vector<AlertRule> CompileAlerts(const ConfigValue& document,
                                     CompileContext& context) {
  std::vector<AlertRule> rules;
  const ConfigValue* list = document.Get("alerts");
  if (!IsSet(list)) return rules;
  for (size_t i = 0; i < list->list.size(); ++i) {
    const ConfigValue& item = list->list[i];
    const ConfigValue* webhook = item.Get("webhook");
    if (!IsSet(webhook)) continue;
    RememberSecret(*webhook, "alerts[" + std::to_string(i) + "].webhook", "'webhook'",
                   context);
    AlertRule rule;
    rule.webhook = webhook->scalar;
    const auto words = TextsAt(item, "on");
    if (!words.empty()) rule.on.clear();
    for (const auto event : kEvents) {
      for (const auto& word : words) {
        if (word == AlertEventName(event) && !rule.Wants(event)) rule.on.push_back(event);
      }
    }
    rules.push_back(std::move(rule));
  }
  return rules;
}

}  // namespace dxt
