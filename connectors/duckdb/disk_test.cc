// What a failure leaves of the database file: a full disk, a first load that fails.
#include <arrow/api.h>

#include <atomic>
#include <cstring>
#include <fstream>
#include <thread>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "connectors/duckdb/test_support.h"
#include "tests/support/file_limit.h"
#include "tests/support/lock_holder.h"

namespace dxt::duckdb {
namespace {

namespace fs = std::filesystem;
using Lines = std::vector<std::string>;

class DiskTest : public DuckdbTest {
 protected:
  /// Rows that do not compress to nothing.
  static std::shared_ptr<arrow::RecordBatch> Large() {
    arrow::Int64Builder ids;
    arrow::StringBuilder texts;
    uint64_t state = 88172645463325252u;
    constexpr int64_t kRows = 60000;
    for (int64_t row = 0; row < kRows; ++row) {
      std::string text;
      for (int i = 0; i < 4; ++i) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text += std::to_string(state);
      }
      EXPECT_TRUE(ids.Append(row).ok() && texts.Append(text).ok());
    }
    const auto schema = arrow::schema(
        {arrow::field("i", arrow::int64()), arrow::field("s", arrow::utf8())});
    return arrow::RecordBatch::Make(
        schema, kRows, {ids.Finish().ValueOrDie(), texts.Finish().ValueOrDie()});
  }

  Lines Files() const {
    Lines names;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      if (entry.path().filename() != "scratch") names.push_back(entry.path().filename());
    }
    return names;
  }

  /// Runs the protocol up to a status, without the expectations of Prepare.
  arrow::Status TryLoad(Destination& target,
                        const std::shared_ptr<arrow::RecordBatch>& batch) {
    WriteSpec spec;
    spec.identity = Identity("t");
    spec.table = Table("t", LoadMode::kAppend, batch);
    ARROW_ASSIGN_OR_RAISE(spec.target, target.Describe("t", {}));
    ARROW_ASSIGN_OR_RAISE(spec.plan, target.PlanTable(spec.table, spec.target));
    spec.schema = batch->schema();
    spec.load_id = "L";
    ARROW_ASSIGN_OR_RAISE(auto owned, target.Acquire({&spec.identity, 1}, {}, {}));
    spec.epoch = owned[0].epoch;
    spec.window_seq = owned[0].last ? owned[0].last->window_seq + 1 : 1;
    ARROW_ASSIGN_OR_RAISE(auto writer, target.OpenWriter(spec, {}));
    ARROW_RETURN_NOT_OK(writer->Append(*batch, {}));
    ARROW_ASSIGN_OR_RAISE(auto receipt, writer->Finish({}));
    return target.Commit(spec, Record(spec), {&receipt, 1}, {}, {}).status();
  }
};

TEST_F(DiskTest, AFullDiskIsSaidAndLeavesNoNewFile) {
  const auto batch = Large();
  for (const uint64_t room : {0, 6000, 20000, 400000}) {
    auto target = OpenTarget();
    arrow::Status status;
    {
      const FileLimit limit(room);
      status = TryLoad(*target, batch);
      target.reset();
    }
    const ErrorInfo info = GetErrorInfo(status);
    EXPECT_EQ(info.code, "duckdb.no_space") << room << ": " << status;
    EXPECT_EQ(info.error_class, ErrorClass::kTransient);
    EXPECT_EQ(Files(), Lines{}) << room;
  }
  ASSERT_TRUE(TryLoad(*OpenTarget(), batch).ok());
  EXPECT_EQ(Look("SELECT count(*) FROM t"), Lines{"60000"});
}

TEST_F(DiskTest, AFullDiskLeavesAnOlderFileAsItWas) {
  Sql({"CREATE TABLE u AS SELECT 7 AS i"});
  auto target = OpenTarget();
  arrow::Status status;
  {
    const FileLimit limit(fs::file_size(path_) + 300000);
    status = TryLoad(*target, Large());
    target.reset();
  }
  EXPECT_EQ(GetErrorInfo(status).code, "duckdb.no_space") << status;
  EXPECT_EQ(Look("SELECT i FROM u"), Lines{"7"});
  EXPECT_EQ(Look("SELECT 1 FROM duckdb_tables() WHERE table_name = 't'"), Lines{});
}

TEST_F(DiskTest, ANewFileIsNeverSeenHalfMade) {
  // Whoever comes at any moment finds no file or a database.
  std::atomic<bool> ended = false;
  std::atomic<int> halves = 0;
  std::jthread looker([&] {
    while (!ended) {
      std::error_code missing;
      const auto size = fs::file_size(path_, missing);
      if (!missing && size < 3 * 4096) ++halves;
    }
  });
  for (int round = 0; round < 20; ++round) {
    DatabasePool pool;
    ASSERT_TRUE(pool.Open(path_, /*create=*/true, context_, {}).ok());
  }
  ended = true;
  looker.join();
  EXPECT_EQ(halves, 0);
  EXPECT_EQ(Files(), Lines{});
}

TEST_F(DiskTest, AFailedFirstLoadTakesItsOwnNewFileAway) {
  const auto batch = Batch({arrow::field("i", arrow::int64())}, R"([{"i":1}])");
  {
    auto target = OpenTarget();
    const WriteSpec spec = Prepare(*target, Table("t", LoadMode::kAppend, batch), "L");
    auto writer = target->OpenWriter(spec, {}).ValueOrDie();
    ASSERT_TRUE(writer->Append(*batch, {}).ok());
    EXPECT_TRUE(fs::exists(path_));
    writer->Abort();
  }
  EXPECT_EQ(Files(), Lines{});
}

