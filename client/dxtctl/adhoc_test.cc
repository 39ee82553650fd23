#include "client/dxtctl/adhoc.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace dxt::ctl {
namespace {

namespace fs = std::filesystem;

AdhocEnd Parsed(const std::string& text) {
  const auto end = ParseAdhocEnd(text);
  EXPECT_TRUE(end.ok()) << text;
  return end.ok() ? *end : AdhocEnd();
}

void ExpectEnd(const std::string& text, const std::string& connection,
               const std::string& table) {
  const AdhocEnd end = Parsed(text);
  EXPECT_EQ(end.connection, connection) << text;
  EXPECT_EQ(end.table, table) << text;
}

TEST(AdhocEnd, NamesAConnectionAndItsTable) {
  ExpectEnd("shop#orders", "shop", "orders");
  ExpectEnd("shop#\"a.b\".c", "shop", "\"a.b\".c");
  ExpectEnd("shop", "shop", "");
}

TEST(AdhocEnd, LastHashBeginsTheTable) {
  ExpectEnd("postgresql://u:p%23@h/d#raw.t", "postgresql://u:p%23@h/d", "raw.t");
  ExpectEnd("postgresql://u:a#b@h/d#t", "postgresql://u:a#b@h/d", "t");
}

TEST(AdhocEnd, DatabaseFilesBecomeAbsolute) {
  const std::string here = fs::current_path().string();
  ExpectEnd("shop.db#t", "sqlite://" + here + "/shop.db", "t");
  ExpectEnd("./x/../shop.sqlite3#t", "sqlite://" + here + "/shop.sqlite3", "t");
  ExpectEnd("/d/w.DUCKDB", "duckdb:///d/w.DUCKDB", "");
}

TEST(AdhocEnd, DataFileIsFolderAndName) {
  const std::string here = fs::current_path().string();
  ExpectEnd("in/a.csv", "file://" + here + "/in", "a.csv");
  ExpectEnd("/in/a.jsonl.gz", "file:///in", "a.jsonl.gz");
  ExpectEnd("s3://bucket/in/a.parquet", "s3://bucket/in", "a.parquet");
  ExpectEnd("file:///in#a.csv", "file:///in", "a.csv");
}

TEST(AdhocEnd, EmptyPartsAreRefused) {
  for (const char* text : {"", "#t", "shop#"}) {
    const auto end = ParseAdhocEnd(text);
    ASSERT_FALSE(end.ok()) << text;
    EXPECT_EQ(end.error().exit_code, kExitUsage);
    EXPECT_FALSE(end.error().hint.empty());
  }
}

TEST(AdhocEnd, APathIsNoUrlAndHoldsNoVariable) {
  ExpectEnd("/in 50%/${X}.csv", "file:///in 50%25", "${X}.csv");
  ExpectEnd("/${X}/a.db#t", "sqlite:///$${X}/a.db", "t");
  ExpectEnd("postgresql://u:${PW}@h/d#t", "postgresql://u:${PW}@h/d", "t");
  const std::string yaml = AdhocPipeline("n", "s", Parsed("/in/${X}.csv"),
                                         Parsed("/out/$${Y}.csv"), AdhocLoad());
  EXPECT_NE(yaml.find("source: \"$${X}.csv\""), std::string::npos) << yaml;
  EXPECT_NE(yaml.find("target: \"$$${Y}.csv\""), std::string::npos) << yaml;
}

TEST(AdhocEnd, AFileMayHaveAHashInItsName) {
  const fs::path folder = fs::path(testing::TempDir()) / "adhoc_hash";
  fs::create_directories(folder);
  std::ofstream(folder / "ha#sh.csv") << "id\n";
  ExpectEnd((folder / "ha#sh.csv").string(), "file://" + folder.string(), "ha#sh.csv");
  fs::remove_all(folder);
}

TEST(StreamIdOf, KeepsWhatIdsMayHoldAndIsTheSameForAName) {
  EXPECT_EQ(StreamIdOf("orders_2.x-y"), "orders_2.x-y");
  EXPECT_EQ(StreamIdOf("we ird"), "we_ird");
  EXPECT_EQ(StreamIdOf("q'uote"), "q_uote");
  EXPECT_EQ(StreamIdOf("\xC3\xBCn\xC3\xAF"), "_n_");
  EXPECT_EQ(StreamIdOf("-dash"), "_dash");
  EXPECT_EQ(StreamIdOf(".hidden"), "_hidden");
  EXPECT_EQ(StreamIdOf("${X}"), "__X_");
  EXPECT_EQ(StreamIdOf(""), "_");
  EXPECT_EQ(StreamIdOf(std::string(300, 'a')).size(), 128u);
}

TEST(TableReference, QuotesWhatWouldReadOtherwise) {
  EXPECT_EQ(TableReference("orders"), "orders");
  EXPECT_EQ(TableReference("we ird"), "\"we ird\"");
  EXPECT_EQ(TableReference("a.b"), "\"a.b\"");
  EXPECT_EQ(TableReference("a\"b"), "\"a\"\"b\"");
}

TEST(WithoutPlaces, NamesNoFileThatIsNotThere) {
  Error error;
  error.problems_text =
      "/d/copy-1.yaml:6:9: error: streams[0].id: no\n/d/p.yaml:1:2: error: x: y\n";
  error.problems_json =
      R"({"schema":"dxt.problems/1","problems":[{"file":"/d/copy-1.yaml","line":6,"column":9}]})";
  const Error shown = WithoutPlaces(error, "/d/copy-1.yaml");
  EXPECT_EQ(shown.problems_text,
            "error: streams[0].id: no\n/d/p.yaml:1:2: error: x: y\n");
  EXPECT_EQ(shown.problems_json.find("copy-1"), std::string::npos);
  EXPECT_EQ(shown.problems_json.find(":6"), std::string::npos);
}

TEST(BareTableName, DropsSchemaFolderAndExtensions) {
  EXPECT_EQ(BareTableName("orders"), "orders");
  EXPECT_EQ(BareTableName("raw.orders"), "orders");
  EXPECT_EQ(BareTableName("exports/planes.csv.gz"), "planes");
  EXPECT_EQ(BareTableName("planes.parquet"), "planes");
  EXPECT_EQ(BareTableName("exports/planes/"), "planes");
  EXPECT_EQ(BareTableName("[a b]"), "a b");
}

TEST(IsFileReference, KnowsFilesFoldersAndGlobs) {
  EXPECT_TRUE(IsFileReference("a.csv"));
  EXPECT_TRUE(IsFileReference("a.json.zst"));
  EXPECT_TRUE(IsFileReference("in/a"));
  EXPECT_TRUE(IsFileReference("a*"));
  EXPECT_FALSE(IsFileReference("raw.orders"));
}

TEST(AdhocPipeline, IsWholeAndQuoted) {
  AdhocLoad load;
  load.mode = "upsert";
  load.keys = {"id", "a: b"};
  load.cursor = "at";
  EXPECT_EQ(AdhocPipeline("copy-1", "o\"x", {"shop", "o\"x"}, {"dwh", "raw.o"}, load),
            "version: 1\n"
            "name: copy-1\n"
            "source: {connection: \"shop\"}\n"
            "target: {connection: \"dwh\"}\n"
            "streams:\n"
            "  - id: \"o\\\"x\"\n"
            "    source: \"o\\\"x\"\n"
            "    target: \"raw.o\"\n"
            "    extract: {mode: incremental, watermark_field: \"at\"}\n"
            "    load: {mode: upsert, upsert_keys: [\"id\", \"a: b\"]}\n");
}

TEST(AdhocPipeline, SaysThatAPartIsMeant) {
  AdhocLoad load;
  load.mode = "replace";
  load.partial = true;
  const std::string text = AdhocPipeline("c", "o", {"shop", "o"}, {"dwh", "o"}, load);
  EXPECT_NE(text.find("load: {mode: replace, partial_replace: true}"), std::string::npos)
      << text;
}

TEST(AdhocPipeline, OfAFileSaysSo) {
  const std::string yaml =
      AdhocPipeline("copy-1", "a", {"files", "a.csv"}, {"dwh", "a"}, {});
  EXPECT_NE(yaml.find("    kind: file\n"), std::string::npos);
  EXPECT_EQ(yaml.find("extract"), std::string::npos);
}

}  // namespace
}  // namespace dxt::ctl
