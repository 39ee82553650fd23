#pragma once
// Messages of dxt.v1 to and from the types of engine and state.
#include <map>
#include <string>
#include <string_view>

#include "engine/plan/documents.h"
#include "engine/run/engine.h"
#include "server/scheduler/run_feed.h"
#include "state/state_store.h"

namespace google::protobuf {
class Timestamp;
}

namespace dxt::v1 {
class Connector;
class Cursor;
class DocumentSet;
class LogLine;
class Pipeline;
class Problem;
class Project;
class Run;
class RunEvent;
class RunOptions;
class Schedule;
class Tick;
}  // namespace dxt::v1

namespace dxt {

class Connector;
class Redactor;

DocumentInputs FromProto(const v1::DocumentSet& documents);
RunOptions FromProto(const v1::RunOptions& options);

v1::Problem ToProto(const Problem& problem, const Redactor& redactor);
v1::Run ToProto(const RunRecord& run);
v1::RunEvent ToProto(const FeedEvent& event);
v1::Connector ToProto(const Connector& connector);
v1::Cursor ToProto(const ChainRecord& chain);
v1::LogLine ToProto(const LogRecord& line);
v1::Pipeline ToProto(const PipelineRecord& pipeline);
v1::Project ToProto(const ProjectRecord& project);
v1::Schedule ToProto(const ScheduleRecord& schedule);
v1::Tick ToProto(const TickRecord& tick, std::string_view project);

/// RFC 3339 text, "" = left out.
void SetTime(const std::string& text, google::protobuf::Timestamp* time);

v1::RunOptions ToProto(const RunOptions& options);

std::string RunName(std::string_view project, std::string_view run);
std::string PipelineName(std::string_view project, std::string_view pipeline);
/// The last part of "projects/{p}/runs/{r}" and the like; the text itself without a '/'.
std::string LastPart(std::string_view name);
/// "projects/{p}/pipelines/{x}" -> "p/x"; wildcards ("-") -> "".
std::string ChainPipeline(std::string_view name);

}  // namespace dxt
