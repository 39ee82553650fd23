#include "server/scheduler/dispatcher.h"

#include <cstdlib>
#include <future>

#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "connectors/sdk/registry.h"
#include "state/sqlite/sqlite_state_store.h"

namespace dxt {
namespace {

/// Waits for the end of a run.
class EndWatcher : public FeedWatcher {
 public:
  explicit EndWatcher(std::shared_ptr<RunFeed> feed) : feed_(std::move(feed)) {}
  void OnMore() override {
    if (feed_->ended() && !told_.exchange(true)) ended_.set_value();
  }
  RunRecord Wait() {
    ended_.get_future().wait();
    return std::get<RunRecord>(feed_->After(0).back().what);
  }

 private:
  std::shared_ptr<RunFeed> feed_;
  std::atomic<bool> told_{false};
  std::promise<void> ended_;
};

/// An engine whose runs last until they are released or stopped.
class FakeEngine {
 public:
  RunResult Execute(const PipelineDocument& pipeline, const RunOptions& options,
                    const RunContext& context, std::stop_token stop) {
    std::unique_lock lock(mutex_);
    most_ = std::max(most_, ++running_);
    order_.push_back(pipeline.name);
    completed_ = options.completed_streams;
    changed_.notify_all();
    changed_.wait(lock, stop, [this] { return released_; });
    --running_;
    RunResult result;
    result.project = pipeline.project.name;
    result.pipeline = pipeline.name;
    result.run = context.run_id;
    result.dry_run = options.dry_run;
    result.state = stop.stop_requested() ? RunState::kCancelled : RunState::kSucceeded;
    if (fail_with_) {
      result.state = RunState::kFailed;
      result.error = MakeError(ErrorClass::kAuth, "pg.auth", *fail_with_, *fail_with_);
    }
    if (context.observer != nullptr) {
      context.observer->OnEvent(Severity::kInfo, "", "said",
                                fail_with_.value_or("nothing"));
    }
    return result;
  }
  void Release() {
    std::lock_guard lock(mutex_);
    released_ = true;
    changed_.notify_all();
  }
  void AwaitRunning(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return running_ == count; });
  }
  void FailWith(std::string text) { fail_with_ = std::move(text); }
  int most() const { return most_; }
  std::vector<std::string> order() const { return order_; }
  std::vector<std::string> completed() const { return completed_; }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool released_ = false;
  int running_ = 0, most_ = 0;
  std::vector<std::string> order_, completed_;
  std::optional<std::string> fail_with_;
};

class DispatcherTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name =
        (std::filesystem::temp_directory_path() / "dxt-disp-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    ids_ = MakeIdSource(SystemClock());
    Open();
  }
  void TearDown() override {
    Close();
    std::filesystem::remove_all(folder_);
  }
  void Open() {
    store_ = *SqliteStateStore::Make(folder_);
    DispatcherOptions options;
    options.state_dir = folder_;
    options.memory_budget = 1000;
    options.execute = [this](const auto&... arguments) {
      return engine_->Execute(arguments...);
    };
    dispatcher_ = std::make_unique<Dispatcher>(options, registry_, SystemClock(), *ids_,
                                               *store_, nullptr);
  }
  void Close() {
    if (engine_) engine_->Release();
    dispatcher_.reset();
    store_.reset();
  }
  static Submission Make(const std::string& pipeline, int64_t memory = 1) {
    Submission submission;
    submission.pipeline.name = pipeline;
    submission.pipeline.project.name = "shop";
    submission.pipeline.runtime.memory_limit = memory;
    submission.document_hash = "hash";
    return submission;
  }
  RunRecord Ended(const std::string& id) {
    auto feed = dispatcher_->Feed(id);
    auto watcher = std::make_shared<EndWatcher>(feed);
    feed->Watch(watcher);
    return watcher->Wait();
  }
  /// What a dxtd that was killed leaves: a run that was claimed and never ended.
  std::string LeaveInterrupted(const std::string& pipeline) {
    NewRun run;
    run.id = ids_->Ulid();
    run.project = "shop";
    run.pipeline = pipeline;
    run.document_hash = "hash";
    run.options = "{}";
    EXPECT_TRUE(store_->runs().Create(run).ok());
    EXPECT_TRUE(store_->runs().Claim(run.id, "now").ok());
    Close();
    engine_ = std::make_unique<FakeEngine>();
    Open();
    return run.id;
  }

  std::filesystem::path folder_;
  ConnectorRegistry registry_;
  std::unique_ptr<IdSource> ids_;
  std::unique_ptr<FakeEngine> engine_ = std::make_unique<FakeEngine>();
  std::unique_ptr<SqliteStateStore> store_;
  std::unique_ptr<Dispatcher> dispatcher_;
};

