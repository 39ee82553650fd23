#include "connectors/sqlite/sqlite_fixture.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "connectors/sdk/source.h"

namespace dxt {
namespace {

namespace fs = std::filesystem;

TEST_F(SqliteTest, ReadsDeclaredTypesAsTheMapSays) {
  Sql("CREATE TABLE t (a BIGINT, b VARCHAR(9), c DOUBLE, d BOOLEAN, e DATE, f DATETIME, "
      "g DECIMAL(10,2), h NUMERIC, i BLOB, j JSON_TEXT, k TIME, l TIMESTAMPTZ);"
      "INSERT INTO t VALUES (1, 'x', 1.5, 1, '2024-02-29', '2024-02-29T10:11:12.5Z', "
      "12.34, "
      "1e20, x'6162', '{}', '10:11', '2024-02-29 10:11:12+02:00')");
  const auto text = *ReadTable({StreamKind::kTable, "t", {}});
  EXPECT_EQ(
      text,
      "1|x|1.5|true|2024-02-29|2024-02-29 10:11:12.500000|12.34|100000000000000000000|"
      "ab|{}|10:11:00.000000|2024-02-29 08:11:12.000000Z\n");
}

TEST_F(SqliteTest, RefusesAValueOfAnotherClassNamingRowAndColumn) {
  Sql("CREATE TABLE t (id INTEGER PRIMARY KEY, price INTEGER); "
      "INSERT INTO t VALUES (7, 1), (9, 'much')");
  const auto read = ReadTable({StreamKind::kTable, "t", {}});
  const auto info = GetErrorInfo(read.status());
  EXPECT_EQ(info.code, "sqlite.storage_class");
  EXPECT_EQ(info.column, "price");
  EXPECT_EQ(info.key, "{\"rowid\":9}");
  EXPECT_NE(read.status().message().find("the text 'much'"), std::string::npos);
}

TEST_F(SqliteTest, RefusesTheDigitsThatADecimalCannotHold) {
  Sql("CREATE TABLE t (price DECIMAL(6,2)); INSERT INTO t VALUES (1.5), (0.125)");
  EXPECT_EQ(GetErrorInfo(ReadTable({StreamKind::kTable, "t", {}}).status()).code,
            "sqlite.storage_class");
}

TEST_F(SqliteTest, UndeclaredColumnsTakeTheClassOfTheirValues) {
  Sql("CREATE TABLE t (a, b); INSERT INTO t VALUES (NULL, 1.5), (3, 2.5);"
      "CREATE TABLE mixed (a); INSERT INTO mixed VALUES (1), ('x')");
  EXPECT_EQ(*ReadTable({StreamKind::kTable, "t", {}}), "null|1.5\n3|2.5\n");
  EXPECT_EQ(GetErrorInfo(ReadTable({StreamKind::kTable, "mixed", {}}).status()).code,
            "sqlite.mixed_classes");
}

TEST_F(SqliteTest, ReadsNumbersAsTimesOnlyWhenTold) {
  Sql("CREATE TABLE t (at TIMESTAMP); INSERT INTO t VALUES (1709201472)");
  StreamRef ref{StreamKind::kTable, "t", {}};
  EXPECT_EQ(GetErrorInfo(ReadTable(ref).status()).code, "sqlite.storage_class");
  ref.options.kind = ConfigValue::Kind::kMap;
  ConfigValue unix_time;
  unix_time.kind = ConfigValue::Kind::kScalar;
  unix_time.scalar = "unix";
  ref.options.map.emplace_back("datetime", unix_time);
  EXPECT_EQ(*ReadTable(ref), "2024-02-29 10:11:12.000000\n");
}

TEST_F(SqliteTest, CursorsCompareAsInstantsHoweverTheyAreWritten) {
  Sql("CREATE TABLE t (id INTEGER PRIMARY KEY, at DATETIME); INSERT INTO t VALUES "
      "(1, '2024-01-01 10:00:00'), (2, '2024-01-01T10:00:00.5'), (3, '2024-01-01 "
      "11:00'), "
      "(4, NULL)");
  auto source = OpenSource();
  const StreamRef ref{StreamKind::kTable, "t", {}};
  ReadSpec spec = AllOf(ref, *source->Describe(ref, {}));
  CursorRange cursor;
  cursor.column = "at";
  cursor.type.dtype = DType::kTimestamp;
  cursor.lower = "2024-01-01 10:00:00.500000";
  spec.cursor = cursor;
  spec.order_by_cursor = true;
  EXPECT_EQ(*ReadText(*source, spec), "3|2024-01-01 11:00:00.000000\n");
  spec.cursor->lower_inclusive = true;
  EXPECT_EQ(*source->CountRows(spec, {}), 2);
  spec.cursor->include_null = true;
  EXPECT_EQ(*source->CountRows(spec, {}), 3);
}

TEST_F(SqliteTest, QueriesTakeValuesForPlaceholders) {
  Sql("CREATE TABLE t (id INTEGER, name TEXT); INSERT INTO t VALUES "
      "(1,'a'),(2,'b'),(3,'c')");
  const StreamRef ref{
      StreamKind::kQuery,
      "SELECT id, upper(name) AS n FROM t WHERE id > {{ cursor }} AND name <> "
      "{{ var.skip }} -- end",
      {}};
  auto source = OpenSource();
  const auto info = *source->Describe(ref, {});
  ReadSpec spec = AllOf(ref, info);
  CursorRange cursor;
  cursor.type.dtype = DType::kInt64;
  cursor.lower = "1";
  cursor.placeholder = true;
  spec.cursor = cursor;
  spec.variables = {{"skip", "b' OR '1'='1"}};
  EXPECT_EQ(*ReadText(*source, spec), "2|B\n3|C\n");
  EXPECT_EQ(GetErrorInfo(
                source->Describe({StreamKind::kQuery, "DELETE FROM t", {}}, {}).status())
                .code,
            "sqlite.sql");
}

TEST_F(SqliteTest, AMissingSourceIsAnErrorAndIsNotMade) {
  auto source = OpenSource();
  const auto status = source->Check({});
  EXPECT_EQ(GetErrorInfo(status).code, "sqlite.file_missing");
  EXPECT_NE(status.message().find(path_), std::string::npos);
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(SqliteTest, LookingAtAMissingTargetDoesNotMakeIt) {
  auto target = OpenTarget();
  EXPECT_TRUE(target->Check({}).ok());
  EXPECT_FALSE((*target->Describe("items", {})).exists);
  EXPECT_FALSE((*target->Peek(StreamIdentity{}, {})).has_value());
  EXPECT_FALSE(fs::exists(path_));
  EXPECT_TRUE(Load(*target, LoadMode::kAppend, {1}, "a").ok());
  EXPECT_EQ(Ask("SELECT * FROM items"), "1|a\n");
}

TEST_F(SqliteTest, WhatIsNoDatabaseIsSaidToBeNone) {
  FILE* file = fopen(path_.c_str(), "w");
  for (int i = 0; i < 1000; ++i) fputs("not a database\n", file);
  fclose(file);
  EXPECT_EQ(GetErrorInfo(OpenSource()->Check({})).code, "sqlite.not_a_database");
  EXPECT_EQ(GetErrorInfo(Load(*OpenTarget(), LoadMode::kAppend, {1}, "a").status()).code,
            "sqlite.not_a_database");
}

TEST_F(SqliteTest, ADamagedFileIsSaidToBeDamaged) {
  Sql("CREATE TABLE items (id INTEGER, name TEXT); INSERT INTO items SELECT value, "
      "hex(randomblob("
      "500)) FROM (WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM "
      "n "
      "WHERE "
      "value < 100) SELECT value FROM n)");
  FILE* file = fopen(path_.c_str(), "r+");
  fseek(file, 4096, SEEK_SET);
  const std::string noise(4096, '\x5a');
  fwrite(noise.data(), 1, noise.size(), file);
  fclose(file);
  const auto read = ReadTable({StreamKind::kTable, "items", {}});
  EXPECT_EQ(GetErrorInfo(read.status()).code, "sqlite.corrupt") << read.status();
}

TEST_F(SqliteTest, AColumnOfNumericAffinityTakesOnlyWhatItKeeps) {
  Sql("CREATE TABLE items (id INTEGER, name NUMERIC)");
  auto target = OpenTarget();
  // A text that reads as a number of 20 digits would become an inexact REAL.
  EXPECT_EQ(GetErrorInfo(
                Load(*target, LoadMode::kAppend, {1}, "12345678901234567890.5").status())
                .code,
            "sqlite.inexact");
  ASSERT_TRUE(Load(*target, LoadMode::kAppend, {1}, "12.50").ok());
  EXPECT_EQ(Ask("SELECT count(*), max(name) FROM items"), "1|12.5\n");
}

TEST_F(SqliteTest, ANullIsNeverGivenARowidOfItsOwn) {
  Sql("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT)");
  auto target = OpenTarget();
  WriteSpec spec;
  spec.identity = {"p/x", "items", "sync", "items", "f"};
  spec.table.reference = "items";
  spec.table.columns = {{"id", {"id", {DType::kInt64}, true, {}}, "", true}};
  spec.target = *target->Describe("items", {});
  spec.plan = *target->PlanTable(spec.table, spec.target);
  spec.schema = arrow::schema({arrow::field("id", arrow::int64())});
  spec.load_id = "load";
  auto writer = *target->OpenWriter(spec, {});
  const auto none = *arrow::MakeArrayOfNull(arrow::int64(), 1);
  const auto refused =
      writer->Append(*arrow::RecordBatch::Make(spec.schema, 1, {none}), {});
  EXPECT_EQ(GetErrorInfo(refused).code, "load.null_key") << refused;
  writer->Abort();
  EXPECT_EQ(Ask("SELECT count(*) FROM items"), "0\n");
}

TEST_F(SqliteTest, AHeldLockIsWaitedForAndThenNamed) {
  Sql("CREATE TABLE items (id INTEGER, name TEXT)");
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN EXCLUSIVE", nullptr, nullptr, nullptr), SQLITE_OK);
  // A stop ends the wait at once.
  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  const auto cancelled = OpenTarget("600s")->Describe("items", stop.get_token());
  EXPECT_EQ(GetErrorInfo(cancelled.status()).error_class, ErrorClass::kCancelled);
  const auto failed = Load(*OpenTarget("50ms"), LoadMode::kAppend, {1}, "a");
  const auto info = GetErrorInfo(failed.status());
  EXPECT_EQ(info.code, "sqlite.locked");
  EXPECT_EQ(info.error_class, ErrorClass::kTransient);
  EXPECT_NE(failed.status().message().find("50 ms"), std::string::npos);
  sqlite3_close(other);
  EXPECT_TRUE(Load(*OpenTarget(), LoadMode::kAppend, {1}, "a").ok());
}

TEST_F(SqliteTest, ReplaceRefusesTriggersUnlessTheyAreSetAside) {
  Sql("CREATE TABLE items (id INTEGER, name TEXT); CREATE TABLE log (n);"
      "CREATE TRIGGER audit AFTER INSERT ON items BEGIN INSERT INTO log VALUES (new.id); "
      "END;"
      "INSERT INTO items VALUES (1, 'old'); DELETE FROM log");
  auto target = OpenTarget();
  EXPECT_EQ(GetErrorInfo(Load(*target, LoadMode::kReplace, {2}, "new").status()).code,
            "sqlite.triggers");
  const auto result =
      *Load(*target, LoadMode::kReplace, {2, 3}, "new", ReplaceStrategy::kSwap);
  EXPECT_EQ(result.rows_deleted, 1);
  EXPECT_EQ(Ask("SELECT * FROM items"), "2|new\n3|new\n");
  EXPECT_EQ(Ask("SELECT count(*) FROM log"), "0\n");
  Sql("INSERT INTO items VALUES (4, 'by hand')");
  EXPECT_EQ(Ask("SELECT n FROM log"), "4\n");
}

TEST_F(SqliteTest, UpsertWithoutAUniqueIndexUpdatesAndInserts) {
  Sql("CREATE TABLE items (id INTEGER, name TEXT, kept TEXT DEFAULT 'k');"
      "INSERT INTO items VALUES (1, 'old', 'mine'), (NULL, 'none', 'x')");
  const auto result = *Load(*OpenTarget(), LoadMode::kUpsert, {1, 2, 2}, "new");
  EXPECT_EQ(result.rows_written, 2);
  EXPECT_EQ(result.rows_deduplicated, 1);
  EXPECT_EQ(Ask("SELECT * FROM items ORDER BY id"), "NULL|none|x\n1|new|mine\n2|new|k\n");
}

TEST_F(SqliteTest, JournalModeOfTheFileStays) {
  Sql("PRAGMA journal_mode = WAL; CREATE TABLE items (id INTEGER, name TEXT)");
  ASSERT_TRUE(Load(*OpenTarget(), LoadMode::kAppend, {1}, "a").ok());
  EXPECT_EQ(Ask("PRAGMA journal_mode"), "wal\n");
}

TEST_F(SqliteTest, AStopEndsARunningQuery) {
  Sql("CREATE TABLE t (a INTEGER)");
  auto source = OpenSource();
  ReadSpec spec;
  spec.ref = {StreamKind::kQuery,
              "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
              "SELECT max(i) AS m FROM n",
              {}};
  spec.columns = {{"m", "m", "", {DType::kInt64}, {}}};
  auto reader = *source->OpenReader(spec, {}, {}, {});
  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  EXPECT_EQ(GetErrorInfo(reader->Next(stop.get_token()).status()).error_class,
            ErrorClass::kCancelled);
}

TEST_F(SqliteTest, WritersOfOneFileTakeTurnsThroughALink) {
  const std::string link = (folder_ / "link.db").string();
  Sql("CREATE TABLE items (id INTEGER, name TEXT)");
  fs::create_symlink(path_, link);
  constexpr int kRounds = 20;
  const auto load = [&](const std::string& path, const std::string& stream) {
    for (int i = 0; i < kRounds; ++i) {
      auto target = *connector_->OpenDestination(Config(path, "5s"), {}, {});
      const auto result = Load(*target, LoadMode::kAppend, {i}, stream);
      // Both loops are one stream to the ledger; the loser of a race is fenced or stale.
      if (!result.ok()) {
        const auto code = GetErrorInfo(result.status()).code;
        EXPECT_TRUE(code == "load.fenced" || code == "load.stale") << result.status();
      }
    }
  };
  {
    std::jthread one(load, path_, "one"), two(load, link, "two");
  }
  EXPECT_EQ(Ask("SELECT count(*) FROM items"), Ask("SELECT count(*) FROM _dxt_loads"));
  EXPECT_NE(Ask("SELECT count(*) FROM items"), "0\n");
}

TEST_F(SqliteTest, UrlsNameFiles) {
  const auto path = [&](std::string_view url) {
    return connector_->ParseUrl(url).ValueOrDie().Get("path")->scalar;
  };
  EXPECT_EQ(path("sqlite:///data/a.db"), "/data/a.db");
  EXPECT_EQ(path("sqlite:////data/a.db"), "/data/a.db");
  EXPECT_EQ(path("sqlite:data/a.db"), "data/a.db");
  EXPECT_FALSE(connector_->ParseUrl("sqlite://host/a.db").ok());
}

}  // namespace
}  // namespace dxt
