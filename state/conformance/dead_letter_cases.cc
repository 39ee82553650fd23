#include "state/conformance/state_store_suite.h"

namespace dxt {
namespace {

const ChainKey kOrders{"shop/orders", "orders"};

NewDeadLetter Letter(const std::string& key, const std::string& code = "value.null") {
  return {code, "total", "Column 'total' is bad", key, "{\"id\":1}", "{}"};
}

NewDeadLetter OnlyCounted() { return {"value.null", "total", "bad", "", "", ""}; }

Checkpoint Committed(const std::string& load, const std::string& run,
                     const std::string& mode = "append") {
  Checkpoint checkpoint;
  checkpoint.window_seq = 1;
  checkpoint.load_id = load;
  checkpoint.run = run;
  checkpoint.mode = mode;
  return checkpoint;
}

std::vector<std::string> IdsOf(StateStore& store, const DeadLetterQuery& query = {}) {
  std::vector<std::string> ids;
  for (const auto& letter : store.dead_letters().List(query).ValueOrDie()) {
    ids.push_back(letter.id);
  }
  return ids;
}

using Strings = std::vector<std::string>;

TEST_P(StateStoreSuite, LettersShowOnceTheirLoadIsCommitted) {
  Lease lease = Claimed("01A");
  const NewDeadLetter rows[] = {Letter("{\"id\":1}"), OnlyCounted(),
                                Letter("{\"id\":2}")};
  auto& letters = store_->dead_letters();
  ASSERT_TRUE(letters.Hold(lease, kOrders, "L1", RejectedAt::kLoad, rows, kNow).ok());
  EXPECT_TRUE(IdsOf(*store_).empty());
  EXPECT_FALSE(letters.Get("L1-1")->has_value());
  EXPECT_EQ(letters.Counts(kOrders, "01A")->rows, 0);
  // The process died behind the commit: the next one finds the load committed.
  Reopen();
  lease = store_->runs().Claim("01A", kNow).ValueOrDie();
  ASSERT_TRUE(store_->cursors().Save(lease, kOrders, Committed("L1", "01A"), kNow).ok());
  EXPECT_EQ(IdsOf(*store_), (Strings{"L1-1", "L1-2"}));
  const auto counts = store_->dead_letters().Counts(kOrders, "01A").ValueOrDie();
  EXPECT_EQ(counts.rows, 3);
  EXPECT_EQ(counts.letters, 2);
  const auto letter = store_->dead_letters().Get("L1-2").ValueOrDie().value();
  EXPECT_EQ(letter.state, "STORED");
  EXPECT_EQ(letter.code, "value.null");
  EXPECT_EQ(letter.field, "total");
  EXPECT_EQ(letter.row_key, "{\"id\":2}");
  EXPECT_EQ(letter.row_json, "{\"id\":1}");
  EXPECT_EQ(letter.key.stream, "orders");
  EXPECT_EQ(letter.run, "01A");
  EXPECT_EQ(letter.attempts, 1);
  EXPECT_EQ(letter.at, kNow);
}

TEST_P(StateStoreSuite, ARepeatedLoadHoldsItsLettersOnce) {
  const Lease lease = Claimed("01A");
  const NewDeadLetter first[] = {Letter("1"), Letter("2")};
  const NewDeadLetter second[] = {Letter("2")};
  auto& letters = store_->dead_letters();
  ASSERT_TRUE(letters.Hold(lease, kOrders, "L1", RejectedAt::kLoad, first, kNow).ok());
  // The process died before the commit, and the next one reads under another load id.
  ASSERT_TRUE(letters.Hold(lease, kOrders, "L2", RejectedAt::kLoad, second, kNow).ok());
  ASSERT_TRUE(store_->cursors().Save(lease, kOrders, Committed("L2", "01A"), kNow).ok());
  ASSERT_TRUE(store_->cursors().Save(lease, kOrders, Committed("L2", "01A"), kNow).ok());
  EXPECT_EQ(IdsOf(*store_), Strings{"L2-1"});
  EXPECT_EQ(letters.Counts(kOrders, "01A")->rows, 1);
}

TEST_P(StateStoreSuite, LettersOfAnExtractWaitForTheirPackage) {
  const Lease lease = Claimed("01A");
  const NewDeadLetter read[] = {Letter("1")}, written[] = {Letter("2")};
  auto& letters = store_->dead_letters();
  ASSERT_TRUE(letters.Hold(lease, kOrders, "P1", RejectedAt::kExtract, read, kNow).ok());
  ASSERT_TRUE(letters.Hold(lease, kOrders, "P2", RejectedAt::kExtract, read, kNow).ok());
  const Strings waiting = {"P1"};
  ASSERT_TRUE(letters.Forget(lease, kOrders, waiting).ok());
  ASSERT_TRUE(letters.Hold(lease, kOrders, "P1", RejectedAt::kLoad, written, kNow).ok());
  for (const char* load : {"P1", "P2"}) {
    ASSERT_TRUE(
        store_->cursors().Save(lease, kOrders, Committed(load, "01A"), kNow).ok());
  }
  EXPECT_EQ(IdsOf(*store_), (Strings{"P1-x1", "P1-1"}));
}

TEST_P(StateStoreSuite, AnotherAttemptsLettersAreRefused) {
  Create("01A");
  const NewDeadLetter rows[] = {Letter("1")};
  EXPECT_EQ(ClassOf(store_->dead_letters().Hold({"01A", 7}, kOrders, "L1",
                                                RejectedAt::kLoad, rows, kNow)),
            ErrorClass::kFenced);
}

TEST_P(StateStoreSuite, AReplayIsMarkedWithItsCommit) {
  const Lease lease = Claimed("01A");
  const NewDeadLetter rows[] = {Letter("1"), Letter("2"), Letter("3")};
  auto& letters = store_->dead_letters();
  ASSERT_TRUE(letters.Hold(lease, kOrders, "L1", RejectedAt::kLoad, rows, kNow).ok());
  ASSERT_TRUE(store_->cursors().Save(lease, kOrders, Committed("L1", "01A"), kNow).ok());
  const Strings all = {"L1-1", "L1-2", "L1-3"}, two = {"L1-1", "L1-2"};
  ASSERT_TRUE(letters.HoldReplay(lease, "R1", all).ok());
  ASSERT_TRUE(letters.HoldReplay(lease, "R1", two).ok());
  ASSERT_TRUE(
      letters.Refuse(lease, "L1-3", Letter("3", "value.out_of_range"), kNow).ok());
  EXPECT_EQ(letters.Get("L1-1")->value().state, "STORED");
  EXPECT_EQ(letters.Get("L1-1")->value().replayed_by, "");
  const ChainKey lane{"shop/orders", "orders", "replay"};
  ASSERT_TRUE(store_->cursors().Save(lease, lane, Committed("R1", "01A"), kNow).ok());
  DeadLetterQuery replayed;
  replayed.state = "REPLAYED";
  EXPECT_EQ(IdsOf(*store_, replayed), two);
  EXPECT_EQ(letters.Get("L1-1")->value().replayed_by, "R1");
  EXPECT_EQ(letters.Get("L1-1")->value().replayed_at, kNow);
  const auto refused = letters.Get("L1-3").ValueOrDie().value();
  EXPECT_EQ(refused.state, "STORED");
  EXPECT_EQ(refused.attempts, 2);
  EXPECT_EQ(refused.code, "value.out_of_range");
}

TEST_P(StateStoreSuite, LettersOfRowsThatWereReadAnewGo) {
  const Lease lease = Claimed("01A");
  auto& letters = store_->dead_letters();
  const auto load = [&](const std::string& id, const std::string& mode,
                        const std::vector<std::string>& keys) {
    std::vector<NewDeadLetter> rows;
    for (const auto& key : keys) rows.push_back(Letter(key));
    ASSERT_TRUE(letters.Hold(lease, kOrders, id, RejectedAt::kLoad, rows, kNow).ok());
    ASSERT_TRUE(
        store_->cursors().Save(lease, kOrders, Committed(id, "01A", mode), kNow).ok());
  };
  load("L1", "append", {"1", "2"});
  load("L2", "append", {"2"});
  EXPECT_EQ(IdsOf(*store_), (Strings{"L1-1", "L1-2", "L2-1"}));
  load("L3", "upsert", {"2"});
  EXPECT_EQ(IdsOf(*store_), (Strings{"L1-1", "L3-1"}));
  load("L4", "replace", {});
  EXPECT_TRUE(IdsOf(*store_).empty());
}

TEST_P(StateStoreSuite, LettersAreFoundAndDropped) {
  const Lease lease = Claimed("01A");
  auto& letters = store_->dead_letters();
  const NewDeadLetter rows[] = {Letter("1"), Letter("2", "value.out_of_range")};
  const ChainKey items{"shop/orders", "items"};
  for (const auto& [key, load] : {std::pair{kOrders, "L1"}, std::pair{items, "L2"}}) {
    ASSERT_TRUE(letters.Hold(lease, key, load, RejectedAt::kLoad, rows, kNow).ok());
    ASSERT_TRUE(store_->cursors().Save(lease, key, Committed(load, "01A"), kNow).ok());
  }
  DeadLetterQuery query;
  query.code = "value.out_of_range";
  EXPECT_EQ(IdsOf(*store_, query), (Strings{"L1-2", "L2-2"}));
  query.stream = "items";
  EXPECT_EQ(IdsOf(*store_, query), Strings{"L2-2"});
  DeadLetterQuery page;
  page.limit = 2;
  EXPECT_EQ(IdsOf(*store_, page), (Strings{"L1-1", "L1-2"}));
  page.after = letters.List(page)->back().seq;
  EXPECT_EQ(IdsOf(*store_, page), (Strings{"L2-1", "L2-2"}));
  const auto audit = MakeAudit("DropDeadLetters");
  EXPECT_EQ(letters.Drop(query, &audit).ValueOrDie(), 1);
  EXPECT_EQ(letters.Drop(query, &audit).ValueOrDie(), 0);
  EXPECT_EQ(store_->audit().List(0, 10)->size(), 1u);
  EXPECT_EQ(IdsOf(*store_), (Strings{"L1-1", "L1-2", "L2-1"}));
  // What waits stays, however old; what was replayed goes.
  const Strings replayed = {"L1-1"};
  ASSERT_TRUE(letters.HoldReplay(lease, "R1", replayed).ok());
  ASSERT_TRUE(store_->cursors().Save(lease, kOrders, Committed("R1", "01A"), kNow).ok());
  ASSERT_TRUE(letters.Prune("2027").ok());
  EXPECT_EQ(IdsOf(*store_), (Strings{"L1-2", "L2-1"}));
}

TEST_P(StateStoreSuite, LettersHaveABound) {
  const Lease lease = Claimed("01A");
  NewDeadLetter large = Letter("1");
  large.row_json.assign(64 << 20, 'x');
  const std::vector<NewDeadLetter> rows(9, large);
  EXPECT_EQ(CodeOf(store_->dead_letters().Hold(lease, kOrders, "L1", RejectedAt::kLoad,
                                               rows, kNow)),
            "dlq.full");
}

}  // namespace
}  // namespace dxt