TEST_F(DispatcherTest, ARunEndsWithAStoredResult) {
  const auto run = *dispatcher_->Submit(Make("orders"));
  EXPECT_EQ(run.state, "QUEUED");
  engine_->Release();
  const RunRecord ended = Ended(run.id);
  EXPECT_EQ(ended.state, "SUCCEEDED");
  EXPECT_EQ(ended.exit_code, 0);
  const auto stored = *dispatcher_->Get(run.id);
  EXPECT_EQ(stored.state, "SUCCEEDED");
  EXPECT_EQ(stored.result_json, ended.result_json);
}

TEST_F(DispatcherTest, ARequestSentTwiceIsOneRun) {
  auto submission = Make("orders");
  submission.request_id = "request";
  const auto first = *dispatcher_->Submit(submission);
  const auto second = *dispatcher_->Submit(submission);
  EXPECT_EQ(first.id, second.id);
  engine_->Release();
  Ended(first.id);
  EXPECT_EQ(dispatcher_->Submit(submission)->state, "SUCCEEDED");
  EXPECT_EQ(engine_->order().size(), 1u);
}

TEST_F(DispatcherTest, RunsOfOnePipelineTakeTurnsAndOthersDoNotWait) {
  const auto a = *dispatcher_->Submit(Make("a"));
  const auto again = *dispatcher_->Submit(Make("a"));
  const auto b = *dispatcher_->Submit(Make("b"));
  engine_->AwaitRunning(2);
  EXPECT_EQ(dispatcher_->Get(again.id)->state, "QUEUED");
  engine_->Release();
  for (const auto& id : {a.id, again.id, b.id}) EXPECT_EQ(Ended(id).state, "SUCCEEDED");
  EXPECT_EQ(engine_->most(), 2);
}

