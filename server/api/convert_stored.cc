// Stored things to messages.
#include <google/protobuf/util/time_util.h>

#include "dxt/v1/pipeline_service.pb.h"
#include "dxt/v1/project_service.pb.h"
#include "dxt/v1/run_service.pb.h"
#include "dxt/v1/schedule_service.pb.h"
#include "dxt/v1/state_service.pb.h"
#include "server/api/convert.h"
#include "server/api/resource_names.h"
#include "server/scheduler/submission.h"

namespace dxt {
namespace {

v1::Origin ToProto(Origin origin) {
  return origin == Origin::kFolder ? v1::ORIGIN_FOLDER : v1::ORIGIN_API;
}

void SetDocument(const StoredDocument& from, v1::Document* to) {
  to->set_path(from.path);
  to->set_text(from.text);
}

}  // namespace

v1::Project ToProto(const ProjectRecord& project) {
  v1::Project proto;
  proto.set_name("projects/" + project.name);
  if (!project.document.text.empty()) {
    SetDocument(project.document, proto.mutable_document());
  }
  proto.set_revision(project.revision);
  proto.set_origin(ToProto(project.origin));
  SetTime(project.created_at, proto.mutable_create_time());
  SetTime(project.updated_at, proto.mutable_update_time());
  proto.set_etag(std::to_string(project.revision));
  return proto;
}

v1::Pipeline ToProto(const PipelineRecord& pipeline) {
  v1::Pipeline proto;
  proto.set_name(PipelineName(pipeline.project, pipeline.name));
  if (!pipeline.document.text.empty()) {
    SetDocument(pipeline.document, proto.mutable_document());
  }
  proto.set_revision(pipeline.revision);
  proto.set_origin(ToProto(pipeline.origin));
  proto.set_paused(pipeline.paused);
  proto.set_pause_note(pipeline.pause_note);
  SetTime(pipeline.created_at, proto.mutable_create_time());
  SetTime(pipeline.updated_at, proto.mutable_update_time());
  proto.set_etag(std::to_string(pipeline.revision));
  proto.set_description(pipeline.description);
  proto.set_streams(pipeline.streams);
  proto.set_overlap(pipeline.overlap == "skip" ? v1::Pipeline::SKIP
                    : pipeline.overlap == "cancel_previous"
                        ? v1::Pipeline::CANCEL_PREVIOUS
                        : v1::Pipeline::QUEUE);
  return proto;
}

v1::Schedule ToProto(const ScheduleRecord& schedule) {
  v1::Schedule proto;
  proto.set_name(ScheduleName(schedule.project, schedule.name));
  proto.set_pipeline(PipelineName(schedule.project, schedule.pipeline));
  proto.set_cron(schedule.cron);
  proto.set_timezone(schedule.timezone);
  proto.set_misfire(schedule.misfire == "none"  ? v1::Schedule::NONE
                    : schedule.misfire == "all" ? v1::Schedule::ALL
                                                : v1::Schedule::ONE);
  proto.mutable_misfire_grace()->set_seconds(schedule.misfire_grace_seconds);
  proto.set_max_instances(schedule.max_instances);
  proto.mutable_jitter()->set_seconds(schedule.jitter_seconds);
  if (const auto options = ParseRunOptions(schedule.options); options.ok()) {
    *proto.mutable_options() = ToProto(*options);
  }
  if (const auto variables = ParseSqlVariables(schedule.variables)) {
    proto.mutable_sql_variables()->insert(variables->begin(), variables->end());
  }
  proto.set_priority(schedule.priority);
  proto.set_paused(schedule.paused);
  proto.set_pause_note(schedule.pause_note);
  if (!schedule.next_at.empty() && !schedule.paused) {
    SetTime(schedule.next_at, proto.mutable_next_fire_time());
  }
  if (!schedule.last_at.empty()) {
    SetTime(schedule.last_at, proto.mutable_last_fire_time());
  }
  SetTime(schedule.created_at, proto.mutable_create_time());
  SetTime(schedule.updated_at, proto.mutable_update_time());
  proto.set_etag(std::to_string(schedule.revision));
  return proto;
}

v1::Tick ToProto(const TickRecord& tick, std::string_view project) {
  v1::Tick proto;
  SetTime(tick.scheduled_at, proto.mutable_scheduled_time());
  if (!tick.fired_at.empty()) SetTime(tick.fired_at, proto.mutable_fire_time());
  v1::Tick::Outcome outcome = v1::Tick::OUTCOME_UNSPECIFIED;
  v1::Tick::Outcome_Parse(tick.outcome, &outcome);
  proto.set_outcome(outcome);
  if (!tick.run.empty()) proto.set_run(RunName(project, tick.run));
  proto.set_reason(tick.reason);
  return proto;
}

v1::LogLine ToProto(const LogRecord& line) {
  v1::LogLine proto;
  v1::LogLine::Severity severity = v1::LogLine::SEVERITY_UNSPECIFIED;
  v1::LogLine::Severity_Parse(line.severity, &severity);
  proto.set_severity(severity);
  proto.set_stream(line.stream);
  proto.set_event(line.event);
  proto.set_message(line.message);
  proto.set_cursor(line.seq);
  SetTime(line.time, proto.mutable_time());
  return proto;
}

v1::Cursor ToProto(const ChainRecord& chain) {
  v1::Cursor cursor;
  const auto& name = chain.key.pipeline;
  const size_t slash = name.find('/');
  cursor.set_pipeline(PipelineName(name.substr(0, slash), name.substr(slash + 1)));
  cursor.set_stream(chain.key.stream);
  cursor.set_lane(chain.key.lane);
  if (chain.checkpoint) {
    cursor.set_value(chain.checkpoint->cursor_after);
    cursor.set_window_seq(chain.checkpoint->window_seq);
    cursor.set_load_id(chain.checkpoint->load_id);
    cursor.set_run(chain.checkpoint->run);
    cursor.set_target(chain.checkpoint->target);
  }
  if (chain.directive) {
    switch (chain.directive->kind) {
      case Directive::Kind::kReset:
        cursor.set_request("reset");
        break;
      case Directive::Kind::kAccept:
        cursor.set_request("accept");
        break;
      case Directive::Kind::kSet:
        cursor.set_request("set");
        break;
    }
    cursor.set_requested_value(chain.directive->value);
  }
  for (const auto& gap : chain.gaps) {
    auto* shown = cursor.add_gaps();
    shown->set_after(gap.after);
    shown->set_up_to(gap.up_to);
    shown->set_run(gap.run);
  }
  if (!chain.updated_at.empty()) SetTime(chain.updated_at, cursor.mutable_update_time());
  return cursor;
}

v1::RunOptions ToProto(const RunOptions& options) {
  v1::RunOptions proto;
  proto.set_phase(options.phase == RunOptions::Phase::kExtract ? v1::RunOptions::EXTRACT
                  : options.phase == RunOptions::Phase::kLoad  ? v1::RunOptions::LOAD
                                                               : v1::RunOptions::RUN);
  proto.set_select(options.select);
  proto.set_exclude(options.exclude);
  proto.set_allow_empty_selection(options.allow_empty_selection);
  proto.set_dry_run(options.dry_run);
  if (options.threads) proto.set_threads(*options.threads);
  proto.set_fail_fast(options.fail_fast);
  if (options.limit) proto.set_limit(*options.limit);
  if (options.cursor_value) proto.set_cursor_value(*options.cursor_value);
  proto.set_allow_duplicates(options.allow_duplicates);
  proto.set_full_refresh(options.full_refresh);
  for (const auto& stream : options.full_refresh_streams) {
    proto.add_full_refresh_streams(stream);
  }
  proto.set_persist(options.persist);
  proto.set_fresh(options.fresh);
  proto.set_accept_shrink(options.accept_shrink);
  proto.set_diff(options.diff);
  proto.set_verify(options.verify);
  if (const auto& backfill = options.backfill) {
    proto.mutable_backfill()->set_from(backfill->from);
    proto.mutable_backfill()->set_to(backfill->to);
  }
  if (options.replay) {
    for (const auto& id : *options.replay) proto.mutable_replay()->add_dead_letters(id);
    proto.mutable_replay();
  }
  return proto;
}

}  // namespace dxt
