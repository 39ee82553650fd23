#include "client/dxtctl/complete.h"

#include <map>

#include <CLI/CLI.hpp>

#include "client/dxtctl/contexts.h"
#include "client/dxtctl/resources.h"
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
      {"--output", {"table", "wide", "json", "jsonl", "yaml", "name"}},
      {"-o", {"table", "wide", "json", "jsonl", "yaml", "name"}},
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

Words OptionNames(const CLI::App& root, const CLI::App& verb) {
  Words names;
  for (const auto* app : {&verb, &root}) {
    for (const auto* option : app->get_options()) {
      for (const auto& name : option->get_lnames()) names.push_back("--" + name);
    }
    if (&verb == &root) break;
  }
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
  std::string pending;  // The option whose value comes next.
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    if (!pending.empty()) {
      if (std::string* setting = Setting(invocation.options, pending))
        *setting = words[i];
      pending.clear();
    } else if (words[i].starts_with("-")) {
      if (TakesValue(FindOption(root, *verb, words[i]))) pending = words[i];
    } else {
      for (const auto* next : Verbs(*verb)) {
        if (next->get_name() != words[i]) continue;
        verb = next;
        path += (path.empty() ? "" : " ") + words[i];
        break;
      }
    }
  }
  Candidates found;
  if (!pending.empty()) {
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
    found.words = OptionNames(root, *verb);
  } else if (const auto verbs = Verbs(*verb); !verbs.empty()) {
    for (const auto* next : verbs) found.words.push_back(next->get_name());
  } else {
    const auto kind = KindsOfArguments().find(path);
    if (kind != KindsOfArguments().end()) found.words = Names(invocation, kind->second);
    found.files = kind == KindsOfArguments().end() || path == "submit";
  }
  KeepBeginning(current, found.words);
  return found;
}

}  // namespace dxt::ctl
