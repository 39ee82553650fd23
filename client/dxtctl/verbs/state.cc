#include <algorithm>
#include <cstdio>
#include <set>

#include <google/protobuf/util/time_util.h>
#include <nlohmann/json.hpp>

#include "base/spelling.h"
#include "client/dxtctl/output.h"
#include "client/dxtctl/pipeline_name.h"
#include "client/dxtctl/resources.h"
#include "client/dxtctl/run_verb.h"
#include "client/dxtctl/verbs.h"
#include "dxt/v1/project_service.pb.h"
#include "dxt/v1/run_service.pb.h"
#include "dxt/v1/state_service.pb.h"

namespace dxt::ctl {
namespace {

using Json = nlohmann::ordered_json;

enum class Change { kSet, kReset, kAccept };

/// [PIPELINE] [STREAM] [VALUE], as they were typed.
struct StateOptions {
  std::vector<std::string> words;
  std::string pipeline, stream, value, lane;
  std::vector<std::string> variables;
};

/// A connected daemon and the pipeline that was named.
struct StateCall {
  Documents documents;
  std::unique_ptr<Daemon> daemon;
  std::string pipeline;  ///< Resource name; …/pipelines/- = not named.
};

Result<StateCall> BeginState(Invocation& invocation, const StateOptions& options) {
  DocumentOptions wanted;
  const bool document = IsDocumentArgument(options.pipeline);
  if (document) wanted.pipeline = options.pipeline;
  wanted.variables = options.variables;
  StateCall call;
  CTL_ASSIGN(call.documents, invocation.Load(wanted));
  CTL_ASSIGN(call.daemon, invocation.Connect(call.documents));
  CTL_ASSIGN(call.pipeline, PipelineResourceName(*call.daemon, call.documents,
                                                 document ? "" : options.pipeline));
  return call;
}

bool IsNamed(const std::string& pipeline) { return !pipeline.ends_with("/-"); }

Result<v1::ListCursorsResponse> Cursors(Daemon& daemon, const std::string& parent) {
  v1::ListCursorsRequest request;
  request.set_parent(parent);
  return daemon.Call<v1::ListCursorsResponse>(request);
}

/// Pipelines of recent runs that had this stream, for a stream that has no cursor yet.
Result<std::set<std::string>> PipelinesOfRuns(Daemon& daemon, const std::string& stream) {
  v1::ListRunsRequest request;
  request.set_parent("projects/-");
  CTL_ASSIGN(const auto response, daemon.Call<v1::ListRunsResponse>(request));
  std::set<std::string> pipelines;
  for (const auto& run : response.runs()) {
    const Json result = Json::parse(run.result_json(), nullptr, false);
    if (!result.is_object()) continue;
    for (const auto& entry : result.value("streams", Json::array())) {
      if (entry.value("id", "") == stream) pipelines.insert(run.pipeline());
    }
  }
  return pipelines;
}

/// The one pipeline that has this stream.
Result<std::string> FindPipeline(Daemon& daemon, const std::string& stream,
                                 const std::string& verb) {
  CTL_ASSIGN(const auto cursors, Cursors(daemon, "projects/-/pipelines/-"));
  std::set<std::string> pipelines;
  for (const auto& cursor : cursors.cursors()) {
    if (cursor.stream() == stream) pipelines.insert(cursor.pipeline());
  }
  if (pipelines.empty()) {
    CTL_ASSIGN(pipelines, PipelinesOfRuns(daemon, stream));
  }
  if (pipelines.size() == 1) return *pipelines.begin();
  const std::string command = "dxtctl state " + verb + " PIPELINE.yaml " + stream;
  if (pipelines.empty()) {
    return UsageError("No pipeline of this project has loaded a stream '" + stream + "'",
                      "Name its pipeline: " + command);
  }
  return UsageError(
      std::to_string(pipelines.size()) + " pipelines have a stream '" + stream + "'",
      "Name its pipeline: " + command);
}

/// A pipeline file has the stream; one that left it may still have its cursor.
Status CheckStream(const StateCall& call, const std::string& stream) {
  if (!call.documents.set->has_pipeline()) return Done{};
  v1::ListStreamsRequest request;
  *request.mutable_documents() = *call.documents.set;
  CTL_ASSIGN(const auto response, call.daemon->Call<v1::ListStreamsResponse>(request));
  std::vector<std::string> known;
  for (const auto& each : response.streams()) known.push_back(each.id());
  if (std::find(known.begin(), known.end(), stream) != known.end()) return Done{};
  CTL_ASSIGN(const auto cursors, Cursors(*call.daemon, call.pipeline));
  for (const auto& cursor : cursors.cursors()) {
    if (cursor.stream() == stream) return Done{};
  }
  const std::string nearest = NearestSpelling(stream, known);
  std::string all;
  for (const auto& each : known) all += (all.empty() ? "" : ", ") + each;
  return UsageError(
      "The pipeline has no stream '" + stream + "'",
      nearest.empty() ? "It has " + all : "Did you mean '" + nearest + "'?");
}

void PrintCursorTable(const google::protobuf::RepeatedPtrField<v1::Cursor>& cursors,
                      Invocation& invocation) {
  Json rows = Json::array();
  for (const auto& cursor : cursors) {
    const auto text = [](const std::string& value) {
      return value.empty() ? Json() : Json(value);
    };
    Json row = {
        {"pipeline", cursor.pipeline()},
        {"stream", cursor.stream()},
        {"lane", cursor.lane()},
        {"cursor", text(cursor.value())},
        {"window_seq", cursor.window_seq()},
        {"load_id", text(cursor.load_id())},
        {"run", text(cursor.run())},
        {"target", text(cursor.target())},
        {"updated_at", google::protobuf::util::TimeUtil::ToString(cursor.update_time())},
        {"request", text(cursor.request())},
        {"requested_value", text(cursor.requested_value())},
        {"gaps", Json::array()}};
    for (const auto& gap : cursor.gaps()) {
      row["gaps"].push_back(
          {{"after", gap.after()}, {"up_to", gap.up_to()}, {"run", gap.run()}});
    }
    rows.push_back(row);
  }
  PrintListing({"cursors",
                "stream",
                {{"PIPELINE", "pipeline", true},
                 {"STREAM", "stream"},
                 {"LANE", "lane", true},
                 {"CURSOR", "cursor"},
                 {"WINDOW", "window_seq", false, true},
                 {"TARGET", "target", true},
                 {"LOAD", "load_id", true},
                 {"RUN", "run", true},
                 {"UPDATED", "updated_at"},
                 {"REQUEST", "request"},
                 {"VALUE", "requested_value", true}}},
               rows, invocation);
  if (!ForPeople(invocation)) return;
  for (const auto& cursor : cursors) {
    for (const auto& gap : cursor.gaps()) {
      invocation.Note(cursor.stream() + ": run " + gap.run() +
                      " left out the rows above " + gap.after() + " and up to " +
                      gap.up_to() + ".");
    }
  }
}

Result<int> ShowCursors(Invocation& invocation, StateOptions options) {
  CTL_ASSIGN(const StateCall call, BeginState(invocation, options));
  CTL_ASSIGN(const auto response, Cursors(*call.daemon, call.pipeline));
  PrintCursorTable(response.cursors(), invocation);
  return kExitOk;
}

Result<v1::Cursor> Send(const Daemon& daemon, const std::string& pipeline,
                        const StateOptions& options, Change change) {
  const auto fill = [&](auto request) {
    request.set_pipeline(pipeline);
    request.set_stream(options.stream);
    request.set_lane(options.lane);
    return request;
  };
  if (change == Change::kReset) {
    return daemon.Call<v1::Cursor>(fill(v1::ResetCursorRequest()));
  }
  if (change == Change::kAccept) {
    return daemon.Call<v1::Cursor>(fill(v1::AcceptCursorRequest()));
  }
  auto request = fill(v1::SetCursorRequest());
  request.set_value(options.value);
  return daemon.Call<v1::Cursor>(request);
}

Result<int> Modify(Invocation& invocation, StateOptions options, Change change,
                   const std::string& verb) {
  auto words = options.words;
  const size_t needed = change == Change::kSet ? 2 : 1;
  if (words.size() > needed) {
    options.pipeline = words.front();
    words.erase(words.begin());
  }
  if (words.size() != needed) {
    return UsageError("`dxtctl state " + verb + "` takes [PIPELINE] STREAM" +
                      (change == Change::kSet ? " VALUE" : ""));
  }
  options.stream = words[0];
  if (change == Change::kSet) options.value = words[1];
  CTL_ASSIGN(const StateCall call, BeginState(invocation, options));
  CTL_RETURN_NOT_OK(CheckStream(call, options.stream));
  std::string pipeline = call.pipeline;
  if (!IsNamed(pipeline)) {
    CTL_ASSIGN(pipeline, FindPipeline(*call.daemon, options.stream, verb));
  }
  google::protobuf::RepeatedPtrField<v1::Cursor> cursors;
  CTL_ASSIGN(*cursors.Add(), Send(*call.daemon, pipeline, options, change));
  PrintCursorTable(cursors, invocation);
  invocation.Note("The next run of " + pipeline + " carries this out.");
  return kExitOk;
}

void AddModify(Verb parent, Invocation& invocation, const char* name, const char* help,
               Change change) {
  auto options = std::make_shared<StateOptions>();
  const Verb verb = parent.AddVerb(name, help);
  verb.Add("words", options->words,
           change == Change::kSet
               ? "Pipeline file or name, where several have the stream; the "
                 "stream; the value of its watermark field"
               : "Pipeline file or name, where several have the stream; the "
                 "stream")
      .Placeholder(change == Change::kSet ? "[PIPELINE] STREAM VALUE"
                                          : "[PIPELINE] STREAM")
      .Required()
      .Values(1, 3);
  verb.Add("--lane", options->lane, "Lane of the stream (default: sync)");
  AddVariablesOption(verb, options->variables);
  verb.SetAction(invocation, [=, &invocation]() -> Result<int> {
    return Modify(invocation, *options, change, name);
  });
}

}  // namespace

void AddState(Verb root, Invocation& invocation) {
  const Verb verb = root.AddVerb("state", "Show or change where each stream stands");
  verb.RequireVerb();
  auto options = std::make_shared<StateOptions>();
  const Verb show = verb.AddVerb("show", "Show the stored cursors");
  show.Add("pipeline", options->pipeline, "Pipeline file or name (default: all)");
  AddVariablesOption(show, options->variables);
  show.SetAction(invocation, options, ShowCursors);
  AddModify(verb, invocation, "set", "The next run reads what comes after VALUE",
            Change::kSet);
  AddModify(verb, invocation, "reset", "The next run reads from the beginning",
            Change::kReset);
  AddModify(verb, invocation, "accept",
            "The next run takes the target, or a changed stream, as it is",
            Change::kAccept);
}

}  // namespace dxt::ctl
