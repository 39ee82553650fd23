#include "state/sqlite/sqlite_state_store.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "base/error.h"

namespace dxt {
namespace {

constexpr char kNow[] = "2026-11-21T09:00:00.000Z";

class SqliteStateStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name =
        (std::filesystem::temp_directory_path() / "dxt-state-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    Open();
  }
  void TearDown() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }
  void Open() {
    store_.reset();
    auto made = SqliteStateStore::Make(folder_);
    ASSERT_TRUE(made.ok()) << made.status();
    store_ = std::move(*made);
  }
  void ExecuteRaw(const char* sql) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open((folder_ / "state.db").c_str(), &db), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(db, sql, nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(db);
  }
  NewRun MakeRun(const std::string& id, const std::string& request = "") {
    NewRun run;
    run.id = id;
    run.project = "shop";
    run.pipeline = "orders";
    run.request_id = request;
    run.document_hash = "hash";
    run.pipeline_document = {"/p/orders.yaml", "password: ${PASSWORD}"};
    run.options = "{}";
    run.created_at = kNow;
    return run;
  }
  Lease Claimed(const std::string& id) {
    EXPECT_TRUE(store_->runs().Create(MakeRun(id)).ok());
    auto lease = store_->runs().Claim(id, kNow);
    EXPECT_TRUE(lease.ok()) << lease.status();
    return *lease;
  }
  static ErrorClass ClassOf(const arrow::Status& status) {
    return GetErrorInfo(status).error_class;
  }

  std::filesystem::path folder_;
  std::unique_ptr<SqliteStateStore> store_;
  const ChainKey key_{"shop/orders", "customers", "sync"};
};

TEST_F(SqliteStateStoreTest, ARequestIdMakesOneRun) {
  auto first = store_->runs().Create(MakeRun("01A", "request"));
  auto second = store_->runs().Create(MakeRun("01B", "request"));
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_FALSE(first->existed);
  EXPECT_TRUE(second->existed);
  EXPECT_EQ(second->run.id, "01A");
  EXPECT_EQ(store_->runs().List({})->size(), 1u);
}

TEST_F(SqliteStateStoreTest, ARunLivesFromQueuedToItsResult) {
  const Lease lease = Claimed("01A");
  EXPECT_EQ((*store_->runs().Get("01A"))->state, "RUNNING");
  ASSERT_TRUE(store_->runs().SetState(lease, "CANCELLING").ok());
  ASSERT_TRUE(store_->runs().Finish(lease, {"PARTIAL", 3, "{\"a\":1}", kNow}).ok());
  Open();
  const auto run = **store_->runs().Get("01A");
  EXPECT_EQ(run.state, "PARTIAL");
  EXPECT_EQ(run.exit_code, 3);
  EXPECT_EQ(run.result_json, "{\"a\":1}");
  EXPECT_FALSE(run.interrupted);
  EXPECT_EQ(ClassOf(store_->runs().Claim("01A", kNow).status()), ErrorClass::kFenced);
}

TEST_F(SqliteStateStoreTest, AnUnfinishedRunIsInterruptedAndCanBeClaimedAgain) {
  const Lease old = Claimed("01A");
  Open();
  auto found = store_->runs().FindInterrupted("shop", "orders");
  ASSERT_TRUE(found.ok() && found->has_value());
  EXPECT_EQ((*found)->id, "01A");
  EXPECT_FALSE(store_->runs().FindInterrupted("shop", "other")->has_value());
  auto lease = store_->runs().Claim("01A", kNow);
  ASSERT_TRUE(lease.ok());
  EXPECT_EQ(lease->attempt, 2);
  EXPECT_TRUE((*store_->runs().Get("01A"))->resumed);
  EXPECT_EQ(ClassOf(store_->runs().Finish(old, {"FAILED", 1, "", kNow})),
            ErrorClass::kFenced);
  EXPECT_EQ(ClassOf(store_->cursors().Save(old, key_, {}, kNow)), ErrorClass::kFenced);
  EXPECT_EQ(ClassOf(store_->packages().Record(old, {key_, "L", "/p", kNow})),
            ErrorClass::kFenced);
  EXPECT_FALSE(store_->cursors().Load(key_)->has_value());
}

