#pragma once
#include <optional>
#include <string>
#include <vector>

#include "engine/plan/documents.h"
#include "engine/run/result.h"
#include "state/state_store.h"

namespace dxt {

/// What a receiver is told.
struct AlertMessage {
  AlertEvent event = AlertEvent::kFailed;
  std::string project, pipeline;
  std::string run;       ///< "" where there is none.
  std::string schedule;  ///< Of a missed tick.
  std::string summary;   ///< One line: what happened.
  std::string detail;    ///< Why, and what to do; "" = nothing to add.
  std::string code;      ///< Of the error; "" = none.
  std::string time;      ///< RFC 3339, UTC.
  std::string server;    ///< Which daemon says so.
  std::string look;      ///< The command that shows more.
};

/// The events that the end of a run is, most telling first; none for a run that
/// succeeded, was cancelled, or was a dry run. A run that a guard stopped is also a
/// failed or partial one.
std::vector<AlertEvent> EventsOf(const RunResult& result);

/// `result` must be redacted.
AlertMessage MessageOf(AlertEvent event, const RunResult& result);

/// Of a tick that made no run; `pipeline` is "<project>/<pipeline>".
AlertMessage MissedMessage(const TickRecord& tick, const std::string& pipeline);

/// Of a pipeline that has not succeeded since `since`, which is "" when it never has;
/// `last` is its newest run, if any.
AlertMessage StaleMessage(const PipelineRecord& pipeline, const std::string& since,
                          const std::optional<RunRecord>& last);

/// A JSON object that Slack's incoming webhooks, and what imitates them, accept: `text`
/// and `attachments` for people, `metadata.event_payload` for programs. Texts are escaped
/// for Slack and shortened.
std::string ToWebhookJson(const AlertMessage& message);

}  // namespace dxt
