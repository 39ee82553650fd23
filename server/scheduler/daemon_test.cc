#include <algorithm>
#include <atomic>
#include <fstream>
#include <thread>

#include "server/scheduler/run_listener.h"
#include "server/scheduler/test_daemon.h"

namespace dxt {
namespace {

TEST_F(DaemonTest, QueuedAndInterruptedRunsGoOnAfterAKill) {
  StorePipeline("a", "description: with ${TOKEN}\n");
  StorePipeline("b");
  const auto begun = *Run("a");
  engine_->AwaitRunning(1);
  const auto queued = *Run("a");
  Kill();
  engine_->Release();
  Start();
  EXPECT_EQ(Ended(begun.id).state, "SUCCEEDED");
  EXPECT_TRUE(Get(begun.id).resumed);
  EXPECT_EQ(Ended(queued.id).state, "SUCCEEDED");
  EXPECT_FALSE(Get(queued.id).resumed);
  EXPECT_EQ(RunsOf("a").size(), 2u);
  EXPECT_EQ(engine_->last_variables().at("TOKEN"), "hunter2");
}

TEST_F(DaemonTest, AWatcherThatComesBackAfterAKillMissesNothing) {
  StorePipeline("a");
  const auto run = *Run("a");
  engine_->AwaitRunning(1);
  const auto before = dispatcher_->Feed(run.id)->After(0);
  ASSERT_FALSE(before.empty());
  Kill();
  engine_->Release();
  Start();
  EXPECT_EQ(Ended(run.id).state, "SUCCEEDED");
  const auto after = dispatcher_->Feed(run.id)->After(before.back().cursor);
  ASSERT_GE(after.size(), 2u);
  EXPECT_EQ(std::get<StateEntry>(after.front().what).state, "RUNNING");
  EXPECT_EQ(std::get<RunRecord>(after.back().what).state, "SUCCEEDED");
}

TEST_F(DaemonTest, NoSecretIsStoredInClear) {
  StorePipeline("a", "description: with ${TOKEN}\n");
  const auto run = *Run("a");
  engine_->Release();
  Ended(run.id);
  const auto lines = *store_->logs().Read(run.id, 0, 100);
  ASSERT_FALSE(lines.empty());
  EXPECT_EQ(lines[0].message, "token ***");
  Shut();
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(file), {});
    EXPECT_EQ(bytes.find("hunter2"), std::string::npos) << entry.path();
  }
  Start();
}

TEST_F(DaemonTest, AnInterruptedRunFailsWhereItsDocumentSaysSo) {
  StorePipeline("a", "runtime: {on_interrupt: fail}\n");
  const auto begun = *Run("a");
  engine_->AwaitRunning(1);
  const auto queued = *Run("a");
  Kill();
  engine_->Release();
  Start();
  EXPECT_EQ(Get(begun.id).state, "FAILED");
  EXPECT_NE(Get(begun.id).result_json.find("run.interrupted"), std::string::npos);
  EXPECT_EQ(Ended(queued.id).state, "SUCCEEDED");
}

TEST_F(DaemonTest, ARunThatWasBeingCancelledIsNotResumed) {
  StorePipeline("a");
  const auto run = *Run("a");
  engine_->AwaitRunning(1);
  engine_->BecomeDeaf();
  ASSERT_TRUE(store_->runs().RequestCancel(run.id, "test").ok());
  Kill();
  Start();
  EXPECT_EQ(Get(run.id).state, "CANCELLED");
}

TEST_F(DaemonTest, ARunWhoseValuesAreGoneEndsAndSaysSo) {
  options_.seal = options_.unseal = nullptr;
  Shut();
  Start();
  StorePipeline("a", "description: with ${TOKEN}\n");
  StorePipeline("b");
  *Run("a");
  engine_->AwaitRunning(1);
  const auto queued = *Run("a");
  Kill();
  Start();
  EXPECT_EQ(Get(queued.id).state, "FAILED");
  EXPECT_NE(Get(queued.id).result_json.find("run.input_gone"), std::string::npos);
}

