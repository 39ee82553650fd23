#include <atomic>
#include <set>

#include "state/conformance/state_store_suite.h"

namespace dxt {
namespace {

NewRun WithRequest(NewRun run, const std::string& hash) {
  run.request_id = "request";
  run.request_hash = hash;
  return run;
}

TEST_P(StateStoreSuite, AThousandConcurrentIdenticalCreatesMakeOneRun) {
  std::atomic<int> next = 0;
  std::atomic<int> made = 0;
  std::atomic<int> failed = 0;
  std::set<std::string> ids;
  std::mutex mutex;
  Together([&](int) {
    for (int i = next++; i < 1000; i = next++) {
      char id[16];
      std::snprintf(id, sizeof id, "01R%04d", i);
      const auto created = store_->runs().Create(WithRequest(MakeRun(id), "same"));
      if (!created.ok()) {
        ++failed;
        continue;
      }
      if (!created->existed) ++made;
      std::lock_guard lock(mutex);
      ids.insert(created->run.id);
    }
  });
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(made, 1);
  EXPECT_EQ(ids.size(), 1u);
  EXPECT_EQ(Ids({}).size(), 1u);
}

TEST_P(StateStoreSuite, ARequestIdOfAnotherRequestIsRefused) {
  ASSERT_TRUE(store_->runs().Create(WithRequest(MakeRun("01A"), "one")).ok());
  Reopen();
  const auto other = store_->runs().Create(WithRequest(MakeRun("01B"), "two"));
  EXPECT_EQ(CodeOf(other.status()), "run.request_reused");
  EXPECT_NE(other.status().message().find("01A"), std::string::npos);
  const auto same = store_->runs().Create(WithRequest(MakeRun("01C"), "one"));
  ASSERT_TRUE(same.ok());
  EXPECT_TRUE(same->existed);
  EXPECT_EQ(same->run.id, "01A");
  EXPECT_EQ(Ids({}).size(), 1u);
}

TEST_P(StateStoreSuite, ARunKeepsAllThatItWasMadeWith) {
  NewRun run = WithRequest(MakeRun("01A"), "one");
  run.dry_run = true;
  run.priority = -7;
  run.trigger = {"SCHEDULE", "nightly", kNow};
  run.retry_of = "00X";
  run.pipeline_revision = 3;
  run.not_before = "2026-11-21T10:00:00.000Z";
  run.sealed_input = std::string("\0\xff sealed", 9);
  ASSERT_TRUE(store_->runs().Create(run).ok());
  Reopen();
  const RunRecord stored = Run("01A");
  EXPECT_EQ(stored.project, "shop");
  EXPECT_EQ(stored.pipeline, "orders");
  EXPECT_EQ(stored.state, "QUEUED");
  EXPECT_TRUE(stored.dry_run);
  EXPECT_EQ(stored.request_id, "request");
  EXPECT_EQ(stored.priority, -7);
  EXPECT_EQ(stored.trigger.kind, "SCHEDULE");
  EXPECT_EQ(stored.trigger.source, "nightly");
  EXPECT_EQ(stored.trigger.scheduled_at, kNow);
  EXPECT_EQ(stored.retry_of, "00X");
  EXPECT_EQ(stored.pipeline_revision, 3);
  EXPECT_EQ(stored.not_before, run.not_before);
  const auto input = store_->runs().Input("01A").ValueOrDie();
  ASSERT_TRUE(input.has_value());
  EXPECT_EQ(input->pipeline_document.text, "name: orders");
  EXPECT_EQ(input->project_document.path, "/p/dxt_project.yaml");
  EXPECT_EQ(input->sealed_input, run.sealed_input);
  EXPECT_FALSE(store_->runs().Input("01Z").ValueOrDie().has_value());
}

TEST_P(StateStoreSuite, TheInputGoesWhenTheRunEnds) {
  for (const char* id : {"01A", "01B"}) {
    NewRun run = MakeRun(id);
    run.sealed_input = "sealed";
    ASSERT_TRUE(store_->runs().Create(run).ok());
  }
  const auto lease = store_->runs().Claim("01A", kNow);
  ASSERT_TRUE(store_->runs().Finish(*lease, Outcome("FAILED")).ok());
  ASSERT_TRUE(store_->runs().Abandon("01B", Outcome("CANCELLED")).ok());
  for (const char* id : {"01A", "01B"}) {
    const auto input = store_->runs().Input(id).ValueOrDie();
    EXPECT_EQ(input->sealed_input, "");
    EXPECT_EQ(input->pipeline_document.text, "name: orders");
  }
}

TEST_P(StateStoreSuite, TheQueueIsOrderedByPriorityThenAge) {
  const std::pair<const char*, int> runs[] = {
      {"01A", 0}, {"01B", 5}, {"01C", -5}, {"01D", 5}, {"01E", 0}};
  for (const auto& [id, priority] : runs) {
    NewRun run = MakeRun(id);
    run.priority = priority;
    ASSERT_TRUE(store_->runs().Create(run).ok());
  }
  ASSERT_TRUE(store_->runs().Claim("01E", kNow).ok());
  std::vector<std::string> order;
  for (const auto& run : store_->runs().Queued().ValueOrDie()) order.push_back(run.id);
  EXPECT_EQ(order, (std::vector<std::string>{"01B", "01D", "01A", "01C"}));
}

TEST_P(StateStoreSuite, OneOfManyClaimsARun) {
  for (int round = 0; round < 20; ++round) {
    const std::string id = "01R" + std::to_string(100 + round);
    Create(id);
    std::atomic<int> won = 0;
    std::atomic<int> fenced = 0;
    Together([&](int) {
      const auto lease = store_->runs().Claim(id, kNow);
      if (lease.ok()) ++won;
      if (ClassOf(lease.status()) == ErrorClass::kFenced) ++fenced;
    });
    EXPECT_EQ(won, 1);
    EXPECT_EQ(fenced, kThreads - 1);
  }
}

TEST_P(StateStoreSuite, NoWriteOfAVoidLeaseIsTaken) {
  const ChainKey key{"shop/orders", "items"};
  const Lease old = Claimed("01A");
  Checkpoint window;
  window.load_id = "L1";
  ASSERT_TRUE(store_->intents().Record(old, key, window).ok());
  ASSERT_TRUE(store_->runs().Expire("01A").ok());
  const auto refused = [&] {
    NewRun next = MakeRun("01N");
    const NewRun follow_ups[] = {next};
    EXPECT_EQ(ClassOf(store_->runs().SetState(old, "CANCELLING")), ErrorClass::kFenced);
    EXPECT_EQ(
        ClassOf(store_->runs().Finish(old, Outcome("SUCCEEDED"), follow_ups).status()),
        ErrorClass::kFenced);
    EXPECT_EQ(ClassOf(store_->cursors().Save(old, key, window, kNow)),
              ErrorClass::kFenced);
    EXPECT_EQ(ClassOf(store_->intents().Record(old, key, {})), ErrorClass::kFenced);
    EXPECT_EQ(ClassOf(store_->intents().Clear(old, key, "L1")), ErrorClass::kFenced);
    EXPECT_EQ(ClassOf(store_->packages().Record(old, {key, "L1", "/p", kNow})),
              ErrorClass::kFenced);
    EXPECT_EQ(store_->runs().Get("01N")->has_value(), false);
    EXPECT_FALSE(store_->cursors().Load(key)->has_value());
    EXPECT_EQ(store_->intents().Pending(key)->value().load_id, "L1");
    EXPECT_FALSE(store_->packages().Get("L1")->has_value());
    EXPECT_EQ(Run("01A").state, "RUNNING");
  };
  refused();
  const auto lease = store_->runs().Claim("01A", kNow);
  ASSERT_TRUE(lease.ok()) << lease.status();
  EXPECT_EQ(lease->attempt, 2);
  EXPECT_TRUE(Run("01A").resumed);
  refused();
  ASSERT_TRUE(store_->cursors().Save(*lease, key, window, kNow).ok());
  ASSERT_TRUE(store_->runs().Finish(*lease, Outcome("SUCCEEDED")).ok());
  EXPECT_EQ(ClassOf(store_->runs().Finish(*lease, Outcome("FAILED"))),
            ErrorClass::kFenced);
  EXPECT_EQ(Run("01A").state, "SUCCEEDED");
}

TEST_P(StateStoreSuite, OnlyAHeldRunExpires) {
  Create("01A");
  EXPECT_EQ(ClassOf(store_->runs().Expire("01A")), ErrorClass::kFenced);
  EXPECT_EQ(ClassOf(store_->runs().Expire("01Z")), ErrorClass::kFenced);
  ASSERT_TRUE(store_->runs().Claim("01A", kNow).ok());
  EXPECT_TRUE(store_->runs().Interrupted()->empty());
  ASSERT_TRUE(store_->runs().Expire("01A").ok());
  EXPECT_EQ(ClassOf(store_->runs().Expire("01A")), ErrorClass::kFenced);
  ASSERT_EQ(store_->runs().Interrupted()->size(), 1u);
  EXPECT_EQ(store_->runs().Interrupted()->front().id, "01A");
}

TEST_P(StateStoreSuite, ARestartLeavesTheQueueAndInterruptsTheRest) {
  Create("01A");
  Claimed("01B");
  const Lease ended = Claimed("01C");
  ASSERT_TRUE(store_->runs().Finish(ended, Outcome("PARTIAL")).ok());
  Reopen();
  ASSERT_EQ(store_->runs().Queued()->size(), 1u);
  EXPECT_EQ(store_->runs().Queued()->front().id, "01A");
  ASSERT_EQ(store_->runs().Interrupted()->size(), 1u);
  EXPECT_EQ(store_->runs().Interrupted()->front().id, "01B");
  EXPECT_EQ(Run("01C").result_json, Outcome("PARTIAL").result_json);
  EXPECT_FALSE(Run("01C").interrupted);
  ASSERT_TRUE(store_->runs().Claim("01A", kNow).ok());
  EXPECT_FALSE(Run("01A").resumed);
}

TEST_P(StateStoreSuite, ACancelledQueuedRunIsNeverClaimed) {
  Create("01A");
  const auto cancelled = store_->runs().RequestCancel("01A", "by alice");
  ASSERT_TRUE(cancelled.ok()) << cancelled.status();
  EXPECT_EQ(cancelled->state, "CANCELLING");
  EXPECT_EQ(cancelled->cancel_reason, "by alice");
  EXPECT_EQ(ClassOf(store_->runs().Claim("01A", kNow).status()), ErrorClass::kFenced);
  Reopen();
  EXPECT_EQ(ClassOf(store_->runs().Claim("01A", kNow).status()), ErrorClass::kFenced);
  ASSERT_TRUE(store_->runs().Abandon("01A", Outcome("CANCELLED")).ok());
  EXPECT_EQ(Run("01A").state, "CANCELLED");
}

TEST_P(StateStoreSuite, ACancelReachesARunningRunAndNoEndedOne) {
  const Lease lease = Claimed("01A");
  ASSERT_TRUE(store_->runs().RequestCancel("01A", "why").ok());
  EXPECT_EQ(Run("01A").state, "CANCELLING");
  EXPECT_EQ(ClassOf(store_->runs().Abandon("01A", Outcome("CANCELLED"))),
            ErrorClass::kFenced);
  ASSERT_TRUE(store_->runs().Finish(lease, Outcome("SUCCEEDED")).ok());
  const auto after = store_->runs().RequestCancel("01A", "again");
  ASSERT_TRUE(after.ok());
  EXPECT_EQ(after->state, "SUCCEEDED");
  EXPECT_EQ(after->cancel_reason, "why");
  EXPECT_EQ(CodeOf(store_->runs().RequestCancel("01Z", "").status()), "run.not_found");
}

TEST_P(StateStoreSuite, TheStatsFollowEveryChange) {
  EXPECT_TRUE(store_->runs().Stats()->by_state.empty());
  EXPECT_EQ(store_->runs().Stats()->oldest_queued_at, "");
  NewRun younger = MakeRun("01A");
  younger.created_at = "2026-11-21T09:00:05.000Z";
  ASSERT_TRUE(store_->runs().Create(younger).ok());
  Create("01B");
  const Lease lease = Claimed("01C");
  using Counts = std::vector<std::pair<std::string, int64_t>>;
  auto stats = *store_->runs().Stats();
  EXPECT_EQ(stats.by_state, (Counts{{"QUEUED", 2}, {"RUNNING", 1}}));
  EXPECT_EQ(stats.oldest_queued_at, kNow);
  ASSERT_TRUE(store_->runs().Finish(lease, Outcome("FAILED")).ok());
  ASSERT_TRUE(store_->runs().Abandon("01B", Outcome("CANCELLED")).ok());
  Reopen();
  stats = *store_->runs().Stats();
  EXPECT_EQ(stats.by_state, (Counts{{"CANCELLED", 1}, {"FAILED", 1}, {"QUEUED", 1}}));
  EXPECT_EQ(stats.oldest_queued_at, younger.created_at);
  EXPECT_EQ(store_->runs().Prune("9999", 0, "2027-01-01T00:00:00.000Z").ValueOr(-1), 2);
  EXPECT_EQ(store_->runs().Stats()->by_state, (Counts{{"QUEUED", 1}}));
}

TEST_P(StateStoreSuite, RunsAreFoundByEveryCondition) {
  using Found = std::vector<std::string>;
  for (int i = 0; i < 6; ++i) {
    NewRun run = MakeRun("01" + std::string(1, static_cast<char>('A' + i)),
                         i % 2 == 0 ? "orders" : "items");
    if (i == 5) run.project = "other";
    run.dry_run = i == 3;
    if (i == 4) run.trigger.kind = "RETRY";
    run.created_at = "2026-11-2" + std::to_string(i) + "T00:00:00.000Z";
    ASSERT_TRUE(store_->runs().Create(run).ok());
  }
  for (const char* id : {"01A", "01B"}) {
    const auto lease = store_->runs().Claim(id, kNow);
    ASSERT_TRUE(store_->runs().Finish(*lease, Outcome("FAILED")).ok());
  }
  EXPECT_EQ(Ids({}), (Found{"01F", "01E", "01D", "01C", "01B", "01A"}));
  RunQuery query;
  query.ascending = true;
  query.limit = 2;
  EXPECT_EQ(Ids(query), (Found{"01A", "01B"}));
  query.after_id = "01B";
  EXPECT_EQ(Ids(query), (Found{"01C", "01D"}));
  query = {};
  query.before_id = "01C";
  EXPECT_EQ(Ids(query), (Found{"01B", "01A"}));
  query = {};
  query.project = "shop";
  query.pipeline = "items";
  EXPECT_EQ(Ids(query), (Found{"01D", "01B"}));
  query = {};
  query.states = {"FAILED", "RUNNING"};
  EXPECT_EQ(Ids(query), (Found{"01B", "01A"}));
  query = {};
  query.trigger = "RETRY";
  EXPECT_EQ(Ids(query), (Found{"01E"}));
  query = {};
  query.dry_run = true;
  EXPECT_EQ(Ids(query), (Found{"01D"}));
  query = {};
  query.created_from = "2026-11-22T00:00:00.000Z";
  query.created_before = "2026-11-24T00:00:00.000Z";
  EXPECT_EQ(Ids(query), (Found{"01D", "01C"}));
  query = {};
  query.ended_before = "9999";
  EXPECT_EQ(Ids(query), (Found{"01B", "01A"}));
  query.ended_from = "2026-11-22T00:00:00.000Z";
  EXPECT_EQ(Ids(query), (Found{}));
}

TEST_P(StateStoreSuite, PruneForgetsWhatIsOldAndNothingElse) {
  const auto ended = [&](const std::string& id, const std::string& pipeline,
                         const std::string& at, const std::string& request) {
    NewRun run = MakeRun(id, pipeline);
    run.created_at = at;
    run.request_id = request;
    ASSERT_TRUE(store_->runs().Create(run).ok());
    const auto lease = store_->runs().Claim(id, at);
    RunOutcome outcome = Outcome("SUCCEEDED");
    outcome.ended_at = at;
    ASSERT_TRUE(store_->runs().Finish(*lease, outcome).ok());
  };
  const std::string old = "2026-11-01T00:00:00.000Z";
  const std::string young = "2026-11-20T00:00:00.000Z";
  Create("01A", "waiting");
  ended("01B", "orders", old, "old-request");
  ended("01C", "orders", old, "");
  ended("01D", "orders", old, "");
  ended("01E", "orders", young, "young-request");
  ended("01F", "orders", young, "");
  ended("01G", "rare", old, "");
  NewRun inline_run = MakeRun("01H", "");
  inline_run.project.clear();
  ASSERT_TRUE(store_->runs().Create(inline_run).ok());
  ASSERT_TRUE(store_->runs().Abandon("01H", Outcome("CANCELLED")).ok());
  const LogRecord line = {0, old, "INFO", "", "event", "text"};
  ASSERT_TRUE(store_->logs().Append("01B", {&line, 1}).ok());

  // By age: only what is older, beyond the newest one of each pipeline.
  EXPECT_EQ(store_->runs().Prune("2026-11-10", 1, kNow).ValueOr(-1), 3);
  EXPECT_FALSE(store_->runs().Get("01B")->has_value());
  EXPECT_TRUE(store_->logs().Read("01B", 0, 10)->empty());
  EXPECT_EQ(Ids({}).size(), 5u);
  EXPECT_EQ(Run("01G").state, "SUCCEEDED");
  // By number: all but requests of the last week and what has not ended.
  EXPECT_EQ(store_->runs().Prune("9999", 0, kNow).ValueOr(-1), 3);
  EXPECT_EQ(Ids({}), (std::vector<std::string>{"01E", "01A"}));
  EXPECT_EQ(store_->runs().Input("01A").ValueOrDie()->pipeline_document.text,
            "name: waiting");
  EXPECT_EQ(store_->runs().Prune("9999", 0, "2026-12-21T09:00:00.000Z").ValueOr(-1), 1);
}

TEST_P(StateStoreSuite, ManySlicesArePruned) {
  Together([&](int thread) {
    for (int i = 0; i < 150; ++i) {
      char id[16];
      std::snprintf(id, sizeof id, "01R%d%04d", thread, i);
      ASSERT_TRUE(store_->runs().Create(MakeRun(id)).ok());
      ASSERT_TRUE(store_->runs().Abandon(id, Outcome("CANCELLED")).ok());
    }
  });
  EXPECT_EQ(store_->runs().Prune("9999", 10, kNow).ValueOr(-1), kThreads * 150 - 10);
  EXPECT_EQ(Ids({}).size(), 10u);
}

TEST_P(StateStoreSuite, OneCallersFailureIsNotAnothers) {
  Create("01X");
  std::atomic<int> made = 0;
  std::atomic<int> refused = 0;
  Together([&](int thread) {
    for (int i = 0; i < 50; ++i) {
      const std::string id = "01R" + std::to_string(thread * 100 + i);
      if (thread % 2 == 0) {
        if (store_->runs().Create(MakeRun(id)).ok()) ++made;
      } else if (!store_->runs().Claim(id + "-none", kNow).ok()) {
        ++refused;
      }
    }
  });
  EXPECT_EQ(made, kThreads / 2 * 50);
  EXPECT_EQ(refused, kThreads / 2 * 50);
  RunQuery all;
  all.limit = 1000;
  EXPECT_EQ(Ids(all).size(), static_cast<size_t>(made) + 1);
}

}  // namespace
}  // namespace dxt
