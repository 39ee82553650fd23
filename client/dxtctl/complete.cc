#include "client/dxtctl/complete.h"

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "client/dxtctl/contexts.h"
#include "client/dxtctl/pipeline_name.h"
#include "client/dxtctl/resources.h"
#include "client/dxtctl/usage.h"
#include "client/dxtctl/yaml_reading.h"
#include "dxt/v1/pipeline_service.pb.h"
#include "dxt/v1/project_service.pb.h"
#include "dxt/v1/run_service.pb.h"
#include "dxt/v1/schedule_service.pb.h"

namespace dxt::ctl {
namespace {

using Words = std::vector<std::string>;

/// Nobody waits longer for a list after pressing a key.
constexpr CallOptions kQuick{.deadline = std::chrono::seconds(1)};

/// What the arguments of a verb name; verbs that are not here take files.
const std::map<std::string, std::string>& KindsOfArguments() {
  static const auto* kinds = new std::map<std::string, std::string>{
      {"cancel", "runs"},
      {"connections get", "connections"},
      {"connections test", "connections"},
      {"context delete", "contexts"},
      {"context set", "contexts"},
      {"context use", "contexts"},
      {"deps add", "pipelines"},
      {"deps delete", "pipelines"},
      {"deps list", "pipelines"},
      {"logs", "runs"},
      {"pipelines delete", "pipelines"},
      {"pipelines describe", "pipelines"},
      {"pipelines get", "pipelines"},
      {"pipelines pause", "pipelines"},
      {"pipelines resume", "pipelines"},
      {"projects delete", "projects"},
      {"projects get", "projects"},
      {"runs cancel", "runs"},
      {"runs get", "runs"},
      {"runs logs", "runs"},
      {"runs retry", "runs"},
      {"runs watch", "runs"},
      {"schedules delete", "schedules"},
      {"schedules get", "schedules"},
      {"schedules next", "schedules"},
      {"schedules pause", "schedules"},
      {"schedules resume", "schedules"},
      {"schedules ticks", "schedules"},
      {"schedules trigger", "schedules"},
      {"schedules update", "schedules"},
      {"submit", "pipelines"},
  };
  return *kinds;
}

const Words* ChoicesOf(const std::string& option) {
  static const auto* choices = new std::map<std::string, Words>{
      {"--output", {"table", "wide", "json", "jsonl", "yaml", "name", "jsonpath="}},
      {"-o", {"table", "wide", "json", "jsonl", "yaml", "name", "jsonpath="}},
      {"--time-format", {"relative", "local", "iso"}},
      {"--color", {"auto", "always", "never"}},
      {"--log-format", {"text", "json"}},
      {"--level", {"debug", "info", "warning", "error"}},
      {"--misfire", {"none", "one", "all"}},
      {"--mode", {"append", "replace", "upsert"}},
      {"--trigger", {"SUBMIT", "SCHEDULE", "DEPENDENCY", "RETRY"}},
      {"--state",
       {"QUEUED", "RUNNING", "CANCELLING", "SUCCEEDED", "PARTIAL", "FAILED",
        "CANCELLED"}},
  };
  const auto found = choices->find(option);
  return found == choices->end() ? nullptr : &found->second;
}

template <typename Response, typename Request, typename Items>
Words NamesOf(const ResourceServer& server, Request request, Items items) {
  Words names;
  const auto response = Call<Response>(server, request, kQuick);
  if (!response.ok()) return names;
  for (const auto& item : items(*response)) names.push_back(LastPart(item.name()));
  return names;
}

Words Names(Invocation& invocation, const std::string& kind) {
  Words names;
  if (kind == "contexts") {
    const auto contexts = LoadContexts(ContextsPath());
    if (!contexts.ok()) return names;
    for (const auto& [name, context] : contexts->all) names.push_back(name);
    return names;
  }
  const auto server = invocation.Server();
  if (!server.ok()) return names;
  const std::string parent = ListParent(*server, false);
  const auto in_project = [&](auto request) {
    request.set_parent(parent);
    return request;
  };
  if (kind == "pipelines") {
    return NamesOf<v1::ListPipelinesResponse>(
        *server, in_project(v1::ListPipelinesRequest()),
        [](const auto& response) { return response.pipelines(); });
  }
  if (kind == "runs") {
    return NamesOf<v1::ListRunsResponse>(
        *server, in_project(v1::ListRunsRequest()),
        [](const auto& response) { return response.runs(); });
  }
  if (kind == "schedules") {
    return NamesOf<v1::ListSchedulesResponse>(
        *server, in_project(v1::ListSchedulesRequest()),
        [](const auto& response) { return response.schedules(); });
  }
  if (kind == "connections") {
    return NamesOf<v1::ListConnectionsResponse>(
        *server, in_project(v1::ListConnectionsRequest()),
        [](const auto& response) { return response.connections(); });
  }
  return NamesOf<v1::ListProjectsResponse>(
      *server, v1::ListProjectsRequest(),
      [](const auto& response) { return response.projects(); });
}

/// The ids in a pipeline's text, or in the result of a run.
Words StreamIds(const nlohmann::ordered_json& document) {
  Words ids;
  if (!document.is_object()) return ids;
  for (const auto& stream : document.value("streams", nlohmann::ordered_json::array())) {
    if (!stream.is_object()) continue;
    for (const char* key : {"id", "source"}) {
      const auto found = stream.find(key);
      if (found == stream.end() || !found->is_string()) continue;
      ids.push_back(*found);
      break;
    }
  }
  return ids;
}

Words StreamsOfText(const std::string& text) {
  const auto document = ReadYaml(text);
  return document.ok() ? StreamIds(*document) : Words();
}

/// Of a pipeline file, of a stored pipeline, or of a run (`of_runs`).
Words Streams(Invocation& invocation, const std::string& what, bool of_runs) {
  if (what.empty() || what == "-") return {};
  if (!of_runs && IsDocumentArgument(what)) {
    std::ostringstream text;
    text << std::ifstream(what).rdbuf();
    return StreamsOfText(text.str());
  }
  const auto server = invocation.Server();
  if (!server.ok()) return {};
  const auto name = ResourceName(*server, of_runs ? "runs" : "pipelines", what);
  if (!name.ok()) return {};
  if (of_runs) {
    v1::GetRunRequest request;
    request.set_name(*name);
    const auto run = Call<v1::Run>(*server, request, kQuick);
    return run.ok() ? StreamIds(nlohmann::ordered_json::parse(run->result_json(), nullptr,
                                                              /*allow_exceptions=*/false))
                    : Words();
  }
  v1::GetPipelineRequest request;
  request.set_name(*name);
  const auto pipeline = Call<v1::Pipeline>(*server, request, kQuick);
  return pipeline.ok() ? StreamsOfText(pipeline->document().text()) : Words();
}

/// Does the next argument of this verb name a stream of its first one?
bool TakesStream(const std::string& path, size_t given) {
  static const std::set<std::string> verbs = {"preview", "state set", "state reset",
                                              "state accept"};
  return given == 1 && verbs.contains(path);
}

bool TakesStream(const std::string& option) {
  static const std::set<std::string> options = {"--select", "-s", "--exclude", "--stream",
                                                "--full-refresh"};
  return options.contains(option);
}

/// The streams, each behind what of a list of selectors is typed already.
Words BehindList(const Words& streams, const std::string& current) {
  const size_t last = current.find_last_of(",+");
  const std::string typed = last == std::string::npos ? "" : current.substr(0, last + 1);
  Words words;
  for (const auto& stream : streams) words.push_back(typed + stream);
  return words;
}

const CLI::Option* FindOption(const CLI::App& root, const CLI::App& verb,
                              const std::string& name) {
  for (const auto* app : {&verb, &root}) {
    for (const auto* option : app->get_options()) {
      if (option->check_name(name)) return option;
    }
  }
  return nullptr;
}

bool TakesValue(const CLI::Option* option) {
  return option != nullptr && option->get_expected_min() > 0 &&
         option->get_type_size() > 0;
}

/// Where the options of the daemon and the project belong, as they are typed.
std::string* Setting(GlobalOptions& options, const std::string& name) {
  const std::map<std::string, std::string*> settings = {
      {"--server", &options.endpoint.server},
      {"--context", &options.endpoint.context},
      {"--token-file", &options.endpoint.token_file},
      {"--tls-ca", &options.endpoint.tls.ca},
      {"--tls-cert", &options.endpoint.tls.cert},
      {"--tls-key", &options.endpoint.tls.key},
      {"--project", &options.project}};
  const auto found = settings.find(name);
  return found == settings.end() ? nullptr : found->second;
}

std::vector<const CLI::App*> Verbs(const CLI::App& app) {
  return app.get_subcommands(
      [](const CLI::App* verb) { return !verb->get_group().empty(); });
}

/// The commands below the one that `words` name.
Words CommandsBelow(const CLI::App& root, const Words& words) {
  const CLI::App* at = &root;
  for (const auto& word : words) {
    const CLI::App* next = nullptr;
    for (const auto* verb : Verbs(*at)) {
      if (verb->get_name() == word) next = verb;
    }
    if (next == nullptr) return {};
    at = next;
  }
  Words names;
  for (const auto* verb : Verbs(*at)) names.push_back(verb->get_name());
  return names;
}

void KeepBeginning(const std::string& with, Words& words) {
  std::erase_if(words, [&](const std::string& word) { return !word.starts_with(with); });
}

}  // namespace

Candidates Complete(const CLI::App& root, Invocation& invocation, const Words& words) {
  const std::string current = words.empty() ? "" : words.back();
  const CLI::App* verb = &root;
  std::string path;
  Words arguments;
  std::string pending;  // The option whose value comes next.
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    if (!pending.empty()) {
      if (std::string* setting = Setting(invocation.options, pending))
        *setting = words[i];
      pending.clear();
    } else if (words[i].starts_with("-")) {
      if (TakesValue(FindOption(root, *verb, words[i]))) pending = words[i];
    } else {
      const auto verbs = Verbs(*verb);
      if (verbs.empty()) arguments.push_back(words[i]);
      for (const auto* next : verbs) {
        if (next->get_name() != words[i]) continue;
        verb = next;
        path += (path.empty() ? "" : " ") + words[i];
        break;
      }
    }
  }
  // Its value may be left out.
  if (pending.empty() && words.size() > 1 &&
      words[words.size() - 2] == "--full-refresh" && !current.starts_with("-")) {
    pending = "--full-refresh";
  }
  const bool of_runs = path == "logs" || path.starts_with("runs ");
  Candidates found;
  if (TakesStream(pending)) {
    const std::string what = arguments.empty() ? "" : arguments.front();
    found.words = BehindList(Streams(invocation, what, of_runs), current);
    found.files = pending == "--full-refresh" && arguments.empty();
  } else if (!pending.empty()) {
    if (const auto* choices = ChoicesOf(pending)) {
      found.words = *choices;
    } else if (pending == "--pipeline" || pending == "--context" ||
               pending == "--project") {
      found.words = Names(invocation, pending.substr(2) + "s");
      found.files = pending == "--project";
    } else {
      found.files = true;
    }
  } else if (current.starts_with("-")) {
    found.words = OptionNames(*verb);
  } else if (const auto verbs = Verbs(*verb); !verbs.empty()) {
    for (const auto* next : verbs) found.words.push_back(next->get_name());
  } else if (path == "help") {
    found.words = CommandsBelow(root, arguments);
  } else if (TakesStream(path, arguments.size())) {
    found.words = Streams(invocation, arguments.front(), of_runs);
  } else {
    const auto kind = KindsOfArguments().find(path);
    if (kind != KindsOfArguments().end()) found.words = Names(invocation, kind->second);
    found.files = kind == KindsOfArguments().end() || path == "submit";
  }
  KeepBeginning(current, found.words);
  return found;
}

}  // namespace dxt::ctl