TEST_F(SqliteStateStoreTest, ACleanRunIsNotResumed) {
  Claimed("01A");
  EXPECT_FALSE((*store_->runs().Get("01A"))->resumed);
}

TEST_F(SqliteStateStoreTest, AbandonEndsOnlyWhatNoWorkerHolds) {
  const Lease lease = Claimed("01A");
  EXPECT_EQ(ClassOf(store_->runs().Abandon("01A", {"CANCELLED", 6, "", kNow})),
            ErrorClass::kFenced);
  Open();
  ASSERT_TRUE(store_->runs().Abandon("01A", {"CANCELLED", 6, "", kNow}).ok());
  EXPECT_EQ((*store_->runs().Get("01A"))->state, "CANCELLED");
  EXPECT_FALSE(store_->runs().FindInterrupted("shop", "orders")->has_value());
}

TEST_F(SqliteStateStoreTest, RunsAreListedNewestFirstByPage) {
  for (const char* id : {"01A", "01B", "01C"}) {
    ASSERT_TRUE(store_->runs().Create(MakeRun(id)).ok());
  }
  RunQuery query;
  query.limit = 2;
  auto page = store_->runs().List(query);
  ASSERT_EQ(page->size(), 2u);
  EXPECT_EQ((*page)[0].id, "01C");
  query.before_id = (*page)[1].id;
  page = store_->runs().List(query);
  ASSERT_EQ(page->size(), 1u);
  EXPECT_EQ((*page)[0].id, "01A");
}

TEST_F(SqliteStateStoreTest, PruneKeepsTheNewestRunsOfEachPipeline) {
  for (int i = 0; i < 3; ++i) {
    const Lease lease = Claimed("00000" + std::to_string(i));
    ASSERT_TRUE(store_->runs().Finish(lease, {"SUCCEEDED", 0, "", kNow}).ok());
  }
  store_.reset();
  ExecuteRaw(
      "INSERT INTO runs (id, project, pipeline, document_hash, options, state, dry_run, "
      "created_at) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE "
      "i < 999)"
      " SELECT printf('1%05d', i), 'shop', 'orders', 'hash', '{}', 'FAILED', 0, '' FROM "
      "n");
  Open();
  EXPECT_EQ(store_->runs().Prune("9999", 1000, kNow).ValueOr(-1), 2);
  RunQuery all;
  all.limit = 2000;
  const auto runs = store_->runs().List(all);
  EXPECT_EQ(runs->size(), 1000u);
  EXPECT_EQ(runs->back().id, "000002");
}

TEST_F(SqliteStateStoreTest, SavingACursorSettlesItsIntentAndUsesTheDirectiveUp) {
  const Lease lease = Claimed("01A");
  Checkpoint window;
  window.window_seq = 5;
  window.load_id = "LOAD";
  window.run = "01A";
  window.cursor_before = "2026-01-01";
  window.cursor_after = "2026-01-02";
  window.rows = 7;
  window.fingerprint = "print";
  ASSERT_TRUE(store_->intents().Record(lease, key_, window).ok());
  ASSERT_TRUE(
      store_->cursors().SetDirective(key_, {Directive::Kind::kSet, "x", kNow}).ok());
  Open();
  ASSERT_TRUE(store_->intents().Pending(key_)->has_value());
  EXPECT_EQ(store_->cursors().GetDirective(key_)->value().value, "x");
  auto again = store_->runs().Claim("01A", kNow);
  ASSERT_TRUE(store_->cursors().Save(*again, key_, window, kNow).ok());
  EXPECT_FALSE(store_->intents().Pending(key_)->has_value());
  EXPECT_FALSE(store_->cursors().GetDirective(key_)->has_value());
  const auto stored = store_->cursors().Load(key_)->value();
  EXPECT_EQ(stored.window_seq, 5);
  EXPECT_EQ(stored.cursor_after, "2026-01-02");
  EXPECT_EQ(stored.rows, 7);
  EXPECT_EQ(stored.fingerprint, "print");
}

