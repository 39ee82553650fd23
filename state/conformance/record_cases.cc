#include <set>

#include "state/conformance/state_store_suite.h"

namespace dxt {
namespace {

std::vector<LogRecord> Lines(int count, const std::string& severity,
                             const std::string& stream) {
  std::vector<LogRecord> lines;
  for (int i = 0; i < count; ++i) {
    lines.push_back({0, "t", severity, stream, "event", "line " + std::to_string(i)});
  }
  return lines;
}

TEST_P(StateStoreSuite, LogsAreReadFromAnyLineOn) {
  Create("01A");
  Create("01B");
  EXPECT_EQ(store_->logs().Append("01A", Lines(3, "INFO", "orders")).ValueOr(-1), 3);
  EXPECT_EQ(store_->logs().Append("01A", Lines(2, "ERROR", "items")).ValueOr(-1), 5);
  EXPECT_EQ(store_->logs().Append("01B", Lines(1, "DEBUG", "")).ValueOr(-1), 1);
  EXPECT_EQ(store_->logs().Append("01A", {}).ValueOr(-1), 5);
  EXPECT_EQ(CodeOf(store_->logs().Append("01Z", Lines(1, "INFO", "")).status()),
            "run.not_found");
  Reopen();
  auto lines = store_->logs().Read("01A", 2, 2).ValueOrDie();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].seq, 3);
  EXPECT_EQ(lines[0].severity, "INFO");
  EXPECT_EQ(lines[0].stream, "orders");
  EXPECT_EQ(lines[0].event, "event");
  EXPECT_EQ(lines[0].message, "line 2");
  EXPECT_EQ(lines[1].seq, 4);
  EXPECT_EQ(store_->logs().Read("01A", 0, 10, "WARNING")->size(), 2u);
  EXPECT_EQ(store_->logs().Read("01A", 0, 10, "DEBUG", "orders")->size(), 3u);
  EXPECT_TRUE(store_->logs().Read("01Z", 0, 10)->empty());
}