TEST_F(DiskTest, AFileStaysForWhoeverElseUsesIt) {
  const auto batch = Batch({arrow::field("i", arrow::int64())}, R"([{"i":1}])");
  auto failing = OpenTarget();
  const WriteSpec spec =
      Prepare(*failing, Table("a", LoadMode::kAppend, batch), "A", "a");
  auto other = OpenTarget();
  const WriteSpec kept = Prepare(*other, Table("b", LoadMode::kAppend, batch), "B", "b");
  failing->OpenWriter(spec, {}).ValueOrDie()->Abort();
  failing.reset();
  auto writer = other->OpenWriter(kept, {}).ValueOrDie();
  ASSERT_TRUE(writer->Append(*batch, {}).ok());
  const auto receipt = writer->Finish({}).ValueOrDie();
  ASSERT_TRUE(other->Commit(kept, Record(kept), {&receipt, 1}, {}, {}).ok());
  other.reset();
  EXPECT_EQ(Look("SELECT i FROM b"), Lines{"1"});
}

TEST_F(DiskTest, AnOlderEmptyFileStays) {
  Sql({"CREATE TABLE u (i INTEGER)"});
  Sql({"DROP TABLE u"});
  {
    auto target = OpenTarget();
    const StreamIdentity identity = Identity("t");
    ASSERT_TRUE(target->Acquire({&identity, 1}, {}, {}).ok());
  }
  EXPECT_TRUE(fs::exists(path_));
}

/// Time passes only while somebody waits.
class PatientClock : public Clock {
 public:
  std::chrono::system_clock::time_point Now() const override { return {}; }
  std::chrono::steady_clock::time_point Tick() const override { return now_; }
  bool WaitUntil(std::chrono::steady_clock::time_point deadline,
                 std::stop_token) override {
    now_ = std::max(now_, deadline);
    return true;
  }
  int64_t waited_ms() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch())
        .count();
  }

 private:
  std::chrono::steady_clock::time_point now_{};
};

TEST_F(DiskTest, TheWaitForALockLeavesTimeForItsError) {
  Sql({"CREATE TABLE t (i INTEGER)"});
  const LockHolder holder(path_);
  ASSERT_TRUE(holder.holds());
  ConfigValue values;
  values.kind = ConfigValue::Kind::kMap;
  for (const auto& [name, text] :
       {std::pair<std::string, std::string>{"path", path_}, {"lock_wait", "2s"}}) {
    ConfigValue value;
    value.kind = ConfigValue::Kind::kScalar;
    value.scalar = text;
    values.map.emplace_back(name, value);
  }
  const ConfigView config(&connector_->spec(), values);
  PatientClock clock;
  context_.clock = &clock;
  const auto source = connector_->OpenSource(config, context_, {});
  EXPECT_EQ(GetErrorInfo(source.status()).code, "duckdb.locked");
  EXPECT_EQ(clock.waited_ms(), 1800);
  // A target meets the lock where it looks; right after another's wait its own is short.
  auto target = *connector_->OpenDestination(config, context_, {});
  EXPECT_EQ(GetErrorInfo(target->Describe("t", {}).status()).code, "duckdb.locked");
  EXPECT_EQ(clock.waited_ms(), 2800);
}

/// DuckDB's own checksum of a block.
uint64_t Checksum(const char* bytes, size_t size) {
  uint64_t sum = 5381;
  for (size_t at = 0; at < size; at += 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes + at, 8);
    sum ^= word * 0xbf58476d1ce4e5b9u;
  }
  return sum;
}

TEST_F(DiskTest, AFileOfANewerDuckdbIsSaidToBeOne) {
  Sql({"CREATE TABLE t (i INTEGER)"});
  std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
  std::vector<char> header(4096);
  file.read(header.data(), 4096);
  uint64_t sum = 0;
  std::memcpy(&sum, header.data(), 8);
  ASSERT_EQ(sum, Checksum(header.data() + 8, 4088));
  const uint64_t version = 999;
  std::memcpy(header.data() + 12, &version, 8);
  sum = Checksum(header.data() + 8, 4088);
  std::memcpy(header.data(), &sum, 8);
  file.seekp(0);
  file.write(header.data(), 4096);
  file.close();
  const auto source = connector_->OpenSource(Config(), context_, {});
  const ErrorInfo info = GetErrorInfo(source.status());
  EXPECT_EQ(info.code, "duckdb.newer_version") << source.status();
  EXPECT_EQ(info.error_class, ErrorClass::kConfig);
  EXPECT_NE(info.hint.find("reads files up to version 1.5"), std::string::npos);
}

TEST_F(DiskTest, APrimaryKeyThatDoesNotFitIsWarnedOf) {
  context_.memory_limit = 64 << 20;
  arrow::Int64Builder ids;
  constexpr int64_t kRows = 2000000;
  ASSERT_TRUE(ids.Reserve(kRows).ok());
  for (int64_t row = 0; row < kRows; ++row) ids.UnsafeAppend(row);
  const auto batch =
      arrow::RecordBatch::Make(arrow::schema({arrow::field("i", arrow::int64())}), kRows,
                               {ids.Finish().ValueOrDie()});
  auto target = OpenTarget();
  const auto few = Load(*target, Table("small", LoadMode::kReplace, batch, {"i"}),
                        batch->Slice(0, 10), "A");
  ASSERT_TRUE(few.ok()) << few.status();
  EXPECT_TRUE(few->warnings.empty());
  const auto many =
      Load(*target, Table("large", LoadMode::kReplace, batch, {"i"}), batch, "B");
  ASSERT_TRUE(many.ok()) << many.status();
  ASSERT_EQ(many->warnings.size(), 1u);
  EXPECT_EQ(many->warnings[0].code, "duckdb.no_primary_key");
  EXPECT_NE(many->warnings[0].message.find("memory_limit"), std::string::npos);
}

}  // namespace
}  // namespace dxt::duckdb