TEST_F(DaemonTest, TheHighestPriorityRunsFirst) {
  options_.max_workers = 1;
  Shut();
  Start();
  for (const char* name : {"a", "b", "c"}) StorePipeline(name);
  StorePipeline("d", "runtime: {priority: 7}\n");
  *Run("a");
  engine_->AwaitRunning(1);
  std::vector<std::string> ids = {Run("b")->id, Run("c", 5)->id, Run("d")->id};
  EXPECT_EQ(Get(ids[2]).priority, 7);
  engine_->Release();
  for (const auto& id : ids) Ended(id);
  EXPECT_EQ(engine_->order(), (std::vector<std::string>{"a", "d", "c", "b"}));
}

/// Whoever tells of an end waits here.
class SlowListener : public RunListener {
 public:
  void OnEnded(const RunRecord&, const RunResult&, const PipelineDocument&) override {
    called_ = true;
    called_.notify_all();
    let_go_.wait(false);
  }
  void AwaitCall() { called_.wait(false); }
  void LetGo() {
    let_go_ = true;
    let_go_.notify_all();
  }

 private:
  std::atomic<bool> called_{false}, let_go_{false};
};

TEST_F(DaemonTest, TheNextRunExecutesWhileTheEndOfAnotherIsDealtWith) {
  SlowListener listener;
  options_.max_workers = 1;
  options_.listeners = {&listener};
  Shut();
  Start();
  StorePipeline("a");
  StorePipeline("b");
  engine_->Release();
  const auto first = *Run("a");
  const auto second = *Run("b");
  engine_->AwaitBegun(2);
  listener.LetGo();
  Ended(first.id);
  Ended(second.id);
  Shut();
  options_.listeners.clear();
  Start();
}

TEST_F(DaemonTest, ARunThatIsCancelledCanBeWatchedBeforeItsEndIsTold) {
  SlowListener listener;
  options_.max_workers = 1;
  options_.listeners = {&listener};
  Shut();
  Start();
  StorePipeline("a");
  StorePipeline("b");
  const auto first = *Run("a");
  engine_->AwaitRunning(1);
  const auto waiting = *Run("b");
  std::thread canceller([&] { EXPECT_TRUE(dispatcher_->Cancel(waiting.id).ok()); });
  listener.AwaitCall();
  EXPECT_NE(dispatcher_->Feed(waiting.id), nullptr);
  listener.LetGo();
  canceller.join();
  EXPECT_EQ(Ended(waiting.id).state, "CANCELLED");
  engine_->Release();
  Ended(first.id);
  Shut();
  options_.listeners.clear();
  Start();
}

TEST_F(DaemonTest, ARunThatWaitsForAWorkerIsQueuedAndHasUsedNothing) {
  options_.max_workers = 1;
  Shut();
  Start();
  for (const char* name : {"a", "b", "d"}) StorePipeline(name);
  StorePipeline("c", "runtime: {on_interrupt: fail}\n");
  engine_->Release();
  for (int i = 0; i < 20; ++i) Ended(Run("a")->id);  // As short as runs can be.
  engine_->Hold();
  const auto first = *Run("b");
  engine_->AwaitRunning(1);
  const auto waiting = *Run("c"), urgent = *Run("d", 9);
  for (const auto& id : {waiting.id, urgent.id}) EXPECT_EQ(Get(id).state, "QUEUED");
  Kill();
  Start();
  engine_->Release();
  EXPECT_EQ(Ended(first.id).attempt, 2);
  for (const auto& id : {waiting.id, urgent.id}) {
    EXPECT_EQ(Ended(id).state, "SUCCEEDED");
    EXPECT_EQ(Get(id).attempt, 1);
  }
  const auto order = engine_->order();
  EXPECT_LT(std::find(order.begin(), order.end(), "d"),
            std::find(order.begin(), order.end(), "c"));
}

