// What the verbs of stored resources ask of a daemon.
#include <cstdlib>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "client/dxtctl/fake_dxtd.h"
#include "client/dxtctl/result.h"

namespace dxt::ctl {
namespace {

class VerbsTest : public testing::Test {
 protected:
  void SetUp() override {
    setenv("XDG_CONFIG_HOME", folder_.path().c_str(), 1);
    for (const char* name : {"DXT_SERVER", "DXT_CONTEXT", "DXT_PROJECT"}) unsetenv(name);
  }
  Ran Ctl(std::vector<std::string> words) {
    words.insert(words.end(), {"--server", dxtd_.address()});
    return RunCtl(words);
  }
  /// The one call that a command made: "Service.Method {request}".
  std::string CallOf(std::vector<std::string> words) {
    const size_t before = dxtd_.rest.calls().size();
    const auto ran = Ctl(std::move(words));
    const auto calls = dxtd_.rest.calls();
    if (ran.exit_code != 0) return "exit " + std::to_string(ran.exit_code) + ran.err;
    if (calls.size() != before + 1)
      return std::to_string(calls.size() - before) + " calls";
    return calls.back().rpc + " " + calls.back().request;
  }

  TestFolder folder_;
  FakeDxtd dxtd_;
};

TEST_F(VerbsTest, PipelinesAreStoredUnderTheProjectWithTheirAbsolutePath) {
  const auto file = folder_.Write("orders.yaml", "name: orders\n");
  EXPECT_EQ(
      CallOf({"pipelines", "apply", "-f", file, "--project", "shop"}),
      R"(PipelineService.ApplyPipeline {"parent":"projects/shop","document":{"path":")" +
          file + R"(","text":"name: orders\n"}})");
  EXPECT_EQ(
      CallOf({"pipelines", "apply", "-f", file, "--dry-run", "--etag", "7"}),
      R"(PipelineService.ApplyPipeline {"parent":"projects/default","document":{"path":")" +
          file + R"(","text":"name: orders\n"},"etag":"7","validateOnly":true})");
  EXPECT_EQ(CallOf({"pipelines", "apply", file, "--project", "shop"}),
            CallOf({"pipelines", "apply", "-f", file, "--project", "shop"}));
  const auto none = Ctl({"pipelines", "apply"});
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_NE(none.err.find("-f FILE"), std::string::npos) << none.err;
}

TEST_F(VerbsTest, AFolderOfPipelinesIsAppliedWithoutItsProjectFile) {
  folder_.Write("b.yaml", "name: b\n");
  folder_.Write("a.yml", "name: a\n");
  folder_.Write("dxt_project.yaml", "version: 1\n");
  folder_.Write("notes.txt", "no document");
  EXPECT_EQ(Ctl({"pipelines", "apply", "-f", folder_.path()}).exit_code, 0);
  const auto calls = dxtd_.rest.calls();
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_NE(calls[0].request.find("name: a"), std::string::npos);
  EXPECT_NE(calls[1].request.find("name: b"), std::string::npos);
}

TEST_F(VerbsTest, PipelinesAreNamedAloneWithTheirProjectOrInFull) {
  EXPECT_EQ(
      CallOf({"pipelines", "get", "orders"}),
      R"(PipelineService.GetPipeline {"name":"projects/default/pipelines/orders"})");
  EXPECT_EQ(CallOf({"pipelines", "get", "shop/orders", "--revision", "3"}),
            R"(PipelineService.GetPipeline {"name":"projects/shop/pipelines/orders",)"
            R"("revision":"3"})");
  EXPECT_EQ(
      CallOf({"pipelines", "describe", "projects/shop/pipelines/orders"}),
      R"(PipelineService.DescribePipeline {"name":"projects/shop/pipelines/orders"})");
  setenv("DXT_PROJECT", "market", 1);
  EXPECT_EQ(CallOf({"pipelines", "pause", "orders", "--note", "audit"}),
            R"(PipelineService.PausePipeline {"name":"projects/market/pipelines/orders",)"
            R"("note":"audit"})");
  EXPECT_EQ(
      CallOf({"pipelines", "resume", "orders", "--project", "shop"}),
      R"(PipelineService.ResumePipeline {"name":"projects/shop/pipelines/orders"})");
  EXPECT_EQ(CallOf({"pipelines", "list", "-A"}),
            R"(PipelineService.ListPipelines {"parent":"projects/-","pageSize":1000})");
  EXPECT_EQ(Ctl({"pipelines", "get", "projects/shop/runs/x"}).exit_code, kExitUsage);
  EXPECT_EQ(Ctl({"pipelines", "get", "a/b/c"}).exit_code, kExitUsage);
}

