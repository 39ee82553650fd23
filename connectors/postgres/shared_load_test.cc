// Loads that several writers fill.
#include "connectors/postgres/fixture_test.h"
#include "connectors/postgres/owner.h"

namespace dxt::postgres {
namespace {

class SharedLoadTest : public PostgresTest {
 protected:
  void SetUp() override {
    PostgresTest::SetUp();
    Sql("CREATE TABLE src AS SELECT i AS id, 'n' || i AS name FROM generate_series(1, "
        "900) i; ALTER TABLE src ADD PRIMARY KEY (id)");
    source_ = OpenSource();
    StreamRef ref;
    ref.source = "src";
    info_ = source_->Describe(ref, {}).ValueOrDie();
    rows_ = ReadAll(*source_, SpecOf(ref, info_)).ValueOrDie();
    target_ = OpenDestination();
  }

  TableSpec Table(LoadMode mode) { return Wanted("dst", info_.columns, mode, {"id"}); }
  TestLoad Begin(LoadMode mode, Destination& target) {
    auto table = Table(mode);
    if (mode == LoadMode::kAppend) table.keys.clear();
    auto load = Prepare(target, table);
    EXPECT_TRUE(load.ok()) << load.status().ToString();
    load->spec.writers = std::min(3, target.MostWriters(load->spec));
    return *load;
  }
  /// Each of three writers takes a third of the rows, a bit of each in turn.
  std::vector<std::unique_ptr<Writer>> OpenAndWrite(Destination& target,
                                                    const TestLoad& load) {
    std::vector<std::unique_ptr<Writer>> writers;
    for (int i = 0; i < 3; ++i) {
      auto writer = target.OpenWriter(load.spec, {});
      EXPECT_TRUE(writer.ok()) << writer.status().ToString();
      writers.push_back(std::move(*writer));
    }
    const auto batch = rows_->CombineChunksToBatch().ValueOrDie();
    for (int64_t at = 0; at < 900; at += 100) {
      EXPECT_TRUE(writers[at / 100 % 3]->Append(*batch->Slice(at, 100), {}).ok());
    }
    return writers;
  }
  std::vector<WriteReceipt> Finish(std::vector<std::unique_ptr<Writer>>& writers,
                                   TestLoad* load) {
    std::vector<WriteReceipt> receipts;
    load->record.rows = 0;
    for (auto& writer : writers) {
      auto receipt = writer->Finish({});
      EXPECT_TRUE(receipt.ok()) << receipt.status().ToString();
      receipts.push_back(*receipt);
      load->record.rows += receipt->rows;
    }
    return receipts;
  }
  std::string Tables() {
    return Sql(
        "SELECT coalesce(string_agg(relname, ' ' ORDER BY relname), '') FROM "
        "pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace "
        "AND relname NOT LIKE '\\_dxt\\_loads' AND relname NOT LIKE "
        "'\\_dxt\\_fence'");
  }

