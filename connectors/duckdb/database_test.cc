#include "connectors/duckdb/database.h"

#include <atomic>
#include <csignal>
#include <fstream>
#include <thread>

#include <arrow/api.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "connectors/duckdb/test_support.h"
#include "tests/support/lock_holder.h"

namespace dxt::duckdb {
namespace {

using Lines = std::vector<std::string>;

class DatabaseTest : public DuckdbTest {};

TEST_F(DatabaseTest, OneObjectPerFileWhateverThePath) {
  Sql({"CREATE TABLE t (i INTEGER)"});
  const std::string link = (folder_ / "link.duckdb").string();
  const std::string hard = (folder_ / "hard.duckdb").string();
  std::filesystem::create_symlink(path_, link);
  std::filesystem::create_hard_link(path_, hard);
  DatabasePool pool;
  const auto a = pool.Open(path_, true, context_, {}).ValueOrDie();
  EXPECT_EQ(pool.Open(link, true, context_, {}).ValueOrDie(), a);
  EXPECT_EQ(pool.Open(hard, false, context_, {}).ValueOrDie(), a);
}

TEST_F(DatabaseTest, TwoWritersOfOneFileLoseNothing) {
  std::filesystem::create_directory(folder_ / "real");
  std::filesystem::create_directory_symlink(folder_ / "real", folder_ / "alias");
  path_ = (folder_ / "real" / "test.duckdb").string();
  const std::string paths[] = {path_, (folder_ / "alias" / "test.duckdb").string()};
  constexpr int kRounds = 100;
  std::atomic<int> failures = 0;
  {
    std::vector<std::jthread> writers;
    for (int w = 0; w < 2; ++w) {
      writers.emplace_back([&, w] {
        const auto batch =
            Batch({arrow::field("i", arrow::int64())}, R"([{"i":1},{"i":2}])");
        const std::string stream = "s" + std::to_string(w);
        auto target = OpenTarget(paths[w]);
        for (int round = 0; round < kRounds; ++round) {
          // Now and then the last user of the file is gone while the other comes.
          if (round % 20 == 0) target = nullptr;
          if (!target) target = OpenTarget(paths[w]);
          const WriteSpec spec =
              Prepare(*target, Table("t" + std::to_string(w), LoadMode::kAppend, batch),
                      stream + "-" + std::to_string(round), stream);
          auto writer = target->OpenWriter(spec, {});
          if (!writer.ok() || !(*writer)->Append(*batch, {}).ok()) {
            ++failures;
            continue;
          }
          const auto receipt = (*writer)->Finish({}).ValueOrDie();
          const auto done =
              target->Commit(spec, Record(spec), std::span(&receipt, 1), {}, {});
          if (!done.ok()) ++failures;
        }
      });
    }
  }
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(Look("SELECT (SELECT count(*) FROM t0), (SELECT count(*) FROM t1), "
                 "(SELECT count(*) FROM _dxt_loads)"),
            Lines{"200|200|200"});
}

TEST_F(DatabaseTest, FirstOwnersOfOneStreamGetDifferentEpochs) {
  Sql({"CREATE TABLE t (i INTEGER)"});
  std::vector<int64_t> epochs(4);
  {
    std::vector<std::jthread> owners;
    for (size_t i = 0; i < epochs.size(); ++i) {
      owners.emplace_back([&, i] {
        auto target = OpenTarget();
        const StreamIdentity identity = Identity("t");
        for (int round = 0; round < 5; ++round) {
          const auto owned = target->Acquire(std::span(&identity, 1), {}, {});
          ASSERT_TRUE(owned.ok()) << owned.status();
          epochs[i] += owned->front().epoch;
        }
      });
    }
  }
  // 1 + 2 + … + 20: no epoch was given twice.
  int64_t sum = 0;
  for (const int64_t epoch : epochs) sum += epoch;
  EXPECT_EQ(sum, 210);
}

TEST_F(DatabaseTest, ASecondWriterWaitsAndHonoursAStop) {
  auto first = OpenTarget();
  auto second = OpenTarget();
  const auto batch = Batch({arrow::field("i", arrow::int64())}, R"([{"i":1}])");
  const WriteSpec a = Prepare(*first, Table("a", LoadMode::kAppend, batch), "A", "a");
  const WriteSpec b = Prepare(*second, Table("b", LoadMode::kAppend, batch), "B", "b");
  auto holder = first->OpenWriter(a, {}).ValueOrDie();
  std::stop_source stop;
  std::jthread stopper([&] { stop.request_stop(); });
  const auto waiting = second->OpenWriter(b, stop.get_token());
  EXPECT_EQ(GetErrorInfo(waiting.status()).error_class, ErrorClass::kCancelled);
  holder->Abort();
  EXPECT_TRUE(second->OpenWriter(b, {}).ok());
  const auto twice = first->OpenWriter(a, {}).ValueOrDie();
  EXPECT_EQ(GetErrorInfo(first->OpenWriter(a, {}).status()).code, "duckdb.one_writer");
}

TEST_F(DatabaseTest, TheFileIsReleasedWithItsLastUser) {
  Sql({"CREATE TABLE t (i INTEGER)"});
  const auto locked = [&] { return IsLocked(path_); };
  auto target = OpenTarget();
  ASSERT_TRUE(target->Check({}).ok());
  auto source = OpenSource();
  EXPECT_TRUE(locked());
  target.reset();
  EXPECT_TRUE(locked());
  source.reset();
  EXPECT_FALSE(locked());
}

TEST_F(DatabaseTest, ALockOfAnotherProcessIsWaitedForAndItsHolderNamed) {
  Sql({"CREATE TABLE t (i INTEGER)"});
  LockHolder holder(path_);
  ASSERT_TRUE(holder.holds());
  context_.lock_wait_ms = 60;
  const auto refused = connector_->OpenSource(Config(), context_, {});
  ASSERT_FALSE(refused.ok());
  const ErrorInfo info = GetErrorInfo(refused.status());
  EXPECT_EQ(info.code, "duckdb.locked");
  EXPECT_EQ(info.error_class, ErrorClass::kTransient);
  EXPECT_NE(refused.status().message().find("PID " + std::to_string(holder.pid())),
            std::string::npos)
      << refused.status();
  std::stop_source stop;
  stop.request_stop();
  context_.lock_wait_ms = 60000;
  const auto stopped = connector_->OpenSource(Config(), context_, stop.get_token());
  EXPECT_EQ(GetErrorInfo(stopped.status()).error_class, ErrorClass::kCancelled);
  // Who comes right after somebody that waited in vain does not wait as long again.
  const auto start = std::chrono::steady_clock::now();
  context_.lock_wait_ms = 60;
  ASSERT_FALSE(connector_->OpenSource(Config(), context_, {}).ok());
  context_.lock_wait_ms = 60000;
  const auto next = connector_->OpenSource(Config(), context_, {});
  EXPECT_EQ(GetErrorInfo(next.status()).code, "duckdb.locked");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
  holder.LetGo();
  const auto opened = connector_->OpenSource(Config(), context_, {});
  EXPECT_TRUE(opened.ok()) << opened.status();
}

TEST_F(DatabaseTest, AFileThatASourceReadsBecomesWritableWhenItIsIdle) {
  Sql({"CREATE TABLE t AS SELECT i FROM range(10000) t(i)"});
  auto source = OpenSource();
  auto target = OpenTarget();
  const auto batch = Batch({arrow::field("i", arrow::int64())}, R"([{"i":1}])");
  ReadSpec spec;
  spec.ref.source = "t";
  ColumnRead column;
  column.name = column.column = "i";
  column.type.dtype = DType::kInt64;
  spec.columns = {column};
  auto reader = source->OpenReader(spec, {}, std::nullopt, {}).ValueOrDie();
  const StreamIdentity identity = Identity("u");
  const auto busy = target->Acquire(std::span(&identity, 1), {}, {});
  EXPECT_EQ(GetErrorInfo(busy.status()).code, "duckdb.locked");
  reader.reset();
  const auto loaded = Load(*target, Table("u", LoadMode::kAppend, batch), batch, "L");
  EXPECT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(source->CountRows(spec, {}).ValueOrDie(), 10000);
}

TEST_F(DatabaseTest, MemoryLivesAsLongAsTheConnector) {
  const auto batch = Batch({arrow::field("i", arrow::int64())}, R"([{"i":1}])");
  {
    auto target = OpenTarget(":memory:");
    ASSERT_TRUE(Load(*target, Table("t", LoadMode::kAppend, batch), batch, "L").ok());
  }
  auto target = OpenTarget(":memory:");
  EXPECT_EQ(target->CountRows("t", {}).ValueOrDie(), 1);
}

TEST_F(DatabaseTest, UrlsNameAbsoluteRelativeAndMemory) {
  const auto path = [&](const std::string& url) {
    const auto values = connector_->ParseUrl(url);
    return values.ok() ? values->Get("path")->scalar : GetErrorInfo(values.status()).code;
  };
  EXPECT_EQ(path("duckdb:///a/b.duckdb"), "/a/b.duckdb");
  EXPECT_EQ(path("duckdb:////a/b.duckdb"), "/a/b.duckdb");
  EXPECT_EQ(path("duckdb:b.duckdb"), "b.duckdb");
  EXPECT_EQ(path("duckdb:///:memory:"), ":memory:");
  EXPECT_EQ(path("duckdb::memory:"), ":memory:");
  EXPECT_EQ(path("duckdb://host/b"), "connection.invalid_url");
}

TEST_F(DatabaseTest, IdentityIsTheRealPath) {
  Sql({"CREATE TABLE t (i INTEGER)"});
  std::filesystem::create_symlink(path_, folder_ / "link.duckdb");
  EXPECT_EQ(connector_->Identity(Config((folder_ / "link.duckdb").string())),
            connector_->Identity(Config()));
}

TEST_F(DatabaseTest, UnusableFilesHaveTheirOwnErrors) {
  auto target = OpenTarget((folder_ / "nowhere" / "x.duckdb").string());
  EXPECT_EQ(GetErrorInfo(target->Check({})).code, "duckdb.folder_missing");
  const StreamIdentity identity = Identity("t");
  const auto owned = target->Acquire(std::span(&identity, 1), {}, {});
  EXPECT_EQ(GetErrorInfo(owned.status()).code, "duckdb.folder_missing");
}

}  // namespace
}  // namespace dxt::duckdb