TEST_F(VerbsTest, NothingIsDeletedUnasked) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"pipelines", "delete", "orders"},
        {"schedules", "delete", "nightly"},
        {"projects", "delete", "shop"},
        {"deps", "delete", "a", "b"}}) {
    const auto ran = Ctl(words);
    EXPECT_EQ(ran.exit_code, kExitUsage) << words[0];
    EXPECT_NE(ran.err.find("--yes"), std::string::npos) << ran.err;
  }
  EXPECT_TRUE(dxtd_.rest.calls().empty());
  EXPECT_EQ(
      CallOf({"pipelines", "delete", "orders", "--yes", "--force"}),
      R"(PipelineService.DeletePipeline {"name":"projects/default/pipelines/orders",)"
      R"("force":true})");
  EXPECT_EQ(CallOf({"projects", "delete", "shop", "-y"}),
            R"(ProjectService.DeleteProject {"name":"projects/shop"})");
  EXPECT_EQ(
      CallOf({"schedules", "delete", "shop/nightly", "--yes"}),
      R"(ScheduleService.DeleteSchedule {"name":"projects/shop/schedules/nightly"})");
  EXPECT_EQ(CallOf({"deps", "delete", "a", "b", "--yes"}),
            R"(DependencyService.DeleteDependency )"
            R"({"name":"projects/default/dependencies/a..b"})");
}

TEST_F(VerbsTest, ProjectsAndConnections) {
  const auto file = folder_.Write("dxt_project.yaml", "name: shop\n");
  EXPECT_EQ(CallOf({"projects", "apply", "-f", file}),
            R"(ProjectService.ApplyProject {"document":{"path":")" + file +
                R"(","text":"name: shop\n"}})");
  EXPECT_EQ(CallOf({"projects", "get", "shop"}),
            R"(ProjectService.GetProject {"name":"projects/shop"})");
  EXPECT_EQ(CallOf({"connections", "list", "--project", "shop"}),
            R"(ProjectService.ListConnections {"parent":"projects/shop"})");
  EXPECT_EQ(CallOf({"connections", "get", "shop/store"}),
            R"(ProjectService.GetConnection {"name":"projects/shop/connections/store"})");
  // The empty answer says that the connection does not work.
  const auto ran = Ctl({"connections", "test", "store"});
  EXPECT_EQ(ran.exit_code, kExitFailed);
  EXPECT_EQ(dxtd_.rest.calls().back().request,
            R"({"name":"projects/default/connections/store"})");
}

TEST_F(VerbsTest, SchedulesAreMadeOfWhatIsGiven) {
  EXPECT_EQ(
      CallOf({"schedules",
              "create",
              "nightly",
              "--pipeline",
              "orders",
              "--cron",
              "0 3 * * *",
              "--timezone",
              "Europe/Berlin",
              "--misfire",
              "all",
              "--misfire-grace",
              "5m",
              "--max-instances",
              "2",
              "--jitter",
              "30s",
              "--priority",
              "7",
              "--select",
              "tag:daily",
              "--var",
              "a=b"}),
      R"(ScheduleService.CreateSchedule {"parent":"projects/default","scheduleId":"nightly",)"
      R"("schedule":{"pipeline":"projects/default/pipelines/orders","cron":"0 3 * * *",)"
      R"("timezone":"Europe/Berlin","misfire":"ALL","misfireGrace":"300s",)"
      R"("maxInstances":2,"jitter":"30s","options":{"phase":"RUN","select":"tag:daily"},)"
      R"("sqlVariables":{"a":"b"},"priority":7}})");
  EXPECT_EQ(
      CallOf({"schedules", "update", "nightly", "--cron", "@daily", "--dry-run"}),
      R"(ScheduleService.UpdateSchedule {"schedule":{"name":)"
      R"("projects/default/schedules/nightly","cron":"@daily"},"updateMask":"cron",)"
      R"("validateOnly":true})");
  EXPECT_EQ(Ctl({"schedules", "update", "nightly"}).exit_code, kExitUsage);
  EXPECT_EQ(Ctl({"schedules", "create", "nightly", "--cron", "@daily"}).exit_code,
            kExitUsage);
  EXPECT_EQ(Ctl({"schedules", "create", "n", "--cron", "@daily", "--pipeline", "p",
                 "--jitter", "soon"})
                .exit_code,
            kExitUsage);
}

