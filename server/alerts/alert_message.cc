#include "server/alerts/alert_message.h"

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace dxt {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMostDetail = 1500;
constexpr size_t kMostStreams = 10;

/// What Slack would read as a link or a mention becomes text.
std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '&') {
      escaped += "&amp;";
    } else if (c == '<') {
      escaped += "&lt;";
    } else if (c == '>') {
      escaped += "&gt;";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::string Shortened(std::string_view text, size_t most) {
  if (text.size() <= most) return std::string(text);
  size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return std::string(text.substr(0, end)) + "…";
}

void AddError(const arrow::Status& error, const std::string& prefix,
              AlertMessage& message) {
  const ErrorInfo info = GetErrorInfo(error);
  if (message.code.empty()) message.code = info.code;
  if (!message.detail.empty()) message.detail += '\n';
  message.detail += prefix + error.message();
  if (!info.hint.empty()) message.detail += ". " + info.hint;
}

const char* ColorOf(AlertEvent event) {
  return event == AlertEvent::kFailed || event == AlertEvent::kGuard ? "danger"
                                                                     : "warning";
}

}  // namespace

std::vector<AlertEvent> EventsOf(const RunResult& result) {
  std::vector<AlertEvent> events;
  if (result.dry_run) return events;
  if (result.state != RunState::kFailed && result.state != RunState::kPartial) {
    return events;
  }
  const auto guarded = [](const arrow::Status& error) {
    return !error.ok() && GetErrorInfo(error).error_class == ErrorClass::kGuard;
  };
  bool guard = guarded(result.error);
  for (const auto& stream : result.streams) guard = guard || guarded(stream.error);
  if (guard) events.push_back(AlertEvent::kGuard);
  events.push_back(result.state == RunState::kPartial ? AlertEvent::kPartial
                                                      : AlertEvent::kFailed);
  return events;
}

AlertMessage MessageOf(AlertEvent event, const RunResult& result) {
  AlertMessage message;
  message.event = event;
  message.project = result.project;
  message.pipeline = result.pipeline;
  message.run = result.run;
  message.time = result.ended_at;
  message.server = result.server;
  if (!result.run.empty()) message.look = "dxtctl runs get " + result.run;
  size_t failed = 0;
  if (!result.error.ok()) AddError(result.error, "", message);
  for (const auto& stream : result.streams) {
    if (stream.error.ok()) continue;
    if (++failed <= kMostStreams) AddError(stream.error, stream.id + ": ", message);
  }
  int64_t left_out = 0;
  for (const auto& stream : result.streams) left_out += stream.rows_rejected;
  if (failed > kMostStreams) {
    const auto more = failed - kMostStreams;
    message.detail += "\n… and " + std::to_string(more) +
                      (more == 1 ? " stream more" : " streams more");
  }
  const std::string of = std::to_string(result.streams.size());
  if (event == AlertEvent::kGuard) {
    message.summary = "was stopped by a guard";
  } else if (event == AlertEvent::kPartial && failed == 0) {
    message.summary = "was loaded, but for " + std::to_string(left_out) +
                      (left_out == 1 ? " row" : " rows") + " left out";
    message.detail += "dxtctl dlq list shows what is kept of them";
  } else if (event == AlertEvent::kPartial) {
    message.summary = "loaded only in part: " + std::to_string(failed) + " of " + of +
                      " streams failed";
  } else {
    message.summary = "failed";
  }
  return message;
}

AlertMessage MissedMessage(const TickRecord& tick, const std::string& pipeline) {
  AlertMessage message;
  message.event = AlertEvent::kMissed;
  message.project = tick.project;
  message.pipeline = pipeline.substr(pipeline.find('/') + 1);
  message.schedule = tick.schedule;
  message.summary = "did not run at " + tick.scheduled_at + ": schedule " +
                    tick.schedule + " missed a tick";
  message.detail = tick.reason + ". It is told again when a tick of the schedule has " +
                   "made a run and one is missed after that";
  message.code = tick.outcome == "SKIPPED_OVERLAP"   ? "tick.skipped_overlap"
                 : tick.outcome == "SKIPPED_MISFIRE" ? "tick.skipped_misfire"
                                                     : "tick.skipped_refused";
  message.time = tick.fired_at;
  message.look = "dxtctl schedules ticks " + tick.schedule;
  return message;
}

AlertMessage StaleMessage(const PipelineRecord& pipeline, const std::string& since,
                          const std::optional<RunRecord>& last) {
  AlertMessage message;
  message.event = AlertEvent::kStale;
  message.project = pipeline.project;
  message.pipeline = pipeline.name;
  message.summary = since.empty() ? "is stale: it was stored at " + pipeline.created_at +
                                        " and has not succeeded yet"
                                  : "is stale: it has not succeeded since " + since;
  if (last) {
    message.run = last->id;
    message.detail = "Its newest run is " + last->state + ". ";
  } else {
    message.detail = "No run of it is known. ";
  }
  message.detail +=
      "It is told again when a run has succeeded and it is stale after that";
  message.look = "dxtctl pipelines describe " + pipeline.name;
  return message;
}

std::string ToWebhookJson(const AlertMessage& message) {
  const std::string name = message.project + "/" + message.pipeline;
  const std::string detail = Shortened(message.detail, kMostDetail);
  Json fields = Json::array();
  const auto add = [&](const char* title, const std::string& value) {
    if (value.empty()) return;
    fields.push_back({{"title", title}, {"value", Escaped(value)}, {"short", true}});
  };
  add("Pipeline", name);
  add("Run", message.run);
  add("Error", message.code);
  add("Schedule", message.schedule);
  add("Server", message.server);
  add("Look", message.look);

  const std::string text = Escaped("dxt: " + name + " " + message.summary);
  Json attachment = {{"color", ColorOf(message.event)}, {"fallback", text}};
  if (!detail.empty()) attachment["text"] = Escaped(detail);
  attachment["fields"] = std::move(fields);
  const Json payload = {{"event", AlertEventName(message.event)},
                        {"project", message.project},
                        {"pipeline", message.pipeline},
                        {"run", message.run},
                        {"schedule", message.schedule},
                        {"summary", message.summary},
                        {"detail", detail},
                        {"code", message.code},
                        {"time", message.time},
                        {"server", message.server}};
  const Json body = {
      {"text", text},
      {"attachments", Json::array({std::move(attachment)})},
      {"metadata", {{"event_type", "dxt_alert"}, {"event_payload", payload}}}};
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace dxt