TEST_F(DaemonTest, ASelectionThatTheRunWouldRefuseIsRefusedBefore) {
  StorePipeline("a");
  const auto submit = [&](const char* pipeline, const char* select,
                          const char* exclude = "") {
    RunOptions options;
    options.select = select;
    options.exclude = exclude;
    return dispatcher_->Submit(*catalog_->Prepare("shop", pipeline, options, {}))
        .status();
  };
  const auto unknown = submit("a", "nope");
  EXPECT_EQ(CodeOf(unknown), "selector.unknown");
  EXPECT_NE(GetErrorInfo(unknown).hint.find("orders, items"), std::string::npos);
  EXPECT_EQ(CodeOf(submit("a", "tag:none")), "selector.empty");
  EXPECT_EQ(CodeOf(submit("a", "", "a,,b")), "selector.invalid");
  RunOptions refresh;
  refresh.full_refresh_streams = {"nope"};
  EXPECT_EQ(
      CodeOf(dispatcher_->Submit(*catalog_->Prepare("shop", "a", refresh, {})).status()),
      "selector.unknown");
  EXPECT_TRUE(RunsOf("a").empty());
  EXPECT_TRUE(submit("a", "orders").ok());
  // Only the source knows what such a stream becomes.
  ASSERT_TRUE(catalog_
                  ->ApplyPipeline("shop",
                                  {"",
                                   "name: all\nsource: 'memory:src'\ntarget: "
                                   "'memory:dst'\nstreams:\n- {id: all, source: 's.*', "
                                   "target: '{name}'}\n"},
                                  Origin::kApi, {}, false)
                  ->record);
  EXPECT_TRUE(submit("all", "nope").ok());
}

TEST_F(DaemonTest, AConnectionServesAsManyRunsAsItMay) {
  ASSERT_TRUE(catalog_
                  ->ApplyProject("shop",
                                 {"",
                                  "name: shop\nconnections:\n  wh: {type: memory, name: "
                                  "wh, max_concurrent_runs: 1}\n"},
                                 Origin::kApi, std::nullopt, false)
                  ->record);
  for (const std::string name : {"a", "b"}) {
    const std::string text = "name: " + name +
                             "\nsource: 'memory:src'\ntarget: wh\n"
                             "streams:\n- {id: x, source: x, target: x}\n";
    ASSERT_TRUE(
        catalog_->ApplyPipeline("shop", {"", text}, Origin::kApi, {}, false)->record);
  }
  const auto first = *Run("a");
  engine_->AwaitRunning(1);
  const auto second = *Run("b");
  EXPECT_EQ(dispatcher_->WaitingFor(second.id),
            "connection shop/wh serves 1 run, as many as it may");
  EXPECT_EQ(Get(second.id).state, "QUEUED");
  engine_->Release();
  EXPECT_EQ(Ended(first.id).state, "SUCCEEDED");
  EXPECT_EQ(Ended(second.id).state, "SUCCEEDED");
}

TEST_F(DaemonTest, ARunThatLastsTooLongIsStoppedAndFails) {
  StorePipeline("a", "runtime: {timeout: 1s}\n");
  const auto run = *Run("a");
  const auto ended = Ended(run.id);
  EXPECT_EQ(ended.state, "FAILED");
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_NE(ended.result_json.find("run.timeout"), std::string::npos);
}

TEST_F(DaemonTest, AWorkerThatDoesNotStopIsGivenUpAndItsPipelineGoesOn) {
  options_.stuck_after = std::chrono::milliseconds(50);
  options_.max_workers = 1;
  Shut();
  Start();
  StorePipeline("a");
  engine_->BecomeDeaf();
  const auto stuck = *Run("a");
  engine_->AwaitRunning(1);
  ASSERT_TRUE(dispatcher_->Cancel(stuck.id, "enough").ok());
  EXPECT_EQ(Ended(stuck.id).state, "CANCELLED");
  EXPECT_NE(Get(stuck.id).result_json.find("run.stuck"), std::string::npos);
  // The pipeline and the only worker's place are free.
  const auto next = *Run("a");
  engine_->AwaitRunning(2);
  engine_->Release();
  EXPECT_EQ(Ended(next.id).state, "SUCCEEDED");
  EXPECT_EQ(Get(stuck.id).state, "CANCELLED");
}

TEST_F(DaemonTest, ARetryRunsTheStreamsThatDidNotSucceed) {
  StorePipeline("a");
  engine_->LoseStream("items");
  engine_->Release(RunState::kFailed);
  const auto run = *Run("a");
  Ended(run.id);
  StorePipeline("a", "description: a newer revision\n");
  const auto retry = *dispatcher_->Retry(run.id, "again");
  EXPECT_NE(retry.id, run.id);
  EXPECT_EQ(retry.retry_of, run.id);
  EXPECT_EQ(retry.trigger.kind, "RETRY");
  EXPECT_EQ(retry.pipeline_revision, run.pipeline_revision);
  EXPECT_EQ(retry.document_hash, run.document_hash);
  Ended(retry.id);
  EXPECT_EQ(engine_->last_options().left_out_streams, std::vector<std::string>{"orders"});
  EXPECT_EQ(dispatcher_->Retry(run.id, "again")->id, retry.id);
}

