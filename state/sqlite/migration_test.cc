// Files of earlier versions, newer ones, and those of other programs.
#include <sqlite3.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include <gtest/gtest.h>

#include "base/error.h"
#include "state/sqlite/migrations.h"
#include "state/sqlite/sqlite_state_store.h"

namespace dxt {
namespace {

namespace fs = std::filesystem;

class MigrationTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "dxt-migr-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  void TearDown() override { fs::remove_all(folder_); }
  void Execute(const std::string& sql) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open((folder_ / "state.db").c_str(), &db), SQLITE_OK);
    char* error = nullptr;
    EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &error), SQLITE_OK)
        << error;
    sqlite3_close(db);
  }
  std::map<std::string, std::string> Query(const std::string& sql) {
    std::map<std::string, std::string> rows;
    sqlite3* db = nullptr;
    EXPECT_EQ(sqlite3_open((folder_ / "state.db").c_str(), &db), SQLITE_OK);
    sqlite3_exec(
        db, sql.c_str(),
        [](void* out, int, char** values, char**) {
          (*static_cast<std::map<std::string, std::string>*>(out))[values[0]] =
              values[1] ? values[1] : "";
          return 0;
        },
        &rows, nullptr);
    sqlite3_close(db);
    return rows;
  }
  void LoadVersion1() {
    std::ifstream dump(std::string(DXT_STATE_TESTDATA) + "/version_1.sql");
    ASSERT_TRUE(dump.is_open());
    Execute(std::string((std::istreambuf_iterator<char>(dump)), {}));
  }
  std::unique_ptr<SqliteStateStore> Open() {
    auto made = SqliteStateStore::Make(folder_);
    EXPECT_TRUE(made.ok()) << made.status();
    return made.ok() ? std::move(*made) : nullptr;
  }
  static std::string CodeOf(const arrow::Status& status) {
    return GetErrorInfo(status).code;
  }

  fs::path folder_;
};

TEST_F(MigrationTest, AFileOfVersion1KeepsAllItHolds) {
  LoadVersion1();
  const auto results = Query("SELECT id, result_json FROM runs WHERE result_json <> ''");
  ASSERT_EQ(results.size(), 4u);
  const auto store = Open();
  ASSERT_NE(store, nullptr);
  const auto runs = store->runs().List({}).ValueOrDie();
  ASSERT_EQ(runs.size(), 5u);
  for (const auto& run : runs) {
    EXPECT_EQ(run.project, "shop");
    EXPECT_EQ(run.trigger.kind, "SUBMIT");
    EXPECT_EQ(run.request_id.size(), 36u);
    EXPECT_EQ(run.options.substr(0, 6), "phase:");
    const auto result = results.find(run.id);
    EXPECT_EQ(run.result_json, result == results.end() ? "" : result->second);
  }
  EXPECT_EQ(runs[0].pipeline, "big");
  EXPECT_EQ(runs[0].state, "RUNNING");
  EXPECT_TRUE(runs[0].interrupted);
  EXPECT_EQ(runs[2].state, "FAILED");
  EXPECT_EQ(runs[2].exit_code, 2);
  EXPECT_EQ(store->runs().FindInterrupted("shop", "big").ValueOrDie()->id, runs[0].id);
  const auto input = store->runs().Input(runs[0].id).ValueOrDie().value();
  EXPECT_EQ(input.pipeline_document.path, "/data/shop/big.yaml");
  EXPECT_NE(input.pipeline_document.text.find("big_copy"), std::string::npos);
  const auto stats = store->runs().Stats().ValueOrDie();
  using Counts = std::vector<std::pair<std::string, int64_t>>;
  EXPECT_EQ(stats.by_state, (Counts{{"FAILED", 1}, {"RUNNING", 1}, {"SUCCEEDED", 3}}));
  const auto cursor = store->cursors().Load({"shop/orders", "orders"}).ValueOrDie();
  EXPECT_EQ(cursor->cursor_after, "7");
  const auto asked = store->cursors().GetDirective({"shop/orders", "items"}).ValueOrDie();
  EXPECT_EQ(asked->kind, Directive::Kind::kReset);
  ASSERT_EQ(store->packages().List("shop/pack")->size(), 1u);
  EXPECT_EQ(store->packages().List("")->front().path.substr(0, 11), "/data/shop/");
}

TEST_F(MigrationTest, AnOldFileGetsTheSchemaOfANewOne) {
  LoadVersion1();
  ASSERT_NE(Open(), nullptr);
  const char* const schema =
      "SELECT type || ' ' || name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'";
  const auto migrated = Query(schema);
  const auto version = Query("SELECT 'v', user_version FROM pragma_user_version");
  EXPECT_EQ(version.at("v"), std::to_string(StateMigrations().size()));
  EXPECT_EQ(Query("SELECT 'a', application_id FROM pragma_application_id").at("a"),
            std::to_string(0x64787473));
  fs::remove_all(folder_);
  fs::create_directory(folder_);
  ASSERT_NE(Open(), nullptr);
  const auto fresh = Query(schema);
  ASSERT_EQ(migrated.size(), fresh.size());
  for (const auto& [name, sql] : fresh) EXPECT_TRUE(migrated.count(name)) << name;
}

TEST_F(MigrationTest, AMigrationThatFailsLeavesTheOldFile) {
  LoadVersion1();
  Execute("CREATE TABLE schedules (in_the_way TEXT)");
  EXPECT_FALSE(SqliteStateStore::Make(folder_).ok());
  EXPECT_EQ(Query("SELECT 'v', user_version FROM pragma_user_version").at("v"), "1");
  EXPECT_EQ(Query("SELECT id, result_json FROM runs").size(), 5u);
  Execute("DROP TABLE schedules");
  EXPECT_NE(Open(), nullptr);
}

TEST_F(MigrationTest, ANewerFileIsRefusedUntouched) {
  ASSERT_NE(Open(), nullptr);
  Execute("PRAGMA user_version = 999");
  const auto status = SqliteStateStore::Make(folder_).status();
  EXPECT_EQ(CodeOf(status), "state.newer");
  EXPECT_NE(status.message().find("999"), std::string::npos);
  EXPECT_EQ(Query("SELECT 'v', user_version FROM pragma_user_version").at("v"), "999");
}

TEST_F(MigrationTest, AnotherProgramsFileIsRefusedUntouched) {
  Execute("PRAGMA application_id = 42; CREATE TABLE theirs (x)");
  EXPECT_EQ(CodeOf(SqliteStateStore::Make(folder_).status()), "state.not_ours");
  EXPECT_EQ(Query("SELECT name, '' FROM sqlite_schema").size(), 1u);
}

}  // namespace
}  // namespace dxt
