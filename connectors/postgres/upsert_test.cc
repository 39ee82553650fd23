#include "connectors/postgres/fixture_test.h"

namespace dxt::postgres {
namespace {

class UpsertTest : public PostgresTest {
 protected:
  void SetUp() override {
    PostgresTest::SetUp();
    Sql("CREATE TABLE src (id int, part text, v text, at timestamp)");
  }

  arrow::Result<CommitResult> Upsert(std::vector<std::string> keys,
                                     const std::string& dedup = "",
                                     bool duplicates_fail = false,
                                     bool nulls_match = false) {
    auto source = OpenSource();
    auto target = OpenDestination();
    StreamRef ref;
    ref.source = "src";
    ARROW_ASSIGN_OR_RAISE(auto info, source->Describe(ref, {}));
    ARROW_ASSIGN_OR_RAISE(auto rows, ReadAll(*source, SpecOf(ref, info)));
    TableSpec table = Wanted("dst", info.columns, LoadMode::kUpsert, keys);
    for (auto& column : table.columns) {
      if (!nulls_match &&
          std::find(keys.begin(), keys.end(), column.name) != keys.end()) {
        column.nullable = false;
      }
    }
    ARROW_ASSIGN_OR_RAISE(auto load, Prepare(*target, table));
    load.spec.dedup_column = dedup;
    load.spec.keep_newer = keep_newer_;
    load.spec.duplicate_keys_fail = duplicates_fail;
    load.spec.null_keys_match = nulls_match;
    strategy_ = load.spec.plan.strategy;
    ARROW_ASSIGN_OR_RAISE(auto receipt, Write(*target, load.spec, *rows));
    load.record.rows = receipt.rows;
    const WriteReceipt receipts[] = {receipt};
    return target->Commit(load.spec, load.record, receipts, {}, {});
  }

  std::string Rows() {
    return Sql(
        "SELECT coalesce(string_agg(concat_ws(',', coalesce(id::text, 'N'), part, v), "
        "';' ORDER BY id, part, v), '') FROM dst");
  }