TEST_F(DaemonTest, WhatSucceededOrHasNotEndedIsNotRetried) {
  StorePipeline("a");
  const auto run = *Run("a");
  engine_->AwaitRunning(1);
  EXPECT_EQ(CodeOf(dispatcher_->Retry(run.id, "").status()), "run.not_retryable");
  engine_->Release();
  Ended(run.id);
  EXPECT_EQ(CodeOf(dispatcher_->Retry(run.id, "").status()), "run.not_retryable");
  EXPECT_EQ(CodeOf(dispatcher_->Retry("none", "").status()), "run.not_found");
}

TEST_F(DaemonTest, TheSameRequestIsOneRunAndAnotherBodyIsRefused) {
  StorePipeline("a");
  std::vector<std::thread> clients;
  std::mutex mutex;
  std::map<std::string, int> ids;
  for (int i = 0; i < 20; ++i) {
    clients.emplace_back([&] {
      auto submission = *catalog_->Prepare("shop", "a", {}, {});
      submission.request_id = "one";
      submission.request_hash = "body";
      const auto run = dispatcher_->Submit(std::move(submission));
      std::lock_guard lock(mutex);
      ++ids[run.ok() ? run->id : run.status().ToString()];
    });
  }
  for (auto& client : clients) client.join();
  EXPECT_EQ(ids.size(), 1u) << ids.begin()->first;
  auto other = *catalog_->Prepare("shop", "a", {}, {});
  other.request_id = "one";
  other.request_hash = "another body";
  EXPECT_EQ(CodeOf(dispatcher_->Submit(std::move(other)).status()), "run.request_reused");
  engine_->Release();
  Ended(ids.begin()->first);
  EXPECT_EQ(engine_->order().size(), 1u);
}

TEST_F(DaemonTest, DependentsRunOnceAllTheirUpstreamsSucceeded) {
  for (const char* name : {"a", "b", "c"}) StorePipeline(name);
  for (const char* upstream : {"a", "b"}) {
    ASSERT_TRUE(store_->dependencies().Add({"shop", upstream, "c", "now", ""}).ok());
  }
  engine_->Release();
  Ended(Run("a")->id);
  EXPECT_TRUE(RunsOf("c").empty());
  const auto last = *Run("b");
  Ended(last.id);
  engine_->AwaitBegun(3);
  auto runs = RunsOf("c");
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_EQ(runs[0].trigger.kind, "DEPENDENCY");
  EXPECT_EQ(runs[0].trigger.source, last.id);
  Ended(runs[0].id);
  // Again only after both succeeded again.
  Ended(Run("b")->id);
  EXPECT_EQ(RunsOf("c").size(), 1u);
  Ended(Run("a")->id);
  EXPECT_EQ(RunsOf("c").size(), 2u);
}

TEST_F(DaemonTest, FailedAndDryRunsHaveNoDependents) {
  for (const char* name : {"a", "b"}) StorePipeline(name);
  ASSERT_TRUE(store_->dependencies().Add({"shop", "a", "b", "now", ""}).ok());
  engine_->Release(RunState::kFailed);
  Ended(Run("a")->id);
  engine_->Release();
  auto dry = *catalog_->Prepare("shop", "a", {}, {});
  dry.options.dry_run = true;
  Ended(dispatcher_->Submit(std::move(dry))->id);
  EXPECT_TRUE(RunsOf("b").empty());
  ASSERT_TRUE(store_->definitions().SetPaused("shop", "b", true, "", "now").ok());
  Ended(Run("a")->id);
  EXPECT_TRUE(RunsOf("b").empty());
}