TEST_F(DispatcherTest, RunsShareTheMemoryBudgetInOrder) {
  const auto big = *dispatcher_->Submit(Make("a", 500));
  engine_->AwaitRunning(1);
  const auto waiting = *dispatcher_->Submit(Make("b", 700));
  const auto small = *dispatcher_->Submit(Make("c", 400));
  EXPECT_EQ(dispatcher_->Get(small.id)->state, "QUEUED");
  engine_->Release();
  for (const auto& id : {big.id, waiting.id, small.id}) Ended(id);
  EXPECT_EQ(engine_->order(), (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(DispatcherTest, ARunThatFitsNoBudgetIsRefused) {
  const auto status = dispatcher_->Submit(Make("a", 1001)).status();
  EXPECT_EQ(GetErrorInfo(status).code, "run.memory");
  EXPECT_TRUE(store_->runs().List({})->empty());
}

TEST_F(DispatcherTest, CancelStopsARunningRun) {
  const auto run = *dispatcher_->Submit(Make("a"));
  engine_->AwaitRunning(1);
  EXPECT_EQ(dispatcher_->Cancel(run.id)->state, "CANCELLING");
  EXPECT_EQ(Ended(run.id).state, "CANCELLED");
  EXPECT_EQ(dispatcher_->Cancel(run.id)->state, "CANCELLED");
}

TEST_F(DispatcherTest, CancelEndsAQueuedRunAtOnce) {
  dispatcher_->Submit(Make("a")).ValueOrDie();
  const auto waiting = *dispatcher_->Submit(Make("a"));
  EXPECT_EQ(dispatcher_->Cancel(waiting.id)->state, "CANCELLED");
  EXPECT_EQ(Ended(waiting.id).state, "CANCELLED");
  EXPECT_EQ(GetErrorInfo(dispatcher_->Cancel("none").status()).code, "run.not_found");
}

TEST_F(DispatcherTest, ALostClientTakesItsRunsWithIt) {
  auto mine = Make("a");
  mine.attachment = "client-1";
  auto other = Make("b");
  other.attachment = "client-2";
  const auto lost = *dispatcher_->Submit(mine);
  const auto kept = *dispatcher_->Submit(other);
  engine_->AwaitRunning(2);
  dispatcher_->CancelAttachment("client-1");
  EXPECT_EQ(Ended(lost.id).state, "CANCELLED");
  engine_->Release();
  EXPECT_EQ(Ended(kept.id).state, "SUCCEEDED");
}

TEST_F(DispatcherTest, AnInterruptedRunIsContinuedUnderItsId) {
  const std::string id = LeaveInterrupted("orders");
  engine_->Release();
  const auto run = *dispatcher_->Submit(Make("orders"));
  EXPECT_EQ(run.id, id);
  const RunRecord ended = Ended(id);
  EXPECT_TRUE(ended.resumed);
  EXPECT_NE(ended.result_json.find("\"resumed\":true"), std::string::npos);
  EXPECT_EQ(store_->runs().List({})->size(), 1u);
}

TEST_F(DispatcherTest, AContinuedRunDoesNotLoadAgainWhatItHadCommitted) {
  NewRun run;
  run.id = ids_->Ulid();
  run.project = "shop";
  run.pipeline = "orders";
  run.document_hash = "hash";
  run.options = "{}";
  ASSERT_TRUE(store_->runs().Create(run).ok());
  const auto lease = *store_->runs().Claim(run.id, "now");
  Checkpoint done, earlier;
  done.load_id = "L2";
  done.run = run.id;
  earlier.load_id = "L1";
  earlier.run = "another run";
  ASSERT_TRUE(store_->cursors().Save(lease, {"shop/orders", "items"}, done, "now").ok());
  ASSERT_TRUE(
      store_->cursors().Save(lease, {"shop/orders", "heads"}, earlier, "now").ok());
  Close();
  engine_ = std::make_unique<FakeEngine>();
  Open();
  engine_->Release();
  Ended(dispatcher_->Submit(Make("orders"))->id);
  EXPECT_EQ(engine_->completed(), std::vector<std::string>{"items"});
}

TEST_F(DispatcherTest, AnInterruptedRunOfOtherDocumentsIsGivenUp) {
  const std::string id = LeaveInterrupted("orders");
  engine_->Release();
  auto changed = Make("orders");
  changed.document_hash = "other";
  const auto run = *dispatcher_->Submit(changed);
  EXPECT_NE(run.id, id);
  EXPECT_FALSE(Ended(run.id).resumed);
  EXPECT_EQ(dispatcher_->Get(id)->state, "FAILED");
  EXPECT_NE(dispatcher_->Get(id)->result_json.find("run.interrupted"), std::string::npos);
}

TEST_F(DispatcherTest, NewGivesAnInterruptedRunUp) {
  const std::string id = LeaveInterrupted("orders");
  engine_->Release();
  auto fresh = Make("orders");
  fresh.options.fresh = true;
  const auto run = *dispatcher_->Submit(fresh);
  EXPECT_NE(run.id, id);
  Ended(run.id);
  EXPECT_EQ(dispatcher_->Get(id)->state, "FAILED");
}

TEST_F(DispatcherTest, SecretsLeaveNoRun) {
  auto submission = Make("orders");
  submission.redactor = Redactor({"hunter2"});
  engine_->FailWith("password hunter2 refused");
  engine_->Release();
  const auto run = *dispatcher_->Submit(submission);
  const RunRecord ended = Ended(run.id);
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_EQ(ended.result_json.find("hunter2"), std::string::npos);
  EXPECT_NE(ended.result_json.find("password *** refused"), std::string::npos);
  for (const auto& event : dispatcher_->Feed(run.id)->After(0)) {
    if (const auto* log = std::get_if<LogEntry>(&event.what)) {
      EXPECT_EQ(log->message, "password *** refused");
    }
  }
}

TEST_F(DispatcherTest, StopCancelsEverything) {
  const auto running = *dispatcher_->Submit(Make("a"));
  engine_->AwaitRunning(1);
  const auto waiting = *dispatcher_->Submit(Make("a"));
  dispatcher_->Stop();
  EXPECT_EQ(dispatcher_->Get(running.id)->state, "CANCELLED");
  EXPECT_EQ(dispatcher_->Get(waiting.id)->state, "CANCELLED");
}

}  // namespace
}  // namespace dxt
