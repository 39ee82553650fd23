#include <arrow/api.h>

#include "base/error.h"
#include "connectors/duckdb/test_support.h"

namespace dxt::duckdb {
namespace {

using arrow::field;
using Lines = std::vector<std::string>;

const arrow::FieldVector kOrder = {field("id", arrow::int64()),
                                   field("name", arrow::utf8()),
                                   field("total", arrow::decimal128(9, 2))};

class DestinationTest : public DuckdbTest {};

TEST_F(DestinationTest, AppendMakesFileSchemaTableAndLedger) {
  auto target = OpenTarget();
  const auto batch = Batch(kOrder, R"([{"id":1,"name":"a","total":"1.50"},{"id":2}])");
  const auto loaded =
      Load(*target, Table("raw.orders", LoadMode::kAppend, batch), batch, "L1");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->rows_written, 2);
  ASSERT_TRUE(
      Load(*target, Table("raw.orders", LoadMode::kAppend, batch), batch, "L2").ok());
  target.reset();
  EXPECT_EQ(Look("SELECT id, name, total::VARCHAR FROM raw.orders ORDER BY id"),
            (Lines{"1|a|1.50", "1|a|1.50", "2|~|~", "2|~|~"}));
  EXPECT_EQ(
      Look("SELECT window_seq, load_id, \"rows\", target FROM raw._dxt_loads ORDER BY 1"),
      (Lines{"1|L1|2|\"raw\".\"orders\"", "2|L2|2|\"raw\".\"orders\""}));
}

TEST_F(DestinationTest, PlanningAgainstAMissingFileMakesNone) {
  auto target = OpenTarget();
  EXPECT_TRUE(target->Check({}).ok());
  EXPECT_FALSE(target->Describe("orders", {}).ValueOrDie().exists);
  EXPECT_FALSE(target->Peek(Identity("orders"), {}).ValueOrDie().has_value());
  EXPECT_EQ(target->CountRows("orders", {}).ValueOrDie(), 0);
  target.reset();
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(DestinationTest, NewTableWithKeysHasThePrimaryKey) {
  auto target = OpenTarget();
  const auto batch = Batch(kOrder, R"([{"id":1,"name":"a"},{"id":2}])");
  ASSERT_TRUE(
      Load(*target, Table("orders", LoadMode::kReplace, batch, {"id"}), batch, "L1")
          .ok());
  const auto described = target->Describe("orders", {}).ValueOrDie();
  ASSERT_EQ(described.unique_keys.size(), 1u);
  EXPECT_EQ(described.unique_keys[0], Lines{"id"});
  EXPECT_FALSE(described.Find("id")->nullable);
}

TEST_F(DestinationTest, EqualKeysInANewTableAreRefusedByName) {
  auto target = OpenTarget();
  const auto batch = Batch(kOrder, R"([{"id":7,"name":"a"},{"id":7}])");
  const auto loaded =
      Load(*target, Table("orders", LoadMode::kAppend, batch, {"id"}), batch, "L1");
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(GetErrorInfo(loaded.status()).code, "load.duplicate_key");
  EXPECT_EQ(GetErrorInfo(loaded.status()).key, "{\"id\":7}");
  target.reset();
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(DestinationTest, UpsertKeepsTheLastOfEqualKeysAndOtherColumns) {
  Sql(
      {"CREATE TABLE orders (id BIGINT PRIMARY KEY, name VARCHAR, total DECIMAL(9,2), "
       "note VARCHAR DEFAULT 'new')",
       "INSERT INTO orders VALUES (1, 'old', 1, 'kept'), (2, 'two', 2, 'two')"});
  auto target = OpenTarget();
  const auto batch = Batch(kOrder, R"([{"id":1,"name":"first","total":"9.00"},
      {"id":3,"name":"three","total":"3.00"},{"id":1,"name":"second","total":"8.00"}])");
  auto loaded =
      Load(*target, Table("orders", LoadMode::kUpsert, batch, {"id"}), batch, "L1");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->rows_written, 2);
  EXPECT_EQ(loaded->rows_deduplicated, 1);
  const auto by_total = Batch(kOrder, R"([{"id":2,"name":"large","total":"9.00"},
      {"id":2,"name":"small","total":"1.00"},{"id":2,"name":"none"}])");
  WriteSpec spec =
      Prepare(*target, Table("orders", LoadMode::kUpsert, by_total, {"id"}), "L2");
  spec.dedup_column = "total";
  auto writer = target->OpenWriter(spec, {}).ValueOrDie();
  ASSERT_TRUE(writer->Append(*by_total, {}).ok());
  const auto receipt = writer->Finish({}).ValueOrDie();
  const auto second = target->Commit(spec, Record(spec), std::span(&receipt, 1), {}, {});
  ASSERT_TRUE(second.ok()) << second.status();
  writer.reset();
  target.reset();
  EXPECT_EQ(Look("SELECT id, name, total::VARCHAR, note FROM orders ORDER BY id"),
            (Lines{"1|second|8.00|kept", "2|large|9.00|two", "3|three|3.00|new"}));
}

