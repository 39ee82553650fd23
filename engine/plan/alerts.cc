#include "engine/plan/alerts.h"

#include "connectors/sdk/config.h"
#include "engine/plan/connections.h"
#include "engine/plan/keys.h"

namespace dxt {
namespace {

constexpr AlertEvent kEvents[] = {AlertEvent::kFailed, AlertEvent::kPartial,
                                  AlertEvent::kGuard, AlertEvent::kMissed,
                                  AlertEvent::kStale};

std::vector<std::string> EventNames() {
  std::vector<std::string> names;
  for (const auto event : kEvents) names.emplace_back(AlertEventName(event));
  return names;
}

void CheckStaleAfter(const ConfigValue& item, const AlertRule& rule,
                     const std::string& path, CompileContext& context) {
  if (!rule.stale_after_ms || rule.Wants(AlertEvent::kStale)) return;
  context.problems.Warn(item.Get("stale_after")->mark, path + ".stale_after",
                        "alerts.stale_unused",
                        "`stale_after` has no effect where 'stale' is not told",
                        "add it: on: [failed, stale]");
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
    case AlertEvent::kMissed:
      return "missed";
    case AlertEvent::kStale:
      return "stale";
  }
  return "failed";
}

std::vector<AlertEvent> DefaultAlertEvents() {
  std::vector<AlertEvent> events;
  for (const auto event : kEvents) {
    if (event != AlertEvent::kMissed && event != AlertEvent::kStale) {
      events.push_back(event);
    }
  }
  return events;
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
                       "that a guard stopped; a tick of a schedule that was missed; a "
                       "pipeline that has not succeeded for too long.")
                       .Default("[failed, partial, guard]")
                       .Of({event})
                       .OneOrMany(),
                   Key("stale_after", OptionKind::kDuration,
                       "How long after its last success a pipeline is stale; the default "
                       "is the third tick of one of its schedules.")
                       .Example("26h")
                       .Between(1, 366LL * 24 * 3600),
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
    const std::string path = "alerts[" + std::to_string(i) + "]";
    RememberSecret(*webhook, path + ".webhook", "'webhook'", context);
    AlertRule rule;
    rule.webhook = webhook->scalar;
    const auto words = TextsAt(item, "on");
    if (!words.empty()) rule.on.clear();
    for (const auto event : kEvents) {
      for (const auto& word : words) {
        if (word == AlertEventName(event) && !rule.Wants(event)) rule.on.push_back(event);
      }
    }
    rule.stale_after_ms = ParseDurationMillis(TextAt(item, "stale_after"));
    CheckStaleAfter(item, rule, path, context);
    rules.push_back(std::move(rule));
  }
  return rules;
}

std::vector<AlertRule> JoinAlerts(std::vector<AlertRule> pipelines,
                                  const std::vector<AlertRule>& projects) {
  pipelines.insert(pipelines.end(), projects.begin(), projects.end());
  return pipelines;
}

}  // namespace dxt