TEST_F(SqliteStateStoreTest, AnIntentIsClearedByItsOwnLoadOnly) {
  const Lease lease = Claimed("01A");
  Checkpoint window;
  window.load_id = "LOAD";
  ASSERT_TRUE(store_->intents().Record(lease, key_, window).ok());
  ASSERT_TRUE(store_->intents().Clear(lease, key_, "OTHER").ok());
  EXPECT_TRUE(store_->intents().Pending(key_)->has_value());
  ASSERT_TRUE(store_->intents().Clear(lease, key_, "LOAD").ok());
  EXPECT_FALSE(store_->intents().Pending(key_)->has_value());
}

TEST_F(SqliteStateStoreTest, ChainsAreListedWithCheckpointAndDirective) {
  const Lease lease = Claimed("01A");
  Checkpoint window;
  window.cursor_after = "9";
  ASSERT_TRUE(store_->cursors().Save(lease, key_, window, kNow).ok());
  const ChainKey other{"shop/orders", "items", "sync"};
  ASSERT_TRUE(
      store_->cursors().SetDirective(other, {Directive::Kind::kReset, "", kNow}).ok());
  const auto chains = *store_->cursors().List("shop/orders");
  ASSERT_EQ(chains.size(), 2u);
  EXPECT_EQ(chains[0].checkpoint->cursor_after, "9");
  EXPECT_FALSE(chains[0].directive.has_value());
  EXPECT_FALSE(chains[1].checkpoint.has_value());
  EXPECT_EQ(chains[1].directive->kind, Directive::Kind::kReset);
  EXPECT_TRUE(store_->cursors().List("shop/none")->empty());
}

TEST_F(SqliteStateStoreTest, PackagesAreListedInLoadOrder) {
  const Lease lease = Claimed("01A");
  ASSERT_TRUE(store_->packages().Record(lease, {key_, "L2", "/p/L2", kNow}).ok());
  ASSERT_TRUE(store_->packages().Record(lease, {key_, "L1", "/p/L1", kNow}).ok());
  const auto packages = *store_->packages().List("");
  ASSERT_EQ(packages.size(), 2u);
  EXPECT_EQ(packages[0].load_id, "L1");
  ASSERT_TRUE(store_->packages().Remove("L1").ok());
  ASSERT_TRUE(store_->packages().Remove("L1").ok());
  EXPECT_FALSE(store_->packages().Get("L1")->has_value());
  EXPECT_EQ(store_->packages().Get("L2")->value().path, "/p/L2");
}

TEST_F(SqliteStateStoreTest, TheFolderHasOneOwnerAtATime) {
  const int fd = open((folder_ / "dxtd.lock").c_str(), O_RDWR | O_CLOEXEC);
  EXPECT_NE(flock(fd, LOCK_EX | LOCK_NB), 0);
  std::unique_ptr<SqliteStateStore> next;
  std::thread waiter([&] { next = SqliteStateStore::Make(folder_).ValueOr(nullptr); });
  store_.reset();
  waiter.join();
  EXPECT_NE(next, nullptr);
  EXPECT_NE(flock(fd, LOCK_EX | LOCK_NB), 0);
  next.reset();
  EXPECT_EQ(flock(fd, LOCK_EX | LOCK_NB), 0);
  close(fd);
}

TEST_F(SqliteStateStoreTest, ADatabaseOfANewerVersionIsRefused) {
  store_.reset();
  ExecuteRaw("PRAGMA user_version = 999");
  const auto status = SqliteStateStore::Make(folder_).status();
  EXPECT_EQ(GetErrorInfo(status).code, "state.newer");
}

TEST_F(SqliteStateStoreTest, ADamagedDatabaseIsNamed) {
  store_.reset();
  std::ofstream(folder_ / "state.db") << std::string(8192, 'x');
  std::filesystem::remove(folder_ / "state.db-wal");
  const auto status = SqliteStateStore::Make(folder_).status();
  EXPECT_EQ(GetErrorInfo(status).code, "state.corrupt");
  EXPECT_NE(status.message().find((folder_ / "state.db").string()), std::string::npos);
}

}  // namespace
}  // namespace dxt
