#include <nlohmann/json.hpp>

#include "client/dxtctl/output.h"
#include "client/dxtctl/run_verb.h"
#include "client/dxtctl/verbs.h"
#include "dxt/v1/project_service.pb.h"

namespace dxt::ctl {
namespace {

struct ListOptions {
  DocumentOptions documents;
  std::string select, exclude;
};

Result<int> ListStreams(Invocation& invocation, const ListOptions& options) {
  CTL_ASSIGN(const Documents documents, invocation.Load(options.documents));
  CTL_ASSIGN(const auto daemon, invocation.Connect(documents));
  v1::ListStreamsRequest request;
  *request.mutable_documents() = *documents.set;
  request.mutable_options()->set_select(options.select);
  request.mutable_options()->set_exclude(options.exclude);
  CTL_ASSIGN(const auto response, daemon->Call<v1::ListStreamsResponse>(request));
  auto rows = nlohmann::ordered_json::array();
  for (const auto& stream : response.streams()) {
    rows.push_back(
        {{"id", stream.id()},
         {"kind", stream.kind()},
         {"source", stream.source()},
         {"target", stream.target()},
         {"extract", stream.extract_mode()},
         {"load", stream.load_mode()},
         {"tags", std::vector<std::string>(stream.tags().begin(), stream.tags().end())}});
  }
  PrintListing({"streams",
                "id",
                {{"STREAM", "id"},
                 {"KIND", "kind", true},
                 {"SOURCE", "source"},
                 {"TARGET", "target"},
                 {"EXTRACT", "extract"},
                 {"LOAD", "load"},
                 {"TAGS", "tags"}}},
               rows, invocation);
  return kExitOk;
}

}  // namespace

void AddList(Verb root, Invocation& invocation) {
  auto options = std::make_shared<ListOptions>();
  const Verb verb = root.AddVerb("list", "List the streams of a pipeline");
  verb.Add("pipeline", options->documents.pipeline, "Pipeline file; - = stdin")
      .Required();
  verb.Add("--select,-s", options->select,
           "Streams to list: ids, globs, tag:NAME; ',' = or, '+' = and")
      .Placeholder("SELECTOR");
  verb.Add("--exclude", options->exclude, "Streams to leave out, likewise")
      .Placeholder("SELECTOR");
  AddVariablesOption(verb, options->documents.variables);
  verb.SetAction(invocation, options, ListStreams);
}

}  // namespace dxt::ctl