TEST_F(VerbsTest, SchedulesAreAskedAboutAndTriggered) {
  EXPECT_EQ(
      CallOf({"schedules", "list", "--pipeline", "orders"}),
      R"(ScheduleService.ListSchedules {"parent":"projects/default","pageSize":1000,)"
      R"("pipeline":"projects/default/pipelines/orders"})");
  EXPECT_EQ(
      CallOf({"schedules", "get", "nightly"}),
      R"(ScheduleService.GetSchedule {"name":"projects/default/schedules/nightly"})");
  EXPECT_EQ(
      CallOf({"schedules", "pause", "nightly", "--note", "audit"}),
      R"(ScheduleService.PauseSchedule {"name":"projects/default/schedules/nightly",)"
      R"("note":"audit"})");
  EXPECT_EQ(CallOf({"schedules", "resume", "nightly"}),
            R"(ScheduleService.ResumeSchedule )"
            R"({"name":"projects/default/schedules/nightly"})");
  EXPECT_EQ(CallOf({"schedules", "trigger", "nightly", "--request-id", "mine"}),
            R"(ScheduleService.TriggerSchedule )"
            R"({"name":"projects/default/schedules/nightly","requestId":"mine"})");
  EXPECT_EQ(
      CallOf({"schedules", "next", "--cron", "30 2 * * *", "--timezone", "Europe/Berlin",
              "--from", "2026-03-28", "--to", "2026-03-30T00:00:00Z", "--limit", "3"}),
      R"(ScheduleService.ListFireTimes {"cron":"30 2 * * *","timezone":)"
      R"("Europe/Berlin","startTime":"2026-03-28T00:00:00Z","endTime":)"
      R"("2026-03-30T00:00:00Z","pageSize":3})");
  EXPECT_EQ(Ctl({"schedules", "next"}).exit_code, kExitUsage);
  EXPECT_EQ(Ctl({"schedules", "next", "nightly", "--cron", "@daily"}).exit_code,
            kExitUsage);
  EXPECT_EQ(CallOf({"schedules", "ticks", "nightly", "--limit", "30"}),
            R"(ScheduleService.ListTicks {"name":"projects/default/schedules/nightly",)"
            R"("pageSize":30})");
}

TEST_F(VerbsTest, Dependencies) {
  EXPECT_EQ(
      CallOf({"deps", "add", "orders", "revenue", "--project", "shop"}),
      R"(DependencyService.CreateDependency {"parent":"projects/shop","dependency":)"
      R"({"upstream":"projects/shop/pipelines/orders",)"
      R"("downstream":"projects/shop/pipelines/revenue"}})");
  EXPECT_EQ(
      CallOf({"deps", "list", "shop/revenue", "--upstream", "--transitive"}),
      R"(DependencyService.ListDependencies {"parent":"projects/shop","pipeline":)"
      R"("projects/shop/pipelines/revenue","direction":"UPSTREAM","transitive":true})");
  EXPECT_EQ(Ctl({"deps", "list", "--upstream"}).exit_code, kExitUsage);
}

TEST_F(VerbsTest, ABackupIsWrittenWhereTheDaemonIs) {
  FakeDxtd dxtd(FakeOptions{"", nullptr, /*only_rest=*/true});
  const auto ran =
      RunCtl({"admin", "backup", "/backups/x.db", "--server", dxtd.address()});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  ASSERT_EQ(dxtd.rest.calls().size(), 1u);
  EXPECT_EQ(dxtd.rest.calls()[0].request, R"({"path":"/backups/x.db"})");
}

TEST_F(VerbsTest, ADoctorChecksWhatItCanReach) {
  // The fake that answers GetServerInfo refuses the other calls of its service.
  const auto doctor = Ctl({"doctor", "-o", "json"});
  const auto checks = nlohmann::json::parse(doctor.out)["checks"];
  std::map<std::string, std::string> verdicts;
  for (const auto& check : checks) verdicts[check["check"]] = check["verdict"];
  EXPECT_EQ(verdicts["dxtd"], "ok");
  EXPECT_EQ(verdicts["versions"], "warning");
  EXPECT_EQ(verdicts["time zones"], "ok");
  EXPECT_EQ(verdicts["status"], "failed");
  EXPECT_EQ(doctor.exit_code, kExitNoDaemon);
}

TEST_F(VerbsTest, ADoctorWithoutADaemonSaysWhatToDo) {
  const auto ran =
      RunCtl({"doctor", "--server", "unix:" + (folder_.path() / "x").string()});
  EXPECT_EQ(ran.exit_code, kExitNoDaemon);
  EXPECT_NE(ran.out.find("dxtd      failed   Cannot reach dxtd at unix:"),
            std::string::npos)
      << ran.out;
  EXPECT_NE(ran.err.find("dxtd: Check the address"), std::string::npos) << ran.err;
}

}  // namespace
}  // namespace dxt::ctl