TEST_F(DestinationTest, UpsertIntoANewTableDeduplicates) {
  auto target = OpenTarget();
  const auto batch = Batch(kOrder, R"([{"id":1,"name":"a"},{"id":1,"name":"b"}])");
  ASSERT_TRUE(
      Load(*target, Table("orders", LoadMode::kUpsert, batch, {"id"}), batch, "L1").ok());
  target.reset();
  EXPECT_EQ(Look("SELECT id, name FROM orders"), Lines{"1|b"});
}

TEST_F(DestinationTest, NullKeysAreRefusedWithTheirRows) {
  Sql({"CREATE TABLE orders (id BIGINT, name VARCHAR, total DECIMAL(9,2))"});
  auto target = OpenTarget();
  const auto batch = Batch(kOrder, R"([{"id":1},{"name":"x"},{"name":"y"}])");
  const auto loaded =
      Load(*target, Table("orders", LoadMode::kUpsert, batch, {"id"}), batch, "L1");
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(GetErrorInfo(loaded.status()).code, "load.null_key");
  EXPECT_NE(loaded.status().message().find("row 2, 3"), std::string::npos);
}

TEST_F(DestinationTest, ReplaceIsAtomicAndCarriesIndexesCommentsAndViews) {
  Sql(
      {"CREATE TABLE orders (id BIGINT PRIMARY KEY, name VARCHAR DEFAULT 'd', total "
       "DECIMAL(9,2))",
       "INSERT INTO orders VALUES (1, 'old', 1)", "CREATE INDEX by_name ON orders (name)",
       "COMMENT ON TABLE orders IS 'it''s'", "COMMENT ON COLUMN orders.name IS 'who'",
       "CREATE VIEW names AS SELECT name FROM orders"});
  auto target = OpenTarget();
  auto reader = OpenSource();
  const auto count = [&] {
    ReadSpec spec;
    spec.ref.source = "names";
    return **reader->CountRows(spec, {});
  };
  const auto batch = Batch(kOrder, R"([{"id":2,"name":"a"},{"id":3,"name":"b"}])");
  const WriteSpec spec =
      Prepare(*target, Table("orders", LoadMode::kReplace, batch, {"id"}), "L1");
  EXPECT_EQ(spec.plan.strategy, "swap");
  auto writer = target->OpenWriter(spec, {}).ValueOrDie();
  ASSERT_TRUE(writer->Append(*batch, {}).ok());
  EXPECT_EQ(count(), 1);
  const auto receipt = writer->Finish({}).ValueOrDie();
  EXPECT_EQ(count(), 1);
  const auto done = target->Commit(spec, Record(spec), std::span(&receipt, 1), {}, {});
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(done->rows_deleted, 1);
  EXPECT_EQ(count(), 2);
  reader.reset();
  writer.reset();
  target.reset();
  EXPECT_EQ(Look("SELECT sql FROM duckdb_indexes()"),
            Lines{"CREATE INDEX by_name ON orders(\"name\");"});
  EXPECT_EQ(Look("SELECT comment FROM duckdb_tables() WHERE table_name = 'orders'"),
            Lines{"it's"});
  EXPECT_EQ(
      Look("SELECT column_name, column_default, comment FROM duckdb_columns() WHERE "
           "table_name = 'orders' AND column_name = 'name'"),
      Lines{"name|'d'|who"});
  EXPECT_EQ(Look("SELECT constraint_type FROM duckdb_constraints() WHERE table_name = "
                 "'orders' ORDER BY 1"),
            (Lines{"NOT NULL", "PRIMARY KEY"}));
}