TEST_F(DaemonTest, ADrainLetsRunsEndAndReleasesTheOthers) {
  options_.stuck_after = std::chrono::seconds(20);
  Shut();
  Start();
  StorePipeline("a");
  const auto begun = *Run("a");
  engine_->AwaitRunning(1);
  const auto queued = *Run("a");
  dispatcher_->Drain(std::chrono::milliseconds(1));
  auto late = catalog_->Prepare("shop", "a", {}, {});
  EXPECT_EQ(CodeOf(dispatcher_->Submit(std::move(*late)).status()), "server.draining");
  Shut();
  engine_ = std::make_shared<HeldEngine>();
  engine_->Release();
  Start();
  EXPECT_EQ(Ended(begun.id).state, "SUCCEEDED");
  EXPECT_TRUE(Get(begun.id).resumed);
  EXPECT_EQ(Ended(queued.id).state, "SUCCEEDED");
}

TEST_F(DaemonTest, ListenersHearOfEveryRunOnce) {
  class Listener : public RunListener {
   public:
    void OnQueued(const RunRecord&) override { ++queued; }
    void OnStarted(const RunRecord&, double) override { ++started; }
    void OnEnded(const RunRecord& run, const RunResult&,
                 const PipelineDocument& document) override {
      ++ended;
      EXPECT_EQ(document.name, run.pipeline);
    }
    std::atomic<int> queued{0}, started{0}, ended{0};
  } listener;
  options_.listeners = {&listener};
  Shut();
  Start();
  StorePipeline("a");
  const auto first = *Run("a");
  engine_->AwaitRunning(1);
  const auto second = *Run("a");
  ASSERT_TRUE(dispatcher_->Cancel(second.id).ok());
  engine_->Release();
  Ended(first.id);
  EXPECT_EQ(listener.queued, 2);
  EXPECT_EQ(listener.started, 1);
  EXPECT_EQ(listener.ended, 2);
  Shut();
  options_.listeners.clear();
  Start();
}

TEST(RunInput, ComesBackAsItWas) {
  RunInput input;
  input.pipeline = {"/p.yaml", "name: p\n"};
  input.project = {"", "5:x\xff"};
  input.has_project = true;
  input.variables = {{"A", std::string("b\0c", 3)}, {"B", ""}};
  input.sql_variables = {{"day", "2026-01-01"}};
  const auto back = *RunInput::Decode(input.Encode());
  EXPECT_EQ(back.pipeline.path, "/p.yaml");
  EXPECT_EQ(back.project.text, input.project.text);
  EXPECT_EQ(back.variables, input.variables);
  EXPECT_EQ(back.sql_variables, input.sql_variables);
  for (const char* bad : {"", "1:", "9999999999999:x", "1:1-3:abc"}) {
    EXPECT_FALSE(RunInput::Decode(bad).ok()) << bad;
  }
  const std::string whole = input.Encode();
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(RunInput::Decode(whole.substr(0, size)).ok()) << size;
  }
}

TEST(RunOptionsText, ComesBackAsItWas) {
  EXPECT_EQ(FormatRunOptions({}), "{}");
  RunOptions options;
  options.phase = RunOptions::Phase::kLoad;
  options.select = "tag:x, \"y\"";
  options.exclude = "z";
  options.dry_run = options.fail_fast = options.persist = options.full_refresh = true;
  options.allow_duplicates = options.allow_empty_selection = true;
  options.accept_shrink = true;
  options.backfill = {"2026-01-01", "2026-02-01"};
  options.threads = 3;
  options.limit = 10;
  options.cursor_value = "2026";
  options.full_refresh_streams = {"a"};
  options.left_out_streams = {"b"};
  const std::string text = FormatRunOptions(options);
  const auto back = *ParseRunOptions(text);
  EXPECT_EQ(FormatRunOptions(back), text);
  EXPECT_EQ(back.phase, RunOptions::Phase::kLoad);
  EXPECT_EQ(back.cursor_value, "2026");
  EXPECT_EQ(back.backfill->to, "2026-02-01");
  options.fresh = true;
  EXPECT_EQ(FormatRunOptions(options), text);
  EXPECT_EQ(CodeOf(ParseRunOptions("phase: RUN").status()), "run.options");
  EXPECT_EQ(CodeOf(ParseRunOptions("{\"limit\":\"x\"}").status()), "run.options");
}

}  // namespace
}  // namespace dxt
