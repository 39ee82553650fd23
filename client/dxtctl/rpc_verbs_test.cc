#include "client/dxtctl/rpc_verbs.h"

#include <map>
#include <sstream>

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>
#include <CLI/CLI.hpp>

#include "client/dxtctl/command_line.h"
#include "client/dxtctl/fake_dxtd.h"
#include "dxt/v1/dead_letter_service.pb.h"
#include "dxt/v1/dependency_service.pb.h"
#include "dxt/v1/package_service.pb.h"
#include "dxt/v1/pipeline_service.pb.h"
#include "dxt/v1/project_service.pb.h"
#include "dxt/v1/run_service.pb.h"
#include "dxt/v1/schedule_service.pb.h"
#include "dxt/v1/server_service.pb.h"
#include "dxt/v1/state_service.pb.h"

namespace dxt::ctl {
namespace {

TEST(RpcVerbsTest, EveryCallOfTheServicesHasAVerb) {
  std::map<std::string, std::string> verbs;
  for (const auto& [rpc, verb] : RpcVerbs()) {
    EXPECT_TRUE(verbs.emplace(rpc, verb).second) << rpc << " stands there twice";
  }
  for (const auto* file :
       {v1::DeadLetter::descriptor()->file(), v1::Dependency::descriptor()->file(),
        v1::Package::descriptor()->file(), v1::Pipeline::descriptor()->file(),
        v1::Project::descriptor()->file(), v1::Run::descriptor()->file(),
        v1::Schedule::descriptor()->file(), v1::ServerInfo::descriptor()->file(),
        v1::Cursor::descriptor()->file()}) {
    ASSERT_GT(file->service_count(), 0) << file->name();
    for (int s = 0; s < file->service_count(); ++s) {
      for (int m = 0; m < file->service(s)->method_count(); ++m) {
        const std::string rpc =
            file->service(s)->name() + "." + file->service(s)->method(m)->name();
        EXPECT_EQ(verbs.erase(rpc), 1u) << rpc << " has no verb in rpc_verbs.cc";
      }
    }
  }
  for (const auto& [rpc, verb] : verbs) ADD_FAILURE() << "there is no call " << rpc;
}

TEST(RpcVerbsTest, EveryVerbOfTheTableIsThere) {
  Invocation invocation;
  CLI::App app;
  BuildCommandLine(app, invocation);
  for (const auto& [rpc, verb] : RpcVerbs()) {
    const CLI::App* at = &app;
    std::istringstream words(verb);
    for (std::string word; words >> word;) {
      const auto found = at->get_subcommands(
          [&](const CLI::App* next) { return next->get_name() == word; });
      ASSERT_EQ(found.size(), 1u) << verb;
      at = found[0];
    }
    EXPECT_FALSE(at->get_description().empty()) << verb;
  }
}

/// A command line for each verb of the table; FILE is a pipeline file.
const std::map<std::string, std::vector<std::string>>& Commands() {
  static const auto* commands = new std::map<std::string, std::vector<std::string>>{
      {"deps add", {"a", "b"}},
      {"deps delete", {"a", "b", "--yes"}},
      {"deps list", {}},
      {"dlq drop", {"01L-1"}},
      {"dlq list", {}},
      {"dlq show", {"01L-1"}},
      {"packages drop", {"01L"}},
      {"packages show", {"01L"}},
      {"packages list", {}},
      {"pipelines apply", {"-f", "FILE"}},
      {"pipelines delete", {"a", "--yes"}},
      {"pipelines describe", {"a"}},
      {"pipelines get", {"a"}},
      {"pipelines list", {}},
      {"pipelines pause", {"a"}},
      {"pipelines resume", {"a"}},
      {"projects apply", {"-f", "FILE"}},
      {"projects delete", {"a", "--yes"}},
      {"projects get", {"a"}},
      {"projects list", {}},
      {"connections get", {"a"}},
      {"connections list", {}},
      {"connections test", {"a"}},
      {"connectors", {}},
      {"discover", {"a"}},
      {"json-schema", {"pipeline"}},
      {"list", {"FILE"}},
      {"preview", {"FILE", "a"}},
      {"test", {"FILE"}},
      {"validate", {"FILE"}},
      {"runs cancel", {"01R"}},
      {"runs get", {"01R"}},
      {"runs list", {}},
      {"runs logs", {"01R"}},
      {"runs retry", {"01R"}},
      {"runs watch", {"01R"}},
      {"submit", {"a"}},
      {"schedules create", {"a", "--pipeline", "b", "--cron", "@daily"}},
      {"schedules delete", {"a", "--yes"}},
      {"schedules get", {"a"}},
      {"schedules list", {}},
      {"schedules next", {"a"}},
      {"schedules pause", {"a"}},
      {"schedules resume", {"a"}},
      {"schedules ticks", {"a"}},
      {"schedules trigger", {"a"}},
      {"schedules update", {"a", "--cron", "@daily"}},
      {"admin backup", {"/tmp/x"}},
      {"doctor", {}},
      {"status", {}},
      {"state accept", {"a", "s"}},
      {"state reset", {"a", "s"}},
      {"state set", {"a", "s", "5"}},
      {"state show", {"a"}},
  };
  return *commands;
}

TEST(RpcVerbsTest, EveryVerbMakesItsCall) {
  const TestFolder folder;
  const std::string file = folder.Write("p.yaml", "name: p\n");
  FakeDxtd dxtd(FakeOptions{"", nullptr, /*only_rest=*/true});
  v1::RunEvent end;
  end.mutable_finished()->set_name("projects/default/runs/01R");
  dxtd.rest.Answer("RunService.WatchRun", end);
  for (const auto& [rpc, verb] : RpcVerbs()) {
    // Only a private dxtd is attached to; the scenarios start those.
    if (std::string_view(rpc) == "ServerService.Attach") continue;
    const auto arguments = Commands().find(verb);
    ASSERT_NE(arguments, Commands().end()) << verb;
    std::vector<std::string> words;
    std::istringstream text(verb);
    for (std::string word; text >> word;) words.push_back(word);
    for (const auto& word : arguments->second)
      words.push_back(word == "FILE" ? file : word);
    words.insert(words.end(), {"--server", dxtd.address()});
    const size_t before = dxtd.rest.calls().size();
    const auto ran = RunCtl(words);
    bool made = false;
    const auto calls = dxtd.rest.calls();
    for (size_t i = before; i < calls.size(); ++i) made = made || calls[i].rpc == rpc;
    EXPECT_TRUE(made) << verb << " did not call " << rpc << "\n" << ran.err;
  }
}

}  // namespace
}  // namespace dxt::ctl