TEST_F(DestinationTest, ReplaceKeepsADefinitionThatIsMoreThanColumns) {
  Sql(
      {"CREATE TABLE orders (id BIGINT UNIQUE CHECK (id > 0), name VARCHAR, total "
       "DECIMAL(9,2), twice BIGINT GENERATED ALWAYS AS (id * 2))",
       "INSERT INTO orders VALUES (1, 'old', 1)"});
  auto target = OpenTarget();
  const auto bad = Batch(kOrder, R"([{"id":-2,"name":"a"}])");
  const auto refused = Load(*target, Table("orders", LoadMode::kReplace, bad), bad, "L1");
  EXPECT_EQ(GetErrorInfo(refused.status()).code, "duckdb.check_failed");
  const auto batch = Batch(kOrder, R"([{"id":2,"name":"a"}])");
  const auto loaded =
      Load(*target, Table("orders", LoadMode::kReplace, batch), batch, "L2");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  target.reset();
  EXPECT_EQ(Look("SELECT id, twice FROM orders"), Lines{"2|4"});
  EXPECT_EQ(Look("SELECT constraint_type FROM duckdb_constraints() WHERE table_name = "
                 "'orders' ORDER BY 1"),
            (Lines{"CHECK", "UNIQUE"}));
}

TEST_F(DestinationTest, RewriteReplacesInPlace) {
  Sql({"CREATE TABLE orders (id BIGINT PRIMARY KEY, name VARCHAR, total DECIMAL(9,2))",
       "INSERT INTO orders VALUES (1, 'old', 1), (2, 'old', 2)"});
  auto target = OpenTarget();
  const auto batch = Batch(kOrder, R"([{"id":2,"name":"a"}])");
  TableSpec table = Table("orders", LoadMode::kReplace, batch);
  table.strategy = ReplaceStrategy::kRewrite;
  const auto loaded = Load(*target, table, batch, "L1");
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->rows_deleted, 2);
  target.reset();
  EXPECT_EQ(Look("SELECT id, name FROM orders"), Lines{"2|a"});
}

TEST_F(DestinationTest, GuardStopsAShrinkingReplace) {
  Sql({"CREATE TABLE orders (id BIGINT, name VARCHAR, total DECIMAL(9,2))",
       "INSERT INTO orders SELECT i, 'x', 1 FROM range(1000) t(i)"});
  auto target = OpenTarget();
  const auto batch = Batch(kOrder, R"([{"id":2,"name":"a"}])");
  CommitGuards guards;
  guards.max_shrink = 0.5;
  const auto loaded =
      Load(*target, Table("orders", LoadMode::kReplace, batch), batch, "L1", guards);
  EXPECT_EQ(GetErrorInfo(loaded.status()).error_class, ErrorClass::kGuard);
  target.reset();
  EXPECT_EQ(Look("SELECT count(*) FROM orders"), Lines{"1000"});
}

TEST_F(DestinationTest, AbortLeavesNothing) {
  auto target = OpenTarget();
  const auto batch = Batch(kOrder, R"([{"id":1}])");
  const WriteSpec spec =
      Prepare(*target, Table("orders", LoadMode::kAppend, batch), "L1");
  auto writer = target->OpenWriter(spec, {}).ValueOrDie();
  ASSERT_TRUE(writer->Append(*batch, {}).ok());
  writer->Abort();
  writer->Abort();
  auto again = target->OpenWriter(spec, {}).ValueOrDie();
  const auto receipt = again->Finish({}).ValueOrDie();
  target->Discard(std::span(&receipt, 1));
  target.reset();
  EXPECT_EQ(Look("SELECT table_name FROM duckdb_tables() ORDER BY 1"),
            (Lines{"_dxt_fence", "_dxt_loads"}));
  EXPECT_EQ(Look("SELECT count(*) FROM _dxt_loads"), Lines{"0"});
}

