// Reads of one table by several readers under one snapshot.
#include <algorithm>

#include "connectors/postgres/fixture_test.h"
#include "connectors/postgres/snapshot.h"

namespace dxt::postgres {
namespace {

class SplitTest : public PostgresTest {
 protected:
  /// `t`: ids from 1 to `rows` over many blocks.
  void MakeTable(int rows) {
    Sql("CREATE TABLE t AS SELECT i AS id, i AS v, repeat('x', 400) AS pad FROM "
        "generate_series(1, " +
        std::to_string(rows) + ") i");
  }
  ReadSpec SpecOfTable(const std::string& reference,
                       StreamKind kind = StreamKind::kTable) {
    if (!source_) source_ = OpenSource();
    StreamRef ref;
    ref.source = reference;
    ref.kind = kind;
    auto info = source_->Describe(ref, {});
    EXPECT_TRUE(info.ok()) << info.status().ToString();
    return SpecOf(ref, *info);
  }
  size_t Splits(const ReadSpec& spec, int most = 8) {
    auto plan = source_->PlanRead(spec, most, {});
    EXPECT_TRUE(plan.ok()) << plan.status().ToString();
    return plan.ok() ? plan->splits.size() : 0;
  }
  static void Collect(Reader& reader, const std::string& column,
                      std::vector<int64_t>* values) {
    while (true) {
      auto step = reader.Next({});
      ASSERT_TRUE(step.ok()) << step.status().ToString();
      if (step->batch) {
        const auto cells = step->batch->GetColumnByName(column);
        for (int64_t row = 0; row < cells->length(); ++row) {
          values->push_back(std::stoll(cells->GetScalar(row).ValueOrDie()->ToString()));
        }
      }
      if (step->end) return;
    }
  }
  static std::vector<int64_t> UpTo(int64_t last) {
    std::vector<int64_t> numbers;
    for (int64_t i = 1; i <= last; ++i) numbers.push_back(i);
    return numbers;
  }
};

TEST_F(SplitTest, EveryRowComesOnceAsTheSnapshotHasItWhateverOthersCommitMeanwhile) {
  MakeTable(2000);
  const ReadSpec spec = SpecOfTable("t");
  auto plan = source_->PlanRead(spec, 8, {});
  ASSERT_OK(plan);
  ASSERT_EQ(plan->splits.size(), 8u);
  std::vector<int64_t> ids;
  const auto open = [&](const Split& split) {
    return source_->OpenReader(spec, split, std::nullopt, {}).ValueOrDie();
  };
  auto first = open(plan->splits[0]);
  auto second = open(plan->splits[1]);
  // Moves each row to another block, removes some, and adds others behind the last block.
  Sql("UPDATE t SET v = -v");
  Sql("DELETE FROM t WHERE id % 3 = 0; INSERT INTO t SELECT i, i, 'new' FROM "
      "generate_series(5001, 9000) i");
  Collect(*first, "v", &ids);
  Collect(*second, "v", &ids);
  for (size_t i = 2; i < plan->splits.size(); ++i) {
    auto reader = open(plan->splits[i]);
    Collect(*reader, "v", &ids);
  }
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(ids, UpTo(2000));
}

TEST_F(SplitTest, NoSplitIsEmptyOfBlocksAndTheLastOneHasNoEnd) {
  const auto ranges = CutBlocks(10, 4);
  ASSERT_EQ(ranges.size(), 4u);
  EXPECT_EQ(ranges[0].first, 0);
  for (size_t i = 1; i < ranges.size(); ++i) {
    EXPECT_EQ(ranges[i].first, ranges[i - 1].end);
    EXPECT_GT(ranges[i - 1].end, ranges[i - 1].first);
  }
  EXPECT_EQ(ranges.back().end, 0);
  EXPECT_EQ(CutBlocks(3, 8).size(), 3u);
  EXPECT_EQ(CutBlocks(0, 8).size(), 1u);
}

TEST_F(SplitTest, OnlyTablesOfTheirOwnAreCut) {
  MakeTable(500);
  Sql("CREATE VIEW seen AS SELECT * FROM t; CREATE MATERIALIZED VIEW kept AS SELECT * "
      "FROM t; CREATE TABLE parent (LIKE t); CREATE TABLE child () INHERITS (parent); "
      "INSERT INTO parent SELECT * FROM t; INSERT INTO child SELECT * FROM t; CREATE "
      "TABLE parted (LIKE t) PARTITION BY RANGE (id); CREATE TABLE part PARTITION OF "
      "parted FOR VALUES FROM (0) TO (1000); INSERT INTO parted SELECT * FROM t; CREATE "
      "TABLE small AS SELECT 1 AS id");
  EXPECT_EQ(Splits(SpecOfTable("t")), 8u);
  EXPECT_EQ(Splits(SpecOfTable("t"), 1), 1u);
  EXPECT_EQ(Splits(SpecOfTable("part")), 8u);
  EXPECT_EQ(Splits(SpecOfTable("child")), 8u);
  for (const char* whole : {"seen", "kept", "parent", "parted", "small"}) {
    EXPECT_EQ(Splits(SpecOfTable(whole)), 1u) << whole;
  }
  EXPECT_EQ(Splits(SpecOfTable("SELECT * FROM t", StreamKind::kQuery)), 1u);
}

TEST_F(SplitTest, ALockedTableIsGivenUpLikeByAnyRead) {
  MakeTable(500);
  const ReadSpec spec = SpecOfTable("t");
  auto locker = Connect();
  ASSERT_OK(locker->Run("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE", "Testing", {}));
  const auto plan = source_->PlanRead(spec, 4, {}).status();
  EXPECT_EQ(CodeOf(plan), "pg.lock_timeout") << plan.ToString();
  // As a target too, before anything is planned.
  auto target = OpenDestination();
  EXPECT_EQ(CodeOf(target->Describe("t", {}).status()), "pg.lock_timeout");
}

TEST_F(SplitTest, WhatAsksForOrderOrAPartIsReadByOne) {
  MakeTable(500);
  ReadSpec spec = SpecOfTable("t");
  spec.limit = 10;
  EXPECT_EQ(Splits(spec), 1u);
  spec.limit.reset();
  spec.cursor.emplace();
  spec.cursor->name = spec.cursor->column = "id";
  spec.cursor->type = FieldType{DType::kInt32};
  EXPECT_EQ(Splits(spec), 8u);
  spec.order_by_cursor = true;
  EXPECT_EQ(Splits(spec), 1u);
  spec.order_by_cursor = false;
  // 500 rows of 400 bytes are worth two splits of 100 kB.
  spec.split_bytes = 100000;
  EXPECT_EQ(Splits(spec), 2u);
}

TEST_F(SplitTest, AllSplitsLeaveOutWhatAnOpenTransactionMayPutRowsBelow) {
  MakeTable(500);
  Sql("ALTER TABLE t ADD at timestamptz DEFAULT '2024-01-01'");
  auto open = Connect();
  ASSERT_OK(open->Run("BEGIN; INSERT INTO t VALUES (9000, 9000, 'late', now())",
                      "Testing", {}));
  Sql("INSERT INTO t SELECT i, i, repeat('y', 400), now() FROM generate_series(1001, "
      "1500) i");
  ReadSpec spec = SpecOfTable("t");
  spec.hold_back = true;
  spec.cursor.emplace();
  spec.cursor->name = spec.cursor->column = "at";
  spec.cursor->type = FieldType{DType::kTimestampTz};
  auto plan = source_->PlanRead(spec, 4, {});
  ASSERT_OK(plan);
  ASSERT_EQ(plan->splits.size(), 4u);
  // What ends after the plan still counts as open.
  ASSERT_OK(open->Commit("Testing", {}));
  std::vector<int64_t> ids;
  for (const auto& split : plan->splits) {
    auto reader = source_->OpenReader(spec, split, std::nullopt, {});
    ASSERT_OK(reader);
    EXPECT_TRUE((*reader)->held_back().has_value());
    Collect(**reader, "id", &ids);
  }
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(ids, UpTo(500));
}

TEST_F(SplitTest, ASplitIsOfTheSnapshotOfItsPlanAlone) {
  MakeTable(500);
  const ReadSpec spec = SpecOfTable("t");
  Split split;
  {
    auto plan = source_->PlanRead(spec, 4, {});
    ASSERT_OK(plan);
    split = plan->splits[1];
  }
  EXPECT_EQ(CodeOf(source_->OpenReader(spec, split, std::nullopt, {}).status()),
            "pg.split");
  EXPECT_EQ(
      Sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
          "AND state LIKE 'idle in transaction%'"),
      "0");
}

}  // namespace
}  // namespace dxt::postgres