  StreamInfo info_;
  std::shared_ptr<arrow::Table> rows_;
};

TEST_F(SharedLoadTest, ANewTableAppearsWithTheRowsOfAllWritersAtOnce) {
  auto load = Begin(LoadMode::kReplace, *target_);
  ASSERT_EQ(load.spec.writers, 3);
  auto writers = OpenAndWrite(*target_, load);
  const auto receipts = Finish(writers, &load);
  EXPECT_EQ(Sql("SELECT to_regclass('dst') IS NULL"), "t");
  auto committed = target_->Commit(load.spec, load.record, receipts, {}, {});
  ASSERT_OK(committed);
  EXPECT_EQ(committed->rows_written, 900);
  EXPECT_EQ(Sql("SELECT count(*) || ' ' || count(DISTINCT id) FROM dst"), "900 900");
  EXPECT_EQ(Tables(), "dst src");
  EXPECT_EQ(Sql("SELECT conname FROM pg_constraint WHERE conrelid = 'dst'::regclass"),
            "dst_pkey");
  EXPECT_EQ(Sql("SELECT obj_description('dst'::regclass) IS NULL"), "t");
  EXPECT_EQ(Sql("SELECT rows FROM _dxt_loads"), "900");
}

TEST_F(SharedLoadTest, AReplacedTableKeepsWhatHangsOnIt) {
  Sql("CREATE TABLE dst (id int PRIMARY KEY, name text); INSERT INTO dst VALUES (7, "
      "'old'); CREATE INDEX by_name ON dst (name); COMMENT ON TABLE dst IS 'orders'; "
      "GRANT SELECT ON dst TO PUBLIC");
  auto load = Begin(LoadMode::kReplace, *target_);
  ASSERT_EQ(load.spec.writers, 3);
  auto writers = OpenAndWrite(*target_, load);
  const auto receipts = Finish(writers, &load);
  EXPECT_EQ(Sql("SELECT string_agg(name, ' ') FROM dst"), "old");
  ASSERT_OK(target_->Commit(load.spec, load.record, receipts, {}, {}));
  EXPECT_EQ(Sql("SELECT count(*) FROM dst"), "900");
  EXPECT_EQ(Sql("SELECT obj_description('dst'::regclass)"), "orders");
  EXPECT_EQ(Sql("SELECT to_regclass('by_name') IS NOT NULL AND "
                "has_table_privilege('public', 'dst', 'SELECT')"),
            "t");
  EXPECT_EQ(Tables(), "dst src");
}

TEST_F(SharedLoadTest, OnlyATableThatNobodySeesHasSeveralWriters) {
  ASSERT_EQ(Begin(LoadMode::kUpsert, *target_).spec.writers, 1);
  Sql("CREATE TABLE dst (id int PRIMARY KEY, name text)");
  EXPECT_EQ(Begin(LoadMode::kAppend, *target_).spec.writers, 1);
  EXPECT_EQ(Begin(LoadMode::kUpsert, *target_).spec.writers, 1);
}

TEST_F(SharedLoadTest, WhatIsNotCommittedLeavesNothing) {
  for (const bool finished : {false, true}) {
    auto load = Begin(LoadMode::kReplace, *target_);
    auto writers = OpenAndWrite(*target_, load);
    EXPECT_NE(Tables(), "src");
    if (finished) {
      const auto receipts = Finish(writers, &load);
      target_->Discard(receipts);
    }
    writers.clear();
    EXPECT_EQ(Tables(), "src");
  }
}

TEST_F(SharedLoadTest, ANewcomerFencesAllWriters) {
  auto load = Begin(LoadMode::kReplace, *target_);
  auto writers = OpenAndWrite(*target_, load);
  const auto receipts = Finish(writers, &load);
  auto other = OpenDestination();
  const StreamIdentity identities[] = {load.spec.identity};
  // The same owner's name, so that it need not wait for this one to fall silent.
  ASSERT_OK(other->Acquire(identities, {"run", "host/1"}, {}));
  const auto refused = target_->Commit(load.spec, load.record, receipts, {}, {});
  EXPECT_EQ(GetErrorInfo(refused.status()).error_class, ErrorClass::kFenced)
      << refused.status().ToString();
  EXPECT_EQ(Tables(), "src");
}

TEST_F(SharedLoadTest, TheNextOwnerRemovesWhatADeadOneLeft) {
  const auto left = [&](const std::string& name, const StreamIdentity& identity,
                        int64_t epoch) {
    Sql("CREATE TABLE " + name + " (id int); COMMENT ON TABLE " + name + " IS '" +
        SessionName(identity, epoch) + "'");
  };
  left("_dxt_s_dead_1", Identity("dst"), 1);
  left("_dxt_s_later_9", Identity("dst"), 9);
  left("_dxt_s_other_1", Identity("dst", "another"), 1);
  Sql("CREATE TABLE _dxt_s_mine (id int)");
  const StreamIdentity identities[] = {Identity("dst")};
  ASSERT_OK(target_->Acquire(identities, {"run", "host/1"}, {}));
  ASSERT_OK(target_->Sweep(identities[0], {}));
  EXPECT_EQ(Tables(), "_dxt_s_later_9 _dxt_s_mine _dxt_s_other_1 src");
}

}  // namespace
}  // namespace dxt::postgres