TEST_P(StateStoreSuite, TheNewestLinesOfALongLogAreKept) {
  Create("01A");
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(store_->logs().Append("01A", Lines(2000, "INFO", "")).ok());
  }
  const auto lines = store_->logs().Read("01A", 0, 20'000).ValueOrDie();
  ASSERT_EQ(lines.size(), static_cast<size_t>(LogStore::kLinesPerRun));
  EXPECT_EQ(lines.front().seq, 2001);
  EXPECT_EQ(lines.back().seq, 12'000);
}

TEST_P(StateStoreSuite, LinesOfManyThreadsEachGetAPlace) {
  Create("01A");
  Together([&](int) {
    for (int i = 0; i < 20; ++i) {
      ASSERT_TRUE(store_->logs().Append("01A", Lines(3, "INFO", "")).ok());
    }
  });
  const auto lines = store_->logs().Read("01A", 0, 1000).ValueOrDie();
  std::set<int64_t> places;
  for (const auto& line : lines) places.insert(line.seq);
  EXPECT_EQ(places.size(), kThreads * 60u);
  EXPECT_EQ(*places.rbegin(), kThreads * 60);
}

TEST_P(StateStoreSuite, TheLastLinesOfARunAreStoredWithItsEnd) {
  const Lease lease = Claimed("01A");
  ASSERT_TRUE(store_->logs().Append("01A", Lines(2, "INFO", "orders")).ok());
  RunOutcome outcome = Outcome("SUCCEEDED");
  outcome.last_lines = Lines(3, "ERROR", "items");
  EXPECT_EQ(CodeOf(store_->runs().Finish({"01A", 7}, outcome)), "run.fenced");
  ASSERT_TRUE(store_->runs().Finish(lease, outcome).ok());
  Reopen();
  const auto lines = store_->logs().Read("01A", 0, 10).ValueOrDie();
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_EQ(lines[2].seq, 3);
  EXPECT_EQ(lines[2].stream, "items");
  EXPECT_EQ(lines[4].message, "line 2");
}

TEST_P(StateStoreSuite, LogsOfOldRunsArePruned) {
  for (const char* id : {"01A", "01B", "01C"}) {
    NewRun run = MakeRun(id);
    run.created_at = std::string("2026-0") + (id[2] == 'C' ? "9" : "1") + "-01";
    ASSERT_TRUE(store_->runs().Create(run).ok());
    if (id[2] != 'A') {
      ASSERT_TRUE(store_->logs().Append(id, Lines(1100, "INFO", "")).ok());
    }
  }
  EXPECT_EQ(store_->logs().Prune("2026-05-01").ValueOr(-1), 1);
  EXPECT_TRUE(store_->logs().Read("01B", 0, 10)->empty());
  EXPECT_EQ(store_->logs().Read("01C", 0, 2000)->size(), 1100u);
  EXPECT_EQ(Ids({}).size(), 3u);
}

TEST_P(StateStoreSuite, AnAuditRecordIsWrittenWhenTheChangeIs) {
  const auto actions = [&] {
    std::vector<std::string> found;
    for (const auto& record : store_->audit().List(0, 100).ValueOrDie()) {
      found.push_back(record.action);
    }
    return found;
  };
  auto& definitions = store_->definitions();
  AuditRecord audit = MakeAudit("ApplyProject");
  ASSERT_TRUE(definitions.ApplyProject(MakeProject("shop"), {}, &audit).ok());
  ASSERT_TRUE(definitions.ApplyProject(MakeProject("shop"), {}, &audit).ok());
  audit.action = "ApplyPipeline";
  EXPECT_FALSE(definitions.ApplyPipeline(MakePipeline("orders"), 5, &audit).ok());
  ASSERT_TRUE(definitions.ApplyPipeline(MakePipeline("orders"), {}, &audit).ok());
  audit.action = "SubmitRun";
  NewRun run = MakeRun("01A");
  run.request_id = "request";
  ASSERT_TRUE(store_->runs().Create(run, &audit).ok());
  ASSERT_TRUE(store_->runs().Create(run, &audit).ok());
  audit.action = "CancelRun";
  ASSERT_TRUE(store_->runs().RequestCancel("01A", "", &audit).ok());
  ASSERT_TRUE(store_->runs().RequestCancel("01A", "", &audit).ok());
  ASSERT_TRUE(store_->audit().Append(MakeAudit("Start")).ok());
  EXPECT_EQ(actions(), (std::vector<std::string>{"Start", "CancelRun", "SubmitRun",
                                                 "ApplyPipeline", "ApplyProject"}));
  Reopen();
  const auto page = store_->audit().List(3, 1).ValueOrDie();
  ASSERT_EQ(page.size(), 1u);
  EXPECT_EQ(page[0].id, 2);
  EXPECT_EQ(page[0].at, kNow);
  EXPECT_EQ(page[0].principal, "alice");
  EXPECT_EQ(page[0].resource, "shop/orders");
  EXPECT_EQ(page[0].detail, "detail");
}

TEST_P(StateStoreSuite, OldAuditRecordsArePrunedAndTheirNumbersAreNotGivenAgain) {
  for (int i = 1; i <= 1203; ++i) {
    AuditRecord record = MakeAudit("Start");
    record.at = i <= 1200 ? "2026-01-01T00:00:00.000Z" : "2026-09-01T00:00:00.000Z";
    ASSERT_TRUE(store_->audit().Append(record).ok());
  }
  EXPECT_EQ(store_->audit().Prune("2025-05-01T00:00:00.000Z").ValueOr(-1), 0);
  EXPECT_EQ(store_->audit().Prune("2026-05-01T00:00:00.000Z").ValueOr(-1), 1200);
  EXPECT_EQ(store_->audit().Prune("2026-05-01T00:00:00.000Z").ValueOr(-1), 0);
  auto left = store_->audit().List(0, 100).ValueOrDie();
  ASSERT_EQ(left.size(), 3u);
  EXPECT_EQ(left[2].id, 1201);
  EXPECT_EQ(store_->audit().Prune("2027-01-01T00:00:00.000Z").ValueOr(-1), 2);
  ASSERT_TRUE(store_->audit().Append(MakeAudit("Start")).ok());
  left = store_->audit().List(0, 100).ValueOrDie();
  ASSERT_EQ(left.size(), 2u);
  EXPECT_EQ(left[0].id, 1204);
}

TEST_P(StateStoreSuite, CursorsAndPackagesOutliveARestart) {
  const ChainKey key{"shop/orders", "items", "sync"};
  const Lease lease = Claimed("01A");
  Checkpoint window;
  window.window_seq = 4;
  window.load_id = "L4";
  window.cursor_after = "2026-01-02";
  ASSERT_TRUE(store_->intents().Record(lease, key, window).ok());
  ASSERT_TRUE(store_->packages().Record(lease, {key, "L5", "/p/L5", kNow}).ok());
  Reopen();
  EXPECT_EQ(store_->intents().Pending(key)->value().cursor_after, "2026-01-02");
  EXPECT_EQ(store_->packages().Get("L5")->value().path, "/p/L5");
  const auto again = store_->runs().Claim("01A", kNow);
  ASSERT_TRUE(store_->cursors().Save(*again, key, window, kNow).ok());
  EXPECT_FALSE(store_->intents().Pending(key)->has_value());
  EXPECT_EQ(store_->cursors().Load(key)->value().window_seq, 4);
}

TEST_P(StateStoreSuite, TheTypeOfACursorIsKeptWithItAndWithItsIntent) {
  const ChainKey key{"shop/orders", "items", "sync"};
  const Lease lease = Claimed("01A");
  Checkpoint window;
  window.load_id = "L1";
  window.run = "01A";
  window.cursor_after = "500";
  window.cursor_type = "int64";
  ASSERT_TRUE(store_->intents().Record(lease, key, window).ok());
  EXPECT_EQ(store_->intents().Pending(key)->value().cursor_type, "int64");
  ASSERT_TRUE(store_->cursors().Save(lease, key, window, kNow).ok());
  EXPECT_EQ(store_->cursors().Load(key)->value().cursor_type, "int64");
  const auto chains = store_->cursors().List("").ValueOrDie();
  ASSERT_EQ(chains.size(), 1u);
  EXPECT_EQ(chains.front().checkpoint->cursor_type, "int64");
}

TEST_P(StateStoreSuite, AGapShowsOnceItsLoadIsSettledAndGoesWithAReadFromTheBeginning) {
  const ChainKey key{"shop/orders", "items", "sync"};
  const Lease lease = Claimed("01A");
  const auto gaps = [&] {
    std::string text;
    for (const auto& chain : store_->cursors().List("").ValueOrDie()) {
      for (const auto& gap : chain.gaps) {
        text += gap.after + ".." + gap.up_to + " " + gap.run + ";";
      }
    }
    return text;
  };
  const auto load = [](const std::string& id, const std::string& from) {
    Checkpoint window;
    window.load_id = id;
    window.run = "01A";
    window.cursor_before = "100";
    window.read_from = from;
    window.cursor_after = "500";
    window.leaves_gap = !from.empty();
    return window;
  };
  ASSERT_TRUE(store_->cursors().Save(lease, key, load("L1", ""), kNow).ok());
  // Given up, by a clear and by another load.
  ASSERT_TRUE(store_->intents().Record(lease, key, load("L2", "300")).ok());
  EXPECT_EQ(gaps(), "");
  ASSERT_TRUE(store_->intents().Clear(lease, key, "L2").ok());
  EXPECT_EQ(gaps(), "");
  ASSERT_TRUE(store_->intents().Record(lease, key, load("L3", "300")).ok());
  ASSERT_TRUE(store_->intents().Record(lease, key, load("L4", "400")).ok());
  ASSERT_TRUE(store_->cursors().Save(lease, key, load("L4", "400"), kNow).ok());
  EXPECT_EQ(gaps(), "100..400 01A;");
  ASSERT_TRUE(store_->intents().Clear(lease, key, "L4").ok());
  EXPECT_EQ(gaps(), "100..400 01A;");
  ASSERT_TRUE(store_->cursors().Save(lease, key, load("L5", ""), kNow).ok());
  EXPECT_EQ(gaps(), "");
}

}  // namespace
}  // namespace dxt
