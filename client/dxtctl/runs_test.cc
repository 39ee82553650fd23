#include <algorithm>
#include <cstdlib>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "client/dxtctl/fake_dxtd.h"
#include "client/dxtctl/result.h"

namespace dxt::ctl {
namespace {

v1::RunEvent StateEvent(int64_t cursor, v1::Run::State state) {
  v1::RunEvent event;
  event.set_cursor(cursor);
  event.mutable_time()->set_seconds(1'700'000'000 + cursor);
  event.set_state(state);
  return event;
}

v1::RunEvent Finished(int64_t cursor, v1::Run::State state, int exit_code) {
  v1::RunEvent event;
  event.set_cursor(cursor);
  v1::Run& run = *event.mutable_finished();
  run.set_name("projects/default/runs/01TEST");
  run.set_state(state);
  run.set_exit_code(exit_code);
  return event;
}

v1::Run MakeRun(const std::string& id, v1::Run::State state) {
  v1::Run run;
  run.set_name("projects/shop/runs/" + id);
  run.set_pipeline("projects/shop/pipelines/orders");
  run.set_state(state);
  run.mutable_create_time()->set_seconds(1'700'000'000);
  return run;
}

class RunsTest : public testing::Test {
 protected:
  void SetUp() override {
    setenv("XDG_CONFIG_HOME", folder_.path().c_str(), 1);
    unsetenv("DXT_SERVER");
    unsetenv("DXT_CONTEXT");
    unsetenv("DXT_PROJECT");
  }
  Ran Ctl(std::vector<std::string> words) {
    words.push_back("--server");
    words.push_back(dxtd_.address());
    return RunCtl(words);
  }

  TestFolder folder_;
  FakeDxtd dxtd_;
};

TEST_F(RunsTest, ASubmitWhoseAnswerIsLostIsSentAgainUnderItsRequestId) {
  dxtd_.runs.submit_answers = {
      grpc::Status(grpc::StatusCode::UNAVAILABLE, "the connection broke")};
  const auto ran = Ctl({"submit", "orders", "--priority", "5"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.out, "01TEST\n");
  ASSERT_EQ(dxtd_.runs.submits.size(), 2u);
  EXPECT_FALSE(dxtd_.runs.submits[0].request_id().empty());
  EXPECT_EQ(dxtd_.runs.submits[0].SerializeAsString(),
            dxtd_.runs.submits[1].SerializeAsString());
  EXPECT_EQ(dxtd_.runs.submits[0].pipeline(), "projects/default/pipelines/orders");
  EXPECT_EQ(dxtd_.runs.submits[0].priority(), 5);
}

TEST_F(RunsTest, ARefusalIsNotSentAgain) {
  dxtd_.runs.submit_answers = {
      grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no such stream")};
  EXPECT_EQ(Ctl({"submit", "orders"}).exit_code, kExitUsage);
  EXPECT_EQ(dxtd_.runs.submits.size(), 1u);
}

TEST_F(RunsTest, AFileIsSentAsItIsWithTheValuesThatItNames) {
  setenv("WHO", "me", 1);
  const auto file = folder_.Write("p.yaml", "name: ${WHO}\n");
  EXPECT_EQ(Ctl({"submit", file, "--var", "since=2026-01-01"}).exit_code, 0);
  ASSERT_EQ(dxtd_.runs.submits.size(), 1u);
  const auto& documents = dxtd_.runs.submits[0].documents();
  EXPECT_EQ(documents.pipeline().text(), "name: ${WHO}\n");
  EXPECT_EQ(documents.variables().at("WHO"), "me");
  EXPECT_EQ(documents.sql_variables().at("since"), "2026-01-01");
}

TEST_F(RunsTest, AStoredPipelineOfAnotherProjectIsNamedWithIt) {
  Ctl({"submit", "shop/orders", "--var", "a=b", "--select", "tag:daily", "--request-id",
       "mine"});
  ASSERT_EQ(dxtd_.runs.submits.size(), 1u);
  EXPECT_EQ(dxtd_.runs.submits[0].pipeline(), "projects/shop/pipelines/orders");
  EXPECT_EQ(dxtd_.runs.submits[0].sql_variables().at("a"), "b");
  EXPECT_EQ(dxtd_.runs.submits[0].options().select(), "tag:daily");
  EXPECT_EQ(dxtd_.runs.submits[0].request_id(), "mine");
}

TEST_F(RunsTest, WaitingEndsWithTheExitCodeOfTheRun) {
  dxtd_.runs.events = {StateEvent(1, v1::Run::RUNNING), Finished(2, v1::Run::PARTIAL, 3)};
  const auto ran = Ctl({"submit", "orders", "--wait"});
  EXPECT_EQ(ran.exit_code, kExitPartial);
  EXPECT_NE(ran.err.find("RUNNING"), std::string::npos) << ran.err;
}

TEST_F(RunsTest, WaitingTooLongIsExitSevenAndSaysHowToComeBack) {
  dxtd_.runs.events = {StateEvent(1, v1::Run::RUNNING)};
  dxtd_.runs.hold = true;
  const auto ran = Ctl({"submit", "orders", "--wait", "--timeout", "1s"});
  EXPECT_EQ(ran.exit_code, kExitTimedOut);
  EXPECT_NE(ran.err.find("dxtctl runs watch 01TEST"), std::string::npos) << ran.err;
}

TEST_F(RunsTest, AWatchGoesOnAfterALostConnectionAndMissesNothing) {
  dxtd_.runs.events = {StateEvent(1, v1::Run::QUEUED), StateEvent(2, v1::Run::RUNNING),
                       StateEvent(3, v1::Run::CANCELLING),
                       Finished(4, v1::Run::CANCELLED, 6)};
  dxtd_.runs.break_after = 2;
  const auto ran = Ctl({"runs", "watch", "01TEST"});
  EXPECT_EQ(ran.exit_code, kExitCancelled);
  EXPECT_EQ(dxtd_.runs.watch_cursors, (std::vector<int64_t>{0, 2}));
  EXPECT_EQ(ran.out.substr(0, ran.out.find("run:")),
            "2023-11-14T22:13:21Z  QUEUED\n2023-11-14T22:13:22Z  RUNNING\n"
            "2023-11-14T22:13:23Z  CANCELLING\n");
}

TEST_F(RunsTest, AWatchOfADaemonThatWasRestartedAsksForAllThatItHas) {
  dxtd_.runs.events = {StateEvent(1, v1::Run::RUNNING), StateEvent(2, v1::Run::RUNNING),
                       Finished(3, v1::Run::SUCCEEDED, 0)};
  dxtd_.runs.break_after = 2;
  dxtd_.server_service.restarts = true;
  EXPECT_EQ(Ctl({"runs", "watch", "01TEST"}).exit_code, 0);
  EXPECT_EQ(dxtd_.runs.watch_cursors, (std::vector<int64_t>{0, 0}));
}

TEST_F(RunsTest, AWatchPrintsOneLineForEachChangeOfPhase) {
  for (int i = 1; i <= 3; ++i) {
    v1::RunEvent event;
    event.set_cursor(i);
    event.mutable_progress()->set_stream("orders");
    event.mutable_progress()->set_phase(i < 3 ? v1::StreamProgress::READING
                                              : v1::StreamProgress::DONE);
    event.mutable_progress()->set_rows_read(i * 1000);
    dxtd_.runs.events.push_back(event);
  }
  dxtd_.runs.events.push_back(Finished(4, v1::Run::SUCCEEDED, 0));
  const auto ran = Ctl({"runs", "watch", "01TEST"});
  EXPECT_NE(ran.out.find("orders reading, 1.0k rows"), std::string::npos) << ran.out;
  EXPECT_EQ(ran.out.find("2.0k"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("orders done, 3.0k rows"), std::string::npos) << ran.out;
}

TEST_F(RunsTest, AWatchAsJsonLinesIsEveryEvent) {
  dxtd_.runs.events = {StateEvent(1, v1::Run::RUNNING),
                       Finished(2, v1::Run::SUCCEEDED, 0)};
  const auto ran = Ctl({"runs", "watch", "01TEST", "-o", "jsonl"});
  EXPECT_EQ(ran.exit_code, 0);
  const auto cut = ran.out.find('\n');
  EXPECT_EQ(nlohmann::json::parse(ran.out.substr(0, cut))["state"], "RUNNING");
  EXPECT_EQ(nlohmann::json::parse(ran.out.substr(cut + 1))["finished"]["state"],
            "SUCCEEDED");
}

TEST_F(RunsTest, AListIsFilteredByTheServer) {
  Ctl({"runs", "list", "--state", "failed", "--pipeline", "orders", "--since",
       "2026-11-01", "--trigger", "schedule", "-A"});
  ASSERT_EQ(dxtd_.runs.lists.size(), 1u);
  const auto& request = dxtd_.runs.lists[0];
  EXPECT_EQ(request.parent(), "projects/-");
  EXPECT_EQ(request.pipeline(), "orders");
  EXPECT_EQ(
      request.filter(),
      "state=FAILED AND trigger=SCHEDULE AND create_time>=\"2026-11-01T00:00:00Z\"");
}

TEST_F(RunsTest, SeveralStatesArePickedOut) {
  dxtd_.runs.runs = {MakeRun("A", v1::Run::FAILED), MakeRun("B", v1::Run::SUCCEEDED),
                     MakeRun("C", v1::Run::PARTIAL)};
  const auto ran = Ctl({"runs", "list", "--state", "FAILED,PARTIAL", "-o", "name"});
  EXPECT_EQ(ran.out, "projects/shop/runs/A\nprojects/shop/runs/C\n");
}

TEST_F(RunsTest, PagesAreReadUpToTheLimit) {
  for (int i = 0; i < 2500; ++i)
    dxtd_.runs.runs.push_back(MakeRun(std::to_string(i), v1::Run::FAILED));
  const auto some = Ctl({"runs", "list", "--limit", "2", "-o", "name"});
  EXPECT_EQ(some.out, "projects/shop/runs/0\nprojects/shop/runs/1\n");
  EXPECT_NE(some.err.find("There are more"), std::string::npos);
  const auto all = Ctl({"runs", "list", "--limit", "100000", "-o", "name"});
  EXPECT_EQ(std::count(all.out.begin(), all.out.end(), '\n'), 2500);
  EXPECT_EQ(all.err, "");
}

TEST_F(RunsTest, AnEmptyListSaysWhatToDoNext) {
  const auto ran = Ctl({"runs", "list"});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_EQ(ran.out, "");
  EXPECT_NE(ran.err.find("dxtctl submit"), std::string::npos);
  EXPECT_EQ(Ctl({"runs", "list", "-o", "json"}).out, "{\"runs\":[]}\n");
}

TEST_F(RunsTest, AListPrintsInEveryFormat) {
  dxtd_.runs.runs = {MakeRun("A", v1::Run::FAILED)};
  EXPECT_EQ(Ctl({"runs", "list", "--time-format", "iso"}).out,
            "RUN  PIPELINE     STATE   TRIGGER  CREATED               TOOK\n"
            "A    shop/orders  FAILED  -        2023-11-14T22:13:20Z     -\n");
  EXPECT_EQ(Ctl({"runs", "list", "--no-headers", "--time-format", "iso"}).out,
            "A  shop/orders  FAILED  -  2023-11-14T22:13:20Z  -\n");
  const auto json = nlohmann::json::parse(Ctl({"runs", "list", "-o", "json"}).out);
  EXPECT_EQ(json["runs"][0]["createTime"], "2023-11-14T22:13:20Z");
  EXPECT_EQ(json["runs"][0]["state"], "FAILED");
  EXPECT_NE(Ctl({"runs", "list", "-o", "yaml"}).out.find("name: projects/shop/runs/A"),
            std::string::npos);
  EXPECT_EQ(Ctl({"runs", "list", "-o", "jsonl"}).out.front(), '{');
}

TEST_F(RunsTest, LogsAreFilteredAndPrintedAsTextOrJson) {
  for (const auto severity : {v1::LogLine::INFO, v1::LogLine::ERROR}) {
    v1::LogLine line;
    line.set_cursor(severity);
    line.set_severity(severity);
    line.set_event("row_rejected");
    line.set_stream("orders");
    line.set_message("bad\nrow");
    dxtd_.runs.lines.push_back(line);
  }
  EXPECT_EQ(Ctl({"runs", "logs", "01TEST", "--level", "error"}).out,
            "1970-01-01T00:00:00Z error row_rejected [orders] bad\\nrow\n");
  const auto ran = Ctl({"logs", "01TEST", "--stream", "orders", "-o", "jsonl"});
  EXPECT_EQ(nlohmann::json::parse(ran.out.substr(0, ran.out.find('\n')))["level"],
            "info");
  EXPECT_EQ(Ctl({"runs", "logs", "01TEST", "--stream", "other"}).out, "");
}

TEST_F(RunsTest, CompletionKnowsVerbsOptionsAndNamesOfTheServer) {
  dxtd_.runs.runs = {MakeRun("01A", v1::Run::FAILED), MakeRun("02B", v1::Run::FAILED)};
  EXPECT_EQ(RunCtl({"__complete", "--", "runs", "wa"}).out, "watch\n");
  EXPECT_EQ(RunCtl({"__complete", "--", "runs", "list", "--al"}).out, "--all-projects\n");
  EXPECT_EQ(RunCtl({"__complete", "--", "runs", "list", "-o", "json"}).out,
            "json\njsonl\njsonpath=\n");
  EXPECT_EQ(
      RunCtl({"__complete", "--", "--server", dxtd_.address(), "runs", "get", "0"}).out,
      "01A\n02B\n");
  EXPECT_EQ(RunCtl({"__complete", "--", "run", ""}).out, ":files\n");
}

TEST_F(RunsTest, ACompletionWithoutADaemonIsQuicklyEmpty) {
  const auto ran =
      RunCtl({"__complete", "--", "--server",
              "unix:" + (folder_.path() / "none").string(), "runs", "get", ""});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_EQ(ran.out, "");
  EXPECT_EQ(ran.err, "");
}

TEST_F(RunsTest, WhatIsMisspeltOrContradictsItselfIsRefused) {
  EXPECT_EQ(Ctl({"submit", "orders", "--wait", "--detach"}).exit_code, kExitUsage);
  EXPECT_EQ(Ctl({"submit", "orders", "--timeout", "5m"}).exit_code, kExitUsage);
  EXPECT_EQ(Ctl({"submit", "orders", "--wait", "--timeout", "5"}).exit_code, kExitUsage);
  EXPECT_EQ(Ctl({"runs", "list", "--state", "BROKEN"}).exit_code, kExitUsage);
  EXPECT_EQ(Ctl({"runs", "list", "--since", "yesterday"}).exit_code, kExitUsage);
  EXPECT_EQ(Ctl({"runs", "get", "a/b/c"}).exit_code, kExitUsage);
  EXPECT_EQ(Ctl({"runs", "list", "--project", "No Such"}).exit_code, kExitUsage);
  EXPECT_TRUE(dxtd_.runs.submits.empty());
}

}  // namespace
}  // namespace dxt::ctl