TEST_F(DestinationTest, ANewOwnerFencesTheOldOne) {
  auto zombie = OpenTarget();
  auto owner = OpenTarget();
  const auto batch = Batch(kOrder, R"([{"id":1}])");
  const WriteSpec old = Prepare(*zombie, Table("orders", LoadMode::kAppend, batch), "L1");
  auto writer = zombie->OpenWriter(old, {}).ValueOrDie();
  ASSERT_TRUE(writer->Append(*batch, {}).ok());
  const auto receipt = writer->Finish({}).ValueOrDie();
  const WriteSpec young =
      Prepare(*owner, Table("orders", LoadMode::kAppend, batch), "L2");
  EXPECT_EQ(young.epoch, old.epoch + 1);
  const auto lost = zombie->Commit(old, Record(old), std::span(&receipt, 1), {}, {});
  EXPECT_EQ(GetErrorInfo(lost.status()).error_class, ErrorClass::kFenced)
      << lost.status();
  EXPECT_FALSE(owner->Resolve(young.identity, "L1", {}).ValueOrDie());
}

TEST_F(DestinationTest, ACommittedLoadIsNotDoneTwice) {
  auto target = OpenTarget();
  const auto batch = Batch(kOrder, R"([{"id":1}])");
  ASSERT_TRUE(Load(*target, Table("orders", LoadMode::kAppend, batch), batch, "L1").ok());
  EXPECT_TRUE(target->Resolve(Identity("orders"), "L1", {}).ValueOrDie());
  const auto again =
      Load(*target, Table("orders", LoadMode::kAppend, batch), batch, "L1");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->already);
  EXPECT_EQ(target->CountRows("orders", {}).ValueOrDie(), 1);
  const auto last = target->Peek(Identity("orders"), {}).ValueOrDie();
  ASSERT_TRUE(last.has_value());
  EXPECT_EQ(last->load_id, "L1");
}

TEST_F(DestinationTest, AStaleLoadIsRefused) {
  auto target = OpenTarget();
  const auto batch = Batch(kOrder, R"([{"id":1}])");
  WriteSpec spec = Prepare(*target, Table("orders", LoadMode::kAppend, batch), "L1");
  auto writer = target->OpenWriter(spec, {}).ValueOrDie();
  const auto receipt = writer->Finish({}).ValueOrDie();
  LoadRecord record = Record(spec);
  record.cursor_before = "41";
  const auto stale = target->Commit(spec, record, std::span(&receipt, 1), {}, {});
  EXPECT_EQ(GetErrorInfo(stale.status()).code, "load.stale");
}

TEST_F(DestinationTest, PlanRefusesWhatCannotBeLoaded) {
  Sql({"CREATE TABLE orders (id BIGINT, name VARCHAR, must INTEGER NOT NULL)",
       "CREATE VIEW v AS SELECT 1 AS id", "CREATE TABLE st (id STRUCT(a INTEGER))"});
  auto target = OpenTarget();
  const auto code = [&](const TableSpec& table) {
    const auto plan =
        target->PlanTable(table, target->Describe(table.reference, {}).ValueOrDie());
    return plan.ok() ? "ok" : GetErrorInfo(plan.status()).code;
  };
  const auto batch = Batch({field("id", arrow::int64())}, R"([{"id":1}])");
  EXPECT_EQ(code(Table("orders", LoadMode::kAppend, batch)), "target.column_required");
  EXPECT_EQ(code(Table("v", LoadMode::kAppend, batch)), "target.is_view");
  EXPECT_EQ(code(Table("st", LoadMode::kAppend, batch)), "duckdb.type_not_written");
  EXPECT_EQ(code(Table("new", LoadMode::kUpsert, batch)), "load.keys_required");
  EXPECT_EQ(code(Table("new", LoadMode::kUpsert, batch, {"ID2"})), "load.key_missing");
  EXPECT_EQ(code(Table("new", LoadMode::kMirror, batch)), "load.keys_required");
  const auto wide = Batch({field("id", arrow::decimal256(39, 0))}, "[]");
  EXPECT_EQ(code(Table("new", LoadMode::kAppend, wide)), "duckdb.decimal_too_wide");
  const auto extra = Batch({field("id", arrow::int64()), field("nope", arrow::utf8()),
                            field("must", arrow::int32())},
                           "[]");
  EXPECT_EQ(code(Table("orders", LoadMode::kAppend, extra)), "target.column_missing");
}

}  // namespace
}  // namespace dxt::duckdb
