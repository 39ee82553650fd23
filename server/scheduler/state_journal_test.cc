#include "server/scheduler/state_journal.h"

#include <cstdlib>
#include <filesystem>

#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/error.h"
#include "state/sqlite/sqlite_state_store.h"

namespace dxt {
namespace {

class StateJournalTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name =
        (std::filesystem::temp_directory_path() / "dxt-jrnl-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    store_ = *SqliteStateStore::Make(folder_);
    NewRun run;
    run.id = "01A";
    run.document_hash = "hash";
    ASSERT_TRUE(store_->runs().Create(run).ok());
    lease_ = *store_->runs().Claim("01A", "now");
    identity_.pipeline = "shop/orders";
    identity_.stream = "orders";
    identity_.target = "main.orders";
    identity_.fingerprint = "print";
  }
  void TearDown() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::filesystem::path folder_;
  std::unique_ptr<SqliteStateStore> store_;
  Lease lease_;
  StreamIdentity identity_;
};

TEST_F(StateJournalTest, RemembersTheLastLoadOfAChain) {
  StateJournal journal(*store_, SystemClock(), lease_);
  EXPECT_FALSE(journal.LoadCheckpoint(identity_)->has_value());
  LoadRecord record;
  record.window_seq = 3;
  record.load_id = "L3";
  record.cursor_after = "2026-01-02";
  record.target_ident = "oid";
  ASSERT_TRUE(journal.RecordIntent(identity_, record).ok());
  EXPECT_EQ(journal.PendingIntent(identity_)->value().load_id, "L3");
  ASSERT_TRUE(journal.SaveCheckpoint(identity_, record).ok());
  EXPECT_FALSE(journal.PendingIntent(identity_)->has_value());
  const LoadRecord stored = journal.LoadCheckpoint(identity_)->value();
  EXPECT_EQ(stored.window_seq, 3);
  EXPECT_EQ(stored.cursor_after, "2026-01-02");
  EXPECT_EQ(stored.fingerprint, "print");
  EXPECT_EQ(stored.target, "main.orders");
  EXPECT_EQ(stored.target_ident, "oid");
}

TEST_F(StateJournalTest, ADirectiveHoldsUntilTheNextCheckpoint) {
  StateJournal journal(*store_, SystemClock(), lease_);
  const ChainKey key{"shop/orders", "orders", "sync"};
  ASSERT_TRUE(
      store_->cursors().SetDirective(key, {Directive::Kind::kSet, "41", ""}).ok());
  const auto directive = journal.Directive(identity_)->value();
  EXPECT_EQ(directive.kind, CursorDirective::Kind::kSet);
  EXPECT_EQ(directive.value, "41");
  ASSERT_TRUE(journal.SaveCheckpoint(identity_, {}).ok());
  EXPECT_FALSE(journal.Directive(identity_)->has_value());
}

TEST_F(StateJournalTest, ALostLeaseStopsEveryWrite) {
  StateJournal journal(*store_, SystemClock(), lease_);
  ASSERT_TRUE(store_->runs().Finish(lease_, {"FAILED", 1, "", ""}).ok());
  for (const auto& status :
       {journal.SaveCheckpoint(identity_, {}), journal.RecordIntent(identity_, {}),
        journal.ClearIntent(identity_, "L"),
        journal.RecordPackage(identity_, "L", "/p")}) {
    EXPECT_EQ(GetErrorInfo(status).error_class, ErrorClass::kFenced);
  }
}

}  // namespace
}  // namespace dxt