  std::string strategy_;
  bool keep_newer_ = false;
};

TEST_F(UpsertTest, NewTableGetsTheKeyAndTheLastOfEachKey) {
  Sql("INSERT INTO src VALUES (1, 'a', 'first', NULL), (2, 'b', 'x', NULL), (1, 'a', "
      "'last', "
      "NULL)");
  auto result = Upsert({"id"});
  ASSERT_OK(result);
  EXPECT_EQ(result->rows_written, 2);
  EXPECT_EQ(result->rows_deduplicated, 1);
  EXPECT_EQ(Rows(), "1,a,last;2,b,x");
  EXPECT_EQ(Sql("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = "
                "'dst'::regclass"),
            "PRIMARY KEY (id)");
}

TEST_F(UpsertTest, UniqueIndexUpdatesAndInsertsAndKeepsOtherColumns) {
  Sql("CREATE TABLE dst (id int, part text, v text, at timestamp, mine text DEFAULT 'd', "
      "UNIQUE (part, id)); INSERT INTO dst VALUES (1, 'a', 'old', NULL, 'kept'), (9, "
      "'z', 'n', "
      "NULL, 'k'); INSERT INTO src VALUES (1, 'a', 'new', NULL), (2, 'b', 'in', NULL)");
  auto result = Upsert({"id", "part"});
  ASSERT_OK(result);
  EXPECT_EQ(strategy_, "upsert by unique index");
  EXPECT_EQ(Rows(), "1,a,new;2,b,in;9,z,n");
  EXPECT_EQ(Sql("SELECT string_agg(mine, ',' ORDER BY id) FROM dst"), "kept,d,k");
}

TEST_F(UpsertTest, WithoutAUniqueIndexItUpdatesAndInserts) {
  Sql("CREATE TABLE dst (id int, part text, v text, at timestamp); CREATE UNIQUE INDEX "
      "ON dst "
      "(id) WHERE id > 5; INSERT INTO dst VALUES (1, 'a', 'old', NULL), (3, 'c', 'keep', "
      "NULL);"
      "INSERT INTO src VALUES (1, 'a', 'x', '2024-01-01'), (1, 'a', 'new', "
      "'2024-01-02'), (1, "
      "'a', 'y', NULL), (2, 'b', 'in', NULL)");
  auto result = Upsert({"id"}, "at");
  ASSERT_OK(result);
  EXPECT_EQ(strategy_, "upsert by update and insert");
  EXPECT_EQ(result->rows_deduplicated, 2);
  EXPECT_EQ(Rows(), "1,a,new;2,b,in;3,c,keep");
}

TEST_F(UpsertTest, TheLargestOfTheSortColumnWinsThenTheLastToArrive) {
  Sql("CREATE TABLE dst (id int PRIMARY KEY, part text, v text, at timestamp);"
      "INSERT INTO src VALUES (1, 'a', 'newest', '2024-02-01'), (1, 'a', 'older', "
      "'2024-01-01'),"
      "(1, 'a', 'none', NULL), (2, 'a', 'p', '2024-01-01'), (2, 'a', 'q', '2024-01-01')");
  ASSERT_OK(Upsert({"id"}, "at"));
  EXPECT_EQ(Rows(), "1,a,newest;2,a,q");
}

TEST_F(UpsertTest, LaterVersionsStayAndStringsAreOrderedBytewise) {
  keep_newer_ = true;
  const std::string rows =
      "INSERT INTO dst VALUES (1, 'a', 'kept', NULL), (2, 'B', 'old', NULL), "
      "(4, NULL, 'none', NULL)";
  Sql("CREATE TABLE dst (id int PRIMARY KEY, part text COLLATE \"en-x-icu\", v text, "
      "at timestamp);" +
      rows +
      "; INSERT INTO src VALUES (1, 'B', 'stale', NULL), (2, 'a', 'new', NULL), "
      "(3, 'a', 'latest', NULL), (3, 'B', 'early', NULL), (4, 'B', 'first', NULL)");
  ASSERT_OK(Upsert({"id"}, "part"));
  EXPECT_EQ(Rows(), "1,a,kept;2,a,new;3,a,latest;4,B,first");
  Sql("ALTER TABLE dst DROP CONSTRAINT dst_pkey; DELETE FROM dst; " + rows);
  ASSERT_OK(Upsert({"id"}, "part"));
  EXPECT_EQ(strategy_, "upsert by update and insert");
  EXPECT_EQ(Rows(), "1,a,kept;2,a,new;3,a,latest;4,B,first");
}

TEST_F(UpsertTest, OnlyKeyColumnsStillCount) {
  Sql("ALTER TABLE src DROP part, DROP v, DROP at; CREATE TABLE dst (id int PRIMARY KEY);"
      "INSERT INTO dst VALUES (1); INSERT INTO src VALUES (1), (2), (2)");
  auto result = Upsert({"id"});
  ASSERT_OK(result);
  EXPECT_EQ(result->rows_written, 2);
  EXPECT_EQ(Sql("SELECT string_agg(id::text, ',') FROM dst"), "1,2");
}

TEST_F(UpsertTest, NullKeysAreRefusedNamingRows) {
  Sql("CREATE TABLE dst (id int, part text, v text, at timestamp);"
      "INSERT INTO src VALUES (1, 'a', 'x', NULL), (NULL, 'b', 'y', NULL)");
  const auto result = Upsert({"id"});
  EXPECT_EQ(CodeOf(result.status()), "load.null_key");
  EXPECT_NE(result.status().message().find("row 2 (id)"), std::string::npos)
      << result.status().message();
  EXPECT_EQ(Rows(), "");
}

TEST_F(UpsertTest, NullKeysMatchWhereAsked) {
  Sql("CREATE TABLE dst (id int, part text, v text, at timestamp); INSERT INTO dst "
      "VALUES "
      "(NULL, 'a', 'old', NULL); INSERT INTO src VALUES (NULL, 'a', 'new', NULL), (NULL, "
      "'b', "
      "'in', NULL)");
  ASSERT_OK(Upsert({"id", "part"}, "", false, true));
  EXPECT_EQ(Rows(), "N,a,new;N,b,in");
}

TEST_F(UpsertTest, DuplicateKeysFailWhereAsked) {
  Sql("CREATE TABLE dst (id int PRIMARY KEY, part text, v text, at timestamp);"
      "INSERT INTO src VALUES (7, 'a', 'x', NULL), (7, 'b', 'y', NULL)");
  const auto result = Upsert({"id"}, "", true);
  EXPECT_EQ(CodeOf(result.status()), "load.duplicate_key");
  EXPECT_NE(result.status().message().find("(7) 2 times"), std::string::npos)
      << result.status().message();
  EXPECT_EQ(Rows(), "");
}

TEST_F(UpsertTest, KeysOfCastTypesAreComparedAsThatType) {
  Sql("DROP TABLE src; CREATE TABLE src (id inet, v int); CREATE TABLE dst (id inet "
      "PRIMARY KEY, "
      "v int); INSERT INTO dst VALUES ('10.0.0.1', 0); INSERT INTO src VALUES "
      "('10.0.0.1', 1), "
      "('10.0.0.2', 2), ('10.0.0.1', 3)");
  auto result = Upsert({"id"});
  ASSERT_OK(result);
  EXPECT_EQ(result->rows_written, 2);
  EXPECT_EQ(Sql("SELECT string_agg(id || '=' || v, ',' ORDER BY id) FROM dst"),
            "10.0.0.1/32=3,10.0.0.2/32=2");
}

TEST_F(UpsertTest, NoStagingTableIsLeft) {
  Sql("INSERT INTO src VALUES (1, 'a', 'x', NULL)");
  ASSERT_OK(Upsert({"id"}));
  EXPECT_EQ(Sql("SELECT count(*) FROM pg_class WHERE relname LIKE '\\_dxt\\_s%' OR "
                "relname LIKE "
                "'\\_dxt\\_last%'"),
            "0");
}

}  // namespace
}  // namespace dxt::postgres
