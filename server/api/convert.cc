#include "server/api/convert.h"

#include <google/protobuf/util/time_util.h>

#include "base/secret.h"
#include "connectors/sdk/connector.h"
#include "dxt/v1/project_service.pb.h"
#include "dxt/v1/run_service.pb.h"
#include "server/api/resource_names.h"
#include "state/runs.h"

namespace dxt {
namespace {

using google::protobuf::util::TimeUtil;

v1::Run::State StateOf(const std::string& state) {
  v1::Run::State parsed = v1::Run::STATE_UNSPECIFIED;
  v1::Run::State_Parse(state, &parsed);
  return parsed;
}

v1::StreamProgress ToProto(const StreamProgress& progress) {
  v1::StreamProgress proto;
  proto.set_stream(progress.stream);
  switch (progress.phase) {
    case StreamPhase::kQueued:
      proto.set_phase(v1::StreamProgress::QUEUED);
      break;
    case StreamPhase::kPlanning:
      proto.set_phase(v1::StreamProgress::PLANNING);
      break;
    case StreamPhase::kReading:
      proto.set_phase(v1::StreamProgress::READING);
      break;
    case StreamPhase::kWriting:
      proto.set_phase(v1::StreamProgress::WRITING);
      break;
    case StreamPhase::kCommitting:
      proto.set_phase(v1::StreamProgress::COMMITTING);
      break;
    case StreamPhase::kDone:
      proto.set_phase(v1::StreamProgress::DONE);
      break;
  }
  proto.set_rows_read(progress.rows_read);
  proto.set_rows_written(progress.rows_written);
  proto.set_bytes_read(progress.bytes_read);
  proto.set_bytes_written(progress.bytes_written);
  if (progress.expected_rows) proto.set_expected_rows(*progress.expected_rows);
  proto.set_attempt(progress.attempt);
  proto.set_windows(progress.windows);
  return proto;
}

v1::LogLine ToProto(const LogEntry& entry) {
  v1::LogLine line;
  switch (entry.severity) {
    case Severity::kDebug:
      line.set_severity(v1::LogLine::DEBUG);
      break;
    case Severity::kInfo:
      line.set_severity(v1::LogLine::INFO);
      break;
    case Severity::kWarning:
      line.set_severity(v1::LogLine::WARNING);
      break;
    case Severity::kError:
      line.set_severity(v1::LogLine::ERROR);
      break;
  }
  line.set_stream(entry.stream);
  line.set_event(entry.event);
  line.set_message(entry.message);
  return line;
}

std::string_view KindName(OptionKind kind) {
  switch (kind) {
    case OptionKind::kString:
      return "string";
    case OptionKind::kInteger:
      return "integer";
    case OptionKind::kNumber:
      return "number";
    case OptionKind::kBoolean:
      return "boolean";
    case OptionKind::kDuration:
      return "duration";
    case OptionKind::kBytes:
      return "bytes";
    case OptionKind::kList:
      return "list";
    case OptionKind::kObject:
      return "object";
    case OptionKind::kMap:
      return "map";
    case OptionKind::kAny:
      return "any";
  }
  return "any";
}

}  // namespace

DocumentInputs FromProto(const v1::DocumentSet& documents) {
  DocumentInputs inputs;
  if (documents.has_project()) {
    inputs.project = DocumentText{documents.project().path(), documents.project().text()};
  }
  if (documents.has_pipeline()) {
    inputs.pipeline =
        DocumentText{documents.pipeline().path(), documents.pipeline().text()};
  }
  inputs.variables = {documents.variables().begin(), documents.variables().end()};
  inputs.sql_variables = {documents.sql_variables().begin(),
                          documents.sql_variables().end()};
  inputs.strict = documents.strict();
  return inputs;
}

RunOptions FromProto(const v1::RunOptions& proto) {
  RunOptions options;
  if (proto.phase() == v1::RunOptions::EXTRACT)
    options.phase = RunOptions::Phase::kExtract;
  if (proto.phase() == v1::RunOptions::LOAD) options.phase = RunOptions::Phase::kLoad;
  options.select = proto.select();
  options.exclude = proto.exclude();
  options.allow_empty_selection = proto.allow_empty_selection();
  options.dry_run = proto.dry_run();
  if (proto.has_threads()) options.threads = proto.threads();
  options.fail_fast = proto.fail_fast();
  if (proto.has_limit()) options.limit = proto.limit();
  if (proto.has_cursor_value()) options.cursor_value = proto.cursor_value();
  options.allow_duplicates = proto.allow_duplicates();
  if (proto.has_backfill()) {
    options.backfill = {proto.backfill().from(), proto.backfill().to()};
  }
  options.full_refresh = proto.full_refresh();
  options.full_refresh_streams = {proto.full_refresh_streams().begin(),
                                  proto.full_refresh_streams().end()};
  options.persist = proto.persist();
  options.fresh = proto.fresh();
  options.accept_shrink = proto.accept_shrink();
  options.diff = proto.diff();
  options.administrator_sql = proto.administrator_sql();
  if (options.administrator_sql) options.dry_run = true;
  options.verify = proto.verify();
  options.dry_run = options.dry_run || options.verify;
  if (proto.has_replay()) {
    const auto& ids = proto.replay().dead_letters();
    options.replay.emplace(ids.begin(), ids.end());
  }
  return options;
}

v1::Problem ToProto(const Problem& problem, const Redactor& redactor) {
  v1::Problem proto;
  proto.set_level(problem.level == Problem::Level::kError ? v1::Problem::ERROR
                                                          : v1::Problem::WARNING);
  proto.set_file(problem.mark.file);
  proto.set_line(problem.mark.line);
  proto.set_column(problem.mark.column);
  proto.set_path(problem.path);
  proto.set_code(problem.code);
  proto.set_message(redactor.Redact(problem.message));
  proto.set_suggestion(redactor.Redact(problem.suggestion));
  return proto;
}

void SetTime(const std::string& text, google::protobuf::Timestamp* time) {
  if (!text.empty()) TimeUtil::FromString(text, time);
}

v1::Run ToProto(const RunRecord& run) {
  v1::Run proto;
  proto.set_name(RunName(run.project, run.id));
  proto.set_pipeline(PipelineName(run.project, run.pipeline));
  proto.set_state(StateOf(run.state));
  SetTime(run.created_at, proto.mutable_create_time());
  if (!run.started_at.empty()) SetTime(run.started_at, proto.mutable_start_time());
  if (!run.ended_at.empty()) SetTime(run.ended_at, proto.mutable_end_time());
  proto.set_resumed(run.resumed);
  proto.set_interrupted(run.interrupted && !IsTerminalRunState(run.state));
  proto.set_dry_run(run.dry_run);
  if (run.exit_code) proto.set_exit_code(*run.exit_code);
  proto.set_result_json(run.result_json);
  proto.set_document_hash(run.document_hash);
  proto.set_attempt(static_cast<int32_t>(run.attempt));
  proto.set_priority(run.priority);
  proto.set_pipeline_revision(run.pipeline_revision);
  v1::Trigger::Kind kind = v1::Trigger::KIND_UNSPECIFIED;
  v1::Trigger::Kind_Parse(run.trigger.kind, &kind);
  proto.mutable_trigger()->set_kind(kind);
  if (!run.trigger.source.empty()) {
    proto.mutable_trigger()->set_source(
        kind == v1::Trigger::SCHEDULE ? ScheduleName(run.project, run.trigger.source)
                                      : RunName(run.project, run.trigger.source));
  }
  if (!run.trigger.scheduled_at.empty()) {
    SetTime(run.trigger.scheduled_at, proto.mutable_trigger()->mutable_scheduled_time());
  }
  return proto;
}

v1::RunEvent ToProto(const FeedEvent& event) {
  v1::RunEvent proto;
  proto.set_cursor(event.cursor);
  *proto.mutable_time() = TimeUtil::MillisecondsToTimestamp(
      std::chrono::duration_cast<std::chrono::milliseconds>(event.time.time_since_epoch())
          .count());
  if (const auto* state = std::get_if<StateEntry>(&event.what)) {
    proto.set_state(StateOf(state->state));
  } else if (const auto* progress = std::get_if<StreamProgress>(&event.what)) {
    *proto.mutable_progress() = ToProto(*progress);
  } else if (const auto* entry = std::get_if<LogEntry>(&event.what)) {
    *proto.mutable_log() = ToProto(*entry);
  } else {
    *proto.mutable_finished() = ToProto(std::get<RunRecord>(event.what));
  }
  return proto;
}

v1::Connector ToProto(const Connector& connector) {
  const ConnectorInfo& info = connector.info();
  v1::Connector proto;
  proto.set_name(std::string(info.name));
  proto.set_summary(std::string(info.summary));
  proto.set_support(std::string(info.support));
  proto.set_guarantee(std::string(GuaranteeName(info.guarantee)));
  for (const auto alias : info.aliases) proto.add_aliases(std::string(alias));
  for (const auto scheme : info.url_schemes) proto.add_url_schemes(std::string(scheme));
  for (const auto& [capability, name] : CapabilityNames()) {
    if (info.capabilities.Has(capability)) proto.add_capabilities(std::string(name));
  }
  for (const auto& spec : connector.spec().options) {
    auto* option = proto.add_options();
    option->set_name(spec.name);
    option->set_kind(std::string(KindName(spec.kind)));
    option->set_help(spec.help);
    option->set_default_value(spec.default_value);
    option->set_example(spec.example);
    option->set_required(spec.required);
    option->set_secret(spec.secret);
    for (const auto& alias : spec.aliases) option->add_aliases(alias);
    for (const auto& choice : spec.choices) option->add_choices(choice);
  }
  return proto;
}

std::string RunName(std::string_view project, std::string_view run) {
  return "projects/" + std::string(project) + "/runs/" + std::string(run);
}

std::string PipelineName(std::string_view project, std::string_view pipeline) {
  return "projects/" + std::string(project) + "/pipelines/" + std::string(pipeline);
}

std::string LastPart(std::string_view name) {
  const size_t slash = name.rfind('/');
  return std::string(slash == std::string_view::npos ? name : name.substr(slash + 1));
}

std::string ChainPipeline(std::string_view name) {
  constexpr std::string_view kProjects = "projects/", kPipelines = "/pipelines/";
  if (!name.starts_with(kProjects)) return std::string(name);
  name.remove_prefix(kProjects.size());
  const size_t at = name.find(kPipelines);
  if (at == std::string_view::npos) return {};
  const std::string project(name.substr(0, at));
  const std::string pipeline(name.substr(at + kPipelines.size()));
  if (project == "-" || pipeline == "-") return {};
  return project + "/" + pipeline;
}

}  // namespace dxt
