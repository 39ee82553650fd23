#include "engine/run/engine.h"

#include <filesystem>
#include <map>
#include <mutex>

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "connectors/memory/database.h"
#include "connectors/memory/memory.h"
#include "connectors/sdk/registry.h"
#include "engine/run/observer.h"
#include "engine/stage/package_store.h"

namespace dxt {
namespace {

/// Keeps what a state store would, and can fail like one.
class FakeJournal : public Journal {
 public:
  arrow::Result<std::optional<LoadRecord>> LoadCheckpoint(
      const StreamIdentity& id) override {
    std::lock_guard lock(mutex_);
    const auto found = checkpoints_.find(KeyOf(id));
    if (found == checkpoints_.end()) return std::nullopt;
    return found->second;
  }
  arrow::Status SaveCheckpoint(const StreamIdentity& id,
                               const LoadRecord& record) override {
    std::lock_guard lock(mutex_);
    if (fail_checkpoint_) return arrow::Status::IOError("the state store is gone");
    checkpoints_[KeyOf(id)] = record;
    return arrow::Status::OK();
  }
  arrow::Status RecordIntent(const StreamIdentity& id,
                             const LoadRecord& record) override {
    std::lock_guard lock(mutex_);
    intents_[KeyOf(id)] = record;
    return arrow::Status::OK();
  }
  arrow::Result<std::optional<LoadRecord>> PendingIntent(
      const StreamIdentity& id) override {
    std::lock_guard lock(mutex_);
    const auto found = intents_.find(KeyOf(id));
    if (found == intents_.end()) return std::nullopt;
    return found->second;
  }
  arrow::Status ClearIntent(const StreamIdentity& id, std::string_view) override {
    std::lock_guard lock(mutex_);
    if (!fail_checkpoint_) intents_.erase(KeyOf(id));
    return arrow::Status::OK();
  }
  arrow::Status RecordPackage(const StreamIdentity&, std::string_view,
                              std::string_view) override {
    return arrow::Status::OK();
  }
  void FailCheckpoints(bool fail) { fail_checkpoint_ = fail; }
  std::string Cursor(const std::string& stream) {
    std::lock_guard lock(mutex_);
    return checkpoints_[stream].cursor_after;
  }
  bool HasIntent(const std::string& stream) {
    std::lock_guard lock(mutex_);
    return intents_.contains(stream);
  }

 private:
  static std::string KeyOf(const StreamIdentity& id) {
    return id.lane == "sync" ? id.stream : id.stream + " " + id.lane;
  }

  std::mutex mutex_;
  std::map<std::string, LoadRecord> checkpoints_, intents_;
  bool fail_checkpoint_ = false;
};

/// A target without a ledger, as it were: it promises less.
class ForgetfulConnector final : public Connector {
 public:
  explicit ForgetfulConnector(const Connector& kept) : kept_(kept), info_(kept.info()) {
    info_.name = "forgetful";
    info_.guarantee = Guarantee::kAtLeastOnce;
  }
  const ConnectorInfo& info() const override { return info_; }
  const ConfigSpec& spec() const override { return kept_.spec(); }
  arrow::Result<ConfigValue> ParseUrl(std::string_view url) const override {
    return kept_.ParseUrl(url);
  }
  std::string Identity(const ConfigView& config) const override {
    return "forgetful " + kept_.Identity(config);
  }
  arrow::Result<std::unique_ptr<Destination>> OpenDestination(
      const ConfigView& config, const ConnectorContext& context,
      std::stop_token stop) const override {
    return kept_.OpenDestination(config, context, stop);
  }

 private:
  const Connector& kept_;
  ConnectorInfo info_;
};

class EngineTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              ("dxt-engine-" + MakeIdSource(SystemClock())->Ulid());
    std::filesystem::create_directories(folder_);
    auto connector = MakeMemoryConnector();
    memory_ = static_cast<memory::MemoryConnector*>(connector.get());
    ASSERT_TRUE(registry_.Add(std::move(connector)).ok());
    source_ = memory_->Database("source");
    target_ = memory_->Database("target");
    pipeline_.name = "copy";
    pipeline_.project.name = "shop";
    pipeline_.source = Connect("source");
    pipeline_.target = Connect("target");
    pipeline_.runtime.retries = 2;
    pipeline_.buffer.format = BufferFormat::kMemory;
    ids_ = MakeIdSource(SystemClock());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Connection Connect(const std::string& database) {
    Connection connection;
    connection.name = database;
    connection.connector = memory_;
    ConfigValue values, name;
    values.kind = ConfigValue::Kind::kMap;
    name.kind = ConfigValue::Kind::kScalar;
    name.scalar = database;
    values.map.emplace_back("name", name);
    connection.config = ConfigView(&memory_->spec(), values);
    return connection;
  }

  static StreamSchema Shape() {
    StreamSchema schema;
    schema.fields = {{"id", {DType::kInt64}, false, {}},
                     {"at", {DType::kInt64}, true, {}},
                     {"name", {DType::kString}, true, {}}};
    schema.primary_key = {"id"};
    return schema;
  }

  using Row = std::tuple<int64_t, std::optional<int64_t>, std::string>;
  void Seed(const std::string& table, const std::vector<Row>& rows) {
    arrow::Int64Builder id, at;
    arrow::StringBuilder name;
    for (const auto& [i, a, n] : rows) {
      ASSERT_TRUE(id.Append(i).ok());
      ASSERT_TRUE((a ? at.Append(*a) : at.AppendNull()).ok());
      ASSERT_TRUE(name.Append(n).ok());
    }
    auto batch = arrow::RecordBatch::Make(
        ArrowSchema(Shape()), static_cast<int64_t>(rows.size()),
        {id.Finish().ValueOrDie(), at.Finish().ValueOrDie(), name.Finish().ValueOrDie()});
    ASSERT_TRUE(source_->Seed(table, Shape(), {batch}).ok());
  }

  StreamConfig& AddStream(const std::string& id) {
    StreamConfig stream;
    stream.id = id;
    stream.source = id;
    stream.target = id;
    pipeline_.streams.push_back(stream);
    return pipeline_.streams.back();
  }

  RunResult Run() {
    RunContext context;
    context.registry = &registry_;
    context.retry_wait = std::chrono::milliseconds(5);
    context.clock = &SystemClock();
    context.ids = ids_.get();
    context.observer = &observer_;
    context.journal = &journal_;
    context.state_dir = folder_;
    context.run_id = run_id_.empty() ? ids_->Ulid() : run_id_;
    context.owner = "test";
    return ExecuteRun(pipeline_, options_, context, stop_.get_token());
  }

  static std::string Why(const RunResult& result) {
    std::string text = result.error.ToString();
    for (const auto& stream : result.streams) text += "; " + stream.error.ToString();
    return text;
  }

  std::vector<int64_t> TargetIds(const std::string& table) {
    std::vector<int64_t> ids;
    auto rows = target_->Rows(table);
    if (!rows.ok()) return ids;
    const auto& column =
        static_cast<const arrow::Int64Array&>(*(*rows)->GetColumnByName("id"));
    for (int64_t i = 0; i < column.length(); ++i) ids.push_back(column.Value(i));
    std::sort(ids.begin(), ids.end());
    return ids;
  }

  std::string NameOf(const std::string& table, int64_t id) {
    auto rows = target_->Rows(table);
    if (!rows.ok()) return rows.status().ToString();
    const auto& ids =
        static_cast<const arrow::Int64Array&>(*(*rows)->GetColumnByName("id"));
    const auto& names =
        static_cast<const arrow::StringArray&>(*(*rows)->GetColumnByName("name"));
    for (int64_t i = 0; i < ids.length(); ++i) {
      if (ids.Value(i) == id) return names.GetString(i);
    }
    return "no row";
  }

  std::vector<PackageInfo> Packages() {
    auto packages = PackageStore(folder_ / "buffer", SystemClock()).List("", "");
    return packages.ok() ? std::move(*packages) : std::vector<PackageInfo>();
  }

  std::filesystem::path folder_;
  ConnectorRegistry registry_;
  memory::MemoryConnector* memory_ = nullptr;
  std::shared_ptr<memory::MemoryDatabase> source_, target_;
  PipelineDocument pipeline_;
  RunOptions options_;
  Observer observer_;
  FakeJournal journal_;
  std::unique_ptr<IdSource> ids_;
  std::string run_id_;
  std::stop_source stop_;
};

using Ids = std::vector<int64_t>;

TEST_F(EngineTest, FullAppendDoublesOnlyWhenRunTwice) {
  Seed("orders", {{1, 1, "a"}, {2, 2, "b"}});
  AddStream("orders");
  const RunResult first = Run();
  ASSERT_EQ(first.state, RunState::kSucceeded) << Why(first);
  EXPECT_EQ(first.streams[0].rows_written, 2);
  EXPECT_EQ(first.ExitCode(), 0);
  EXPECT_EQ(TargetIds("orders"), (Ids{1, 2}));
  Run();
  EXPECT_EQ(TargetIds("orders"), (Ids{1, 1, 2, 2}));
}

TEST_F(EngineTest, ReplaceLeavesTheNewRowsOnly) {
  Seed("orders", {{1, 1, "a"}, {2, 2, "b"}});
  AddStream("orders").load.mode = LoadMode::kReplace;
  Run();
  Seed("orders", {{3, 3, "c"}});
  const RunResult result = Run();
  ASSERT_EQ(result.state, RunState::kSucceeded) << Why(result);
  EXPECT_EQ(TargetIds("orders"), (Ids{3}));
}

TEST_F(EngineTest, ReplaceByNothingIsStoppedByTheGuard) {
  Seed("orders", {{1, 1, "a"}});
  AddStream("orders").load.mode = LoadMode::kReplace;
  Run();
  Seed("orders", {});
  const RunResult result = Run();
  EXPECT_EQ(result.ExitCode(), 4) << Why(result);
  EXPECT_EQ(TargetIds("orders"), (Ids{1}));
  pipeline_.streams[0].load.allow_empty = true;
  EXPECT_EQ(Run().ExitCode(), 0);
  EXPECT_EQ(TargetIds("orders"), Ids{});
}

TEST_F(EngineTest, IncrementalReadsOnlyWhatIsNewAndASecondRunWritesNothing) {
  Seed("orders", {{1, 10, "a"}, {2, 20, "b"}});
  auto& stream = AddStream("orders");
  stream.extract.incremental = true;
  stream.extract.watermark_field = "at";
  const RunResult first = Run();
  ASSERT_EQ(first.state, RunState::kSucceeded) << Why(first);
  EXPECT_EQ(first.streams[0].watermark->after, "20");
  const int64_t acquired = target_->Count("acquire");
  const RunResult second = Run();
  ASSERT_EQ(second.state, RunState::kSucceeded) << Why(second);
  EXPECT_EQ(second.streams[0].rows_written, 0);
  EXPECT_EQ(second.streams[0].watermark->before, "20");
  EXPECT_EQ(second.streams[0].watermark->after, "20");
  EXPECT_EQ(target_->Count("acquire"), acquired);
  Seed("orders", {{1, 10, "a"}, {2, 20, "b"}, {3, 30, "c"}});
  const RunResult third = Run();
  EXPECT_EQ(third.streams[0].rows_written, 1) << Why(third);
  EXPECT_EQ(TargetIds("orders"), (Ids{1, 2, 3}));
}

TEST_F(EngineTest, NullCursorsAreReadOnceByAppendAndNeverBecomeTheWatermark) {
  Seed("orders", {{1, std::nullopt, "a"}, {2, 20, "b"}});
  auto& stream = AddStream("orders");
  stream.extract.incremental = true;
  stream.extract.watermark_field = "at";
  const RunResult first = Run();
  ASSERT_EQ(first.state, RunState::kSucceeded) << Why(first);
  EXPECT_EQ(first.streams[0].watermark->after, "20");
  Run();
  EXPECT_EQ(TargetIds("orders"), (Ids{1, 2}));
}

TEST_F(EngineTest, RowsThatHaveNoCursorAtAllAreAppendedOnce) {
  Seed("orders", {{1, std::nullopt, "a"}, {2, std::nullopt, "b"}});
  auto& stream = AddStream("orders");
  stream.extract.incremental = true;
  stream.extract.watermark_field = "at";
  ASSERT_EQ(Run().state, RunState::kSucceeded);
  Seed("orders", {{1, std::nullopt, "a"}, {2, std::nullopt, "b"}, {3, 30, "c"}});
  const RunResult second = Run();
  ASSERT_EQ(second.state, RunState::kSucceeded) << Why(second);
  EXPECT_EQ(TargetIds("orders"), (Ids{1, 2, 3}));
}

TEST_F(EngineTest, SuccessiveExtractsHoldRowsWithoutACursorOnce) {
  Seed("orders", {{1, std::nullopt, "a"}, {2, 20, "b"}});
  auto& stream = AddStream("orders");
  stream.extract.incremental = true;
  stream.extract.watermark_field = "at";
  pipeline_.buffer.format = BufferFormat::kAuto;
  options_.phase = RunOptions::Phase::kExtract;
  ASSERT_EQ(Run().state, RunState::kSucceeded);
  ASSERT_EQ(Run().state, RunState::kSucceeded);
  options_.phase = RunOptions::Phase::kLoad;
  const RunResult loaded = Run();
  ASSERT_EQ(loaded.state, RunState::kSucceeded) << Why(loaded);
  EXPECT_EQ(TargetIds("orders"), (Ids{1, 2}));
}

TEST_F(EngineTest, ARefreshNamesStreamsThatExist) {
  Seed("orders", {{1, 10, "a"}});
  AddStream("orders");
  options_.full_refresh = true;
  options_.full_refresh_streams = {"ordes"};
  const RunResult result = Run();
  EXPECT_EQ(result.ExitCode(), 2);
  EXPECT_EQ(GetErrorInfo(result.error).code, "selector.unknown");
  EXPECT_EQ(TargetIds("orders"), Ids{});
}

TEST_F(EngineTest, AKnownKeyAboveAnInclusiveBoundaryIsAnotherVersion) {
  Seed("orders", {{1, 10, "a"}, {2, 20, "b"}});
  auto& stream = AddStream("orders");
  stream.extract.incremental = true;
  stream.extract.watermark_field = "at";
  stream.extract.inclusive = true;
  stream.load.upsert_keys = {"id"};
  ASSERT_EQ(Run().state, RunState::kSucceeded);
  Seed("orders", {{1, 10, "a"}, {2, 30, "changed"}, {3, 20, "late"}});
  const RunResult second = Run();
  ASSERT_EQ(second.state, RunState::kSucceeded) << Why(second);
  EXPECT_EQ(TargetIds("orders"), (Ids{1, 2, 2, 3}));
}

TEST_F(EngineTest, ABackfillLeavesTheWatermarkAloneAndNewerVersionsToo) {
  Seed("orders", {{1, 10, "old"}, {2, 20, "b"}, {3, 30, "c"}});
  auto& stream = AddStream("orders");
  stream.extract.incremental = true;
  stream.extract.watermark_field = "at";
  stream.extract.initial_value = "15";
  stream.load.mode = LoadMode::kUpsert;
  stream.load.upsert_keys = {"id"};
  ASSERT_EQ(Run().state, RunState::kSucceeded);
  EXPECT_EQ(TargetIds("orders"), (Ids{2, 3}));
  // While the backfill commits what it has read, a regular run brings a later version.
  options_.backfill = {"0", "15"};
  target_->Before("commit", [&](std::stop_token) -> arrow::Status {
    Seed("orders", {{1, 40, "new"}, {2, 20, "b"}, {3, 30, "c"}});
    options_.backfill.reset();
    const RunResult regular = Run();
    EXPECT_EQ(regular.state, RunState::kSucceeded) << Why(regular);
    options_.backfill = {"0", "15"};
    return arrow::Status::OK();
  });
  const RunResult backfill = Run();
  ASSERT_EQ(backfill.state, RunState::kSucceeded) << Why(backfill);
  EXPECT_EQ(backfill.streams[0].lane, "backfill/0..15");
  EXPECT_EQ(backfill.streams[0].watermark->after, "15");
  EXPECT_EQ(TargetIds("orders"), (Ids{1, 2, 3}));
  EXPECT_EQ(NameOf("orders", 1), "new");
  options_.backfill.reset();
  const RunResult after = Run();
  EXPECT_EQ(after.streams[0].watermark->before, "40") << Why(after);
  EXPECT_EQ(after.streams[0].rows_written, 0);
}

TEST_F(EngineTest, AStagedUpsertKeepsLaterVersionsAsAStreamedOneDoes) {
  Seed("orders", {{1, 30, "latest"}, {1, 20, "older"}, {2, 5, "b"}});
  auto& stream = AddStream("orders");
  stream.extract.incremental = true;
  stream.extract.watermark_field = "at";
  stream.load.mode = LoadMode::kUpsert;
  stream.load.upsert_keys = {"id"};
  pipeline_.buffer.format = BufferFormat::kParquet;
  ASSERT_EQ(Run().state, RunState::kSucceeded);
  EXPECT_EQ(NameOf("orders", 1), "latest");
  Seed("orders", {{1, 10, "stale"}, {2, 5, "again"}});
  options_.backfill = {"0", "15"};
  const RunResult backfill = Run();
  ASSERT_EQ(backfill.state, RunState::kSucceeded) << Why(backfill);
  EXPECT_EQ(backfill.streams[0].buffer, "parquet");
  EXPECT_EQ(NameOf("orders", 1), "latest");
  EXPECT_EQ(NameOf("orders", 2), "again");
}

TEST_F(EngineTest, ABackfillOwnsItsLaneBeforeItReads) {
  Seed("orders", {{1, 10, "a"}, {2, 20, "b"}, {3, 30, "c"}});
  auto& stream = AddStream("orders");
  stream.extract.incremental = true;
  stream.extract.watermark_field = "at";
  stream.load.mode = LoadMode::kInsertOnly;
  stream.load.upsert_keys = {"id"};
  options_.backfill = {"0", "25"};
  source_->Before("read", [&](std::stop_token) -> arrow::Status {
    options_.backfill = {"20", "40"};
    const RunResult second = Run();
    EXPECT_EQ(second.state, RunState::kFailed);
    EXPECT_EQ(GetErrorInfo(second.streams[0].error).code, "backfill.overlap");
    options_.backfill = {"0", "25"};
    return arrow::Status::OK();
  });
  const RunResult first = Run();
  ASSERT_EQ(first.state, RunState::kSucceeded) << Why(first);
  EXPECT_EQ(TargetIds("orders"), (Ids{1, 2}));
}

TEST_F(EngineTest, OfTwoOverlappingBackfillsThatBeginAtOneMomentOneIsRefused) {
  Seed("orders", {{1, 10, "a"}, {2, 20, "b"}, {3, 30, "c"}});
  auto& stream = AddStream("orders");
  stream.extract.incremental = true;
  stream.extract.watermark_field = "at";
  stream.extract.initial_value = "50";
  // Between the plan of the first and its taking over, the second begins and ends.
  options_.backfill = {"0", "25"};
  target_->Before("acquire", [&](std::stop_token) -> arrow::Status {
    options_.backfill = {"20", "40"};
    const RunResult second = Run();
    EXPECT_EQ(second.state, RunState::kSucceeded) << Why(second);
    options_.backfill = {"0", "25"};
    return arrow::Status::OK();
  });
  const RunResult first = Run();
  EXPECT_EQ(GetErrorInfo(first.streams[0].error).code, "backfill.overlap") << Why(first);
  EXPECT_EQ(first.ExitCode(), 2);
  EXPECT_EQ(TargetIds("orders"), (Ids{2, 3}));
  // Who was refused is in nobody's way.
  options_.backfill = {"0", "20"};
  const RunResult third = Run();
  EXPECT_EQ(third.state, RunState::kSucceeded) << Why(third);
  EXPECT_EQ(TargetIds("orders"), (Ids{1, 2, 3}));
}

TEST_F(EngineTest, ATargetThatPromisesLessIsRefusedWhereTheGuaranteeIsRequired) {
  Seed("orders", {{1, 10, "a"}});
  AddStream("orders");
  const ForgetfulConnector forgetful(*memory_);
  pipeline_.target.connector = &forgetful;
  pipeline_.guarantee_required = true;
  const RunResult refused = Run();
  EXPECT_EQ(GetErrorInfo(refused.streams[0].error).code, "plan.guarantee");
  EXPECT_EQ(refused.ExitCode(), 2);
  EXPECT_EQ(TargetIds("orders"), Ids());
  pipeline_.guarantee_required = false;
  EXPECT_EQ(Run().state, RunState::kSucceeded);
}

TEST_F(EngineTest, AFirstRegularRunDoesNotBeginWhereABackfillEnded) {
  Seed("orders", {{1, 10, "a"}, {2, 20, "b"}, {3, 30, "c"}});
  auto& stream = AddStream("orders");
  stream.extract.incremental = true;
  stream.extract.watermark_field = "at";
  stream.load.mode = LoadMode::kUpsert;
  stream.load.upsert_keys = {"id"};
  options_.backfill = {"15", "25"};
  ASSERT_EQ(Run().state, RunState::kSucceeded);
  EXPECT_EQ(TargetIds("orders"), Ids{2});
  options_.backfill.reset();
  for (const auto source : {WatermarkSource::kAuto, WatermarkSource::kTarget}) {
    pipeline_.streams[0].extract.watermark_source = source;
    const RunResult regular = Run();
    ASSERT_EQ(regular.state, RunState::kSucceeded) << Why(regular);
    EXPECT_EQ(TargetIds("orders"), (Ids{1, 2, 3}));
  }
}

TEST_F(EngineTest, NullCursorsCanBeForbidden) {
  Seed("orders", {{1, std::nullopt, "a"}});
  auto& stream = AddStream("orders");
  stream.extract.incremental = true;
  stream.extract.watermark_field = "at";
  stream.extract.null_cursor = NullCursor::kFail;
  const RunResult result = Run();
  ASSERT_EQ(result.state, RunState::kFailed);
  EXPECT_EQ(GetErrorInfo(result.streams[0].error).code, "cursor.null");
  EXPECT_EQ(TargetIds("orders"), Ids{});
}

TEST_F(EngineTest, UpsertKeepsTheLatestOfEachKey) {
  Seed("orders", {{1, 10, "old"}, {1, 30, "new"}, {1, 20, "middle"}, {2, 5, "b"}});
  auto& stream = AddStream("orders");
  stream.load.mode = LoadMode::kUpsert;
  stream.load.upsert_keys = {"id"};
  stream.extract.incremental = true;
  stream.extract.watermark_field = "at";
  const RunResult result = Run();
  ASSERT_EQ(result.state, RunState::kSucceeded) << Why(result);
  EXPECT_EQ(TargetIds("orders"), (Ids{1, 2}));
  EXPECT_EQ(result.streams[0].rows_deduplicated, 2);
  auto rows = target_->Rows("orders").ValueOrDie();
  const auto& names =
      static_cast<const arrow::StringArray&>(*rows->GetColumnByName("name"));
  EXPECT_TRUE(names.GetString(0) == "new" || names.GetString(1) == "new");
}

TEST_F(EngineTest, ANullKeyIsRefusedByName) {
  Seed("orders", {{1, std::nullopt, "a"}});
  auto& stream = AddStream("orders");
  stream.load.mode = LoadMode::kUpsert;
  stream.load.upsert_keys = {"at"};
  const RunResult result = Run();
  ASSERT_EQ(result.state, RunState::kFailed);
  EXPECT_EQ(GetErrorInfo(result.streams[0].error).code, "load.null_key");
  EXPECT_EQ(GetErrorInfo(result.streams[0].error).column, "at");
  EXPECT_EQ(TargetIds("orders"), Ids{});
}

TEST_F(EngineTest, FieldsRenameReorderAndGenerate) {
  Seed("orders", {{7, 70, "x"}});
  auto& stream = AddStream("orders");
  FieldConfig label, key, loaded;
  label.id = "label";
  label.source_column = "NAME";
  label.target_name = "title";
  key.id = "id";
  loaded.id = "loaded_at";
  loaded.generated = true;
  loaded.generator = "current_timestamp";
  stream.fields = {label, key, loaded};
  const RunResult result = Run();
  ASSERT_EQ(result.state, RunState::kSucceeded) << Why(result);
  auto rows = target_->Rows("orders").ValueOrDie();
  EXPECT_EQ(rows->schema()->field_names(),
            (std::vector<std::string>{"title", "id", "loaded_at"}));
  EXPECT_EQ(rows->column(2)->null_count(), 0);
}

TEST_F(EngineTest, AMissingColumnIsNamedWithTheNearestOne) {
  Seed("orders", {{7, 70, "x"}});
  FieldConfig field;
  field.id = "nmae";
  AddStream("orders").fields = {field};
  const RunResult result = Run();
  ASSERT_EQ(result.state, RunState::kFailed);
  EXPECT_EQ(result.ExitCode(), 2);
  EXPECT_NE(result.streams[0].error.message().find("did you mean 'name'"),
            std::string::npos);
}

TEST_F(EngineTest, OneFailingStreamDoesNotStopTheOthers) {
  Seed("good", {{1, 1, "a"}});
  AddStream("bad");
  AddStream("good");
  const RunResult result = Run();
  EXPECT_EQ(result.state, RunState::kPartial);
  EXPECT_EQ(result.ExitCode(), 3);
  EXPECT_EQ(TargetIds("good"), Ids{1});
}

TEST_F(EngineTest, FailFastSkipsWhatHasNotStarted) {
  Seed("good", {{1, 1, "a"}});
  AddStream("bad");
  AddStream("good");
  options_.fail_fast = true;
  options_.threads = 1;
  const RunResult result = Run();
  EXPECT_EQ(result.streams[1].state, StreamState::kSkipped);
  EXPECT_EQ(TargetIds("good"), Ids{});
}

TEST_F(EngineTest, ATransientFailureIsRetriedAndLoadsOnce) {
  Seed("orders", {{1, 1, "a"}, {2, 2, "b"}});
  AddStream("orders");
  target_->FailNext("commit");
  const RunResult result = Run();
  ASSERT_EQ(result.state, RunState::kSucceeded) << Why(result);
  EXPECT_EQ(result.streams[0].attempts, 2);
  EXPECT_EQ(TargetIds("orders"), (Ids{1, 2}));
}

TEST_F(EngineTest, ARunWithoutRetryBudgetFailsAtTheFirstFailure) {
  Seed("orders", {{1, 1, "a"}});
  AddStream("orders");
  pipeline_.runtime.retry_budget = 0;
  target_->FailNext("commit");
  const RunResult result = Run();
  EXPECT_EQ(result.state, RunState::kFailed);
  EXPECT_EQ(result.streams[0].attempts, 1);
}

TEST_F(EngineTest, ALockThatWasWaitedForIsNotWaitedForAgain) {
  Seed("orders", {{1, 1, "a"}});
  AddStream("orders");
  target_->FailNext("commit",
                    MakeError(ErrorClass::kTransient, "test.locked", "It was locked"));
  const RunResult result = Run();
  EXPECT_EQ(result.state, RunState::kFailed);
  EXPECT_EQ(result.streams[0].attempts, 1);
}

TEST_F(EngineTest, ALostCommitAnswerIsLookedUpAndNotRepeated) {
  Seed("orders", {{1, 1, "a"}, {2, 2, "b"}});
  AddStream("orders");
  target_->FailNext("commit_answer");
  const RunResult result = Run();
  ASSERT_EQ(result.state, RunState::kSucceeded) << Why(result);
  EXPECT_EQ(result.streams[0].rows_written, 2);
  EXPECT_EQ(TargetIds("orders"), (Ids{1, 2}));
  EXPECT_EQ(target_->Loads().size(), 1u);
}

TEST_F(EngineTest, ARunInterruptedAfterItsCommitIsSettledNotRepeated) {
  Seed("orders", {{1, 1, "a"}, {2, 2, "b"}});
  AddStream("orders");
  run_id_ = "01RUN";
  journal_.FailCheckpoints(true);
  EXPECT_NE(Run().state, RunState::kSucceeded);
  journal_.FailCheckpoints(false);
  const RunResult result = Run();
  ASSERT_EQ(result.state, RunState::kSucceeded) << Why(result);
  EXPECT_EQ(TargetIds("orders"), (Ids{1, 2}));
}

TEST_F(EngineTest, AnInterruptedCommitIsSettledAlsoWhenNothingNewIsThere) {
  Seed("orders", {{1, 10, "a"}, {2, 20, "b"}});
  auto& stream = AddStream("orders");
  stream.extract.incremental = true;
  stream.extract.watermark_field = "at";
  run_id_ = "01RUN";
  journal_.FailCheckpoints(true);
  EXPECT_NE(Run().state, RunState::kSucceeded);
  journal_.FailCheckpoints(false);
  const RunResult result = Run();
  ASSERT_EQ(result.state, RunState::kSucceeded) << Why(result);
  EXPECT_EQ(result.streams[0].window_seq, 1);
  EXPECT_EQ(result.streams[0].watermark->after, "20");
  EXPECT_EQ(journal_.Cursor("orders"), "20");
  EXPECT_FALSE(journal_.HasIntent("orders"));
}

TEST_F(EngineTest, AnotherRunGoesOnWithoutARetryFromWhatAnInterruptedOneCommitted) {
  Seed("orders", {{1, 10, "a"}});
  auto& stream = AddStream("orders");
  stream.extract.incremental = true;
  stream.extract.watermark_field = "at";
  journal_.FailCheckpoints(true);
  EXPECT_NE(Run().state, RunState::kSucceeded);
  journal_.FailCheckpoints(false);
  Seed("orders", {{1, 10, "a"}, {2, 20, "b"}});
  pipeline_.runtime.retries = 0;
  const RunResult result = Run();
  ASSERT_EQ(result.state, RunState::kSucceeded) << Why(result);
  EXPECT_EQ(TargetIds("orders"), (Ids{1, 2}));
}

TEST_F(EngineTest, AReplaceThatWasCommittedIsNotReadAgainByItsRun) {
  Seed("orders", {{1, 1, "a"}});
  AddStream("orders").load.mode = LoadMode::kReplace;
  pipeline_.buffer.format = BufferFormat::kParquet;
  run_id_ = "01RUN";
  journal_.FailCheckpoints(true);
  EXPECT_NE(Run().state, RunState::kSucceeded);
  journal_.FailCheckpoints(false);
  const RunResult result = Run();
  ASSERT_EQ(result.state, RunState::kSucceeded) << Why(result);
  EXPECT_EQ(target_->Loads().size(), 1u);
  EXPECT_TRUE(Packages().empty());
}

TEST_F(EngineTest, APackageWhoseRunEndedBeforeItsReleaseIsReleasedByTheNext) {
  Seed("orders", {{1, 1, "a"}});
  AddStream("orders");
  pipeline_.buffer.format = BufferFormat::kAuto;
  options_.phase = RunOptions::Phase::kExtract;
  ASSERT_EQ(Run().state, RunState::kSucceeded);
  const auto kept = folder_ / "kept";
  std::filesystem::copy(folder_ / "buffer", kept,
                        std::filesystem::copy_options::recursive);
  options_.phase = RunOptions::Phase::kLoad;
  ASSERT_EQ(Run().state, RunState::kSucceeded);
  options_.phase = RunOptions::Phase::kRun;
  for (const bool completed : {true, false}) {
    std::filesystem::remove_all(folder_ / "buffer");
    std::filesystem::copy(kept, folder_ / "buffer",
                          std::filesystem::copy_options::recursive);
    ASSERT_EQ(Packages().size(), 1u);
    options_.completed_streams.clear();
    if (completed) options_.completed_streams.push_back("orders");
    Seed("orders", {{2, 2, "b"}});
    const RunResult result = Run();
    ASSERT_EQ(result.state, RunState::kSucceeded) << Why(result);
    EXPECT_TRUE(Packages().empty());
    EXPECT_EQ(TargetIds("orders"), completed ? Ids{1} : (Ids{1, 2}));
  }
}

TEST_F(EngineTest, AValueThatDoesNotFitFailsWithColumnAndKeyAndChangesNothing) {
  Seed("orders", {{1, 1, "a"}, {2, 300, "b"}});
  auto& stream = AddStream("orders");
  FieldConfig id, at;
  id.id = "id";
  at.id = "at";
  at.type = FieldType{DType::kInt8};
  stream.fields = {id, at};
  const RunResult result = Run();
  ASSERT_EQ(result.state, RunState::kFailed);
  EXPECT_EQ(result.ExitCode(), 1);
  const ErrorInfo info = GetErrorInfo(result.streams[0].error);
  EXPECT_EQ(info.code, "value.out_of_range");
  EXPECT_EQ(info.stream, "orders");
  EXPECT_EQ(info.column, "at");
  EXPECT_EQ(info.key, "{\"id\":2}");
  EXPECT_EQ(TargetIds("orders"), Ids{});
}

TEST_F(EngineTest, ADryRunTouchesNothing) {
  Seed("orders", {{1, 1, "a"}});
  AddStream("orders");
  options_.dry_run = true;
  const RunResult result = Run();
  ASSERT_EQ(result.state, RunState::kSucceeded) << Why(result);
  EXPECT_EQ(result.streams[0].columns.size(), 3u);
  EXPECT_EQ(target_->Count("acquire"), 0);
  EXPECT_TRUE(target_->References().empty());
}

TEST_F(EngineTest, ExtractThenLoadGoesThroughAPackage) {
  Seed("orders", {{1, 1, "a"}, {2, 2, "b"}});
  AddStream("orders");
  pipeline_.buffer.format = BufferFormat::kAuto;
  options_.phase = RunOptions::Phase::kExtract;
  const RunResult extracted = Run();
  ASSERT_EQ(extracted.state, RunState::kSucceeded) << Why(extracted);
  EXPECT_EQ(TargetIds("orders"), Ids{});
  PackageStore packages(folder_ / "buffer", SystemClock());
  EXPECT_EQ(packages.List().ValueOrDie().size(), 1u);
  Seed("orders", {{9, 9, "changed since"}});
  options_.phase = RunOptions::Phase::kLoad;
  const RunResult loaded = Run();
  ASSERT_EQ(loaded.state, RunState::kSucceeded) << Why(loaded);
  EXPECT_EQ(TargetIds("orders"), (Ids{1, 2}));
  EXPECT_TRUE(packages.List().ValueOrDie().empty());
}

TEST_F(EngineTest, ExtractIntoAMemoryBufferIsRefused) {
  Seed("orders", {{1, 1, "a"}});
  AddStream("orders");
  options_.phase = RunOptions::Phase::kExtract;
  const RunResult extracted = Run();
  EXPECT_EQ(extracted.state, RunState::kFailed);
  EXPECT_NE(Why(extracted).find("memory buffer"), std::string::npos) << Why(extracted);
}

TEST_F(EngineTest, ALoadSaysWhichBufferItReads) {
  Seed("orders", {{1, 1, "a"}});
  AddStream("orders");
  pipeline_.buffer.format = BufferFormat::kAuto;
  options_.phase = RunOptions::Phase::kExtract;
  EXPECT_EQ(Run().state, RunState::kSucceeded);
  options_.phase = RunOptions::Phase::kLoad;
  const RunResult loaded = Run();
  ASSERT_EQ(loaded.state, RunState::kSucceeded) << Why(loaded);
  EXPECT_EQ(loaded.streams[0].buffer, "parquet");
}

TEST_F(EngineTest, AFailedLoadKeepsItsPackageAndCanBeRepeated) {
  Seed("orders", {{1, 1, "a"}});
  AddStream("orders");
  pipeline_.buffer.format = BufferFormat::kJsonl;
  target_->FailNext("commit", MakeError(ErrorClass::kData, "test.refused", "Refused"));
  EXPECT_EQ(Run().state, RunState::kFailed);
  EXPECT_EQ(TargetIds("orders"), Ids{});
  options_.phase = RunOptions::Phase::kLoad;
  const RunResult loaded = Run();
  ASSERT_EQ(loaded.state, RunState::kSucceeded) << Why(loaded);
  EXPECT_EQ(TargetIds("orders"), Ids{1});
}

TEST_F(EngineTest, IncrementalExtractsContinueFromTheNewestPackage) {
  Seed("orders", {{1, 10, "a"}});
  auto& stream = AddStream("orders");
  stream.extract.incremental = true;
  stream.extract.watermark_field = "at";
  pipeline_.buffer.format = BufferFormat::kAuto;
  options_.phase = RunOptions::Phase::kExtract;
  ASSERT_EQ(Run().state, RunState::kSucceeded);
  Seed("orders", {{1, 10, "a"}, {2, 20, "b"}});
  const RunResult second = Run();
  ASSERT_EQ(second.state, RunState::kSucceeded) << Why(second);
  options_.phase = RunOptions::Phase::kLoad;
  const RunResult loaded = Run();
  ASSERT_EQ(loaded.state, RunState::kSucceeded) << Why(loaded);
  EXPECT_EQ(TargetIds("orders"), (Ids{1, 2}));
}

TEST_F(EngineTest, PackagesThatComeBackAfterTheirLoadAreRemovedAgain) {
  Seed("orders", {{1, 10, "a"}});
  auto& stream = AddStream("orders");
  stream.extract.incremental = true;
  stream.extract.watermark_field = "at";
  pipeline_.buffer.format = BufferFormat::kAuto;
  options_.phase = RunOptions::Phase::kExtract;
  ASSERT_EQ(Run().state, RunState::kSucceeded);
  Seed("orders", {{1, 10, "a"}, {2, 20, "b"}});
  ASSERT_EQ(Run().state, RunState::kSucceeded);
  const auto kept = folder_ / "kept";
  std::filesystem::copy(folder_ / "buffer", kept,
                        std::filesystem::copy_options::recursive);
  options_.phase = RunOptions::Phase::kLoad;
  ASSERT_EQ(Run().state, RunState::kSucceeded);
  ASSERT_TRUE(Packages().empty());
  std::filesystem::remove_all(folder_ / "buffer");
  std::filesystem::copy(kept, folder_ / "buffer",
                        std::filesystem::copy_options::recursive);
  Seed("orders", {{1, 10, "a"}, {2, 20, "b"}, {3, 30, "c"}});
  options_.phase = RunOptions::Phase::kRun;
  const RunResult result = Run();
  ASSERT_EQ(result.state, RunState::kSucceeded) << Why(result);
  EXPECT_TRUE(Packages().empty());
  EXPECT_EQ(TargetIds("orders"), (Ids{1, 2, 3}));
}

TEST_F(EngineTest, AnInclusiveBoundaryLoadsLateTiesOnceAndOldOnesNotAgain) {
  Seed("orders", {{1, 10, "a"}, {2, 20, "b"}});
  auto& stream = AddStream("orders");
  stream.extract.incremental = true;
  stream.extract.watermark_field = "at";
  stream.extract.inclusive = true;
  ASSERT_EQ(Run().state, RunState::kSucceeded);
  Seed("orders", {{1, 10, "a"}, {2, 20, "b"}, {3, 20, "late tie"}});
  const RunResult result = Run();
  ASSERT_EQ(result.state, RunState::kSucceeded) << Why(result);
  EXPECT_EQ(TargetIds("orders"), (Ids{1, 2, 3}));
  EXPECT_EQ(result.streams[0].rows_deduplicated, 1);
  Run();
  EXPECT_EQ(TargetIds("orders"), (Ids{1, 2, 3}));
}

TEST_F(EngineTest, AWildcardMakesOneStreamATable) {
  Seed("sales.orders", {{1, 1, "a"}});
  Seed("sales.items", {{2, 2, "b"}});
  auto& stream = AddStream("all");
  stream.source = "sales.*";
  stream.target = "raw.{name}";
  const RunResult result = Run();
  ASSERT_EQ(result.state, RunState::kSucceeded) << Why(result);
  EXPECT_EQ(TargetIds("raw.orders"), Ids{1});
  EXPECT_EQ(TargetIds("raw.items"), Ids{2});
}

TEST_F(EngineTest, FiltersDropRowsThatDoNotPass) {
  Seed("orders", {{1, 1, "a"}, {2, 2, "b"}, {3, std::nullopt, "c"}});
  Filter filter;
  filter.column = "at";
  filter.op = FilterOp::kGte;
  filter.values = {"2"};
  AddStream("orders").filters = {filter};
  const RunResult result = Run();
  ASSERT_EQ(result.state, RunState::kSucceeded) << Why(result);
  EXPECT_EQ(TargetIds("orders"), Ids{2});
}

TEST_F(EngineTest, CancellingRollsBack) {
  Seed("orders", {{1, 1, "a"}});
  AddStream("orders");
  target_->Before("commit", [this](std::stop_token) {
    stop_.request_stop();
    return MakeError(ErrorClass::kCancelled, "cancelled", "stopped");
  });
  const RunResult result = Run();
  EXPECT_EQ(result.state, RunState::kCancelled);
  EXPECT_EQ(TargetIds("orders"), Ids{});
}

TEST_F(EngineTest, AFullRefreshReplacesAndStartsTheWatermarkAgain) {
  Seed("orders", {{1, 10, "a"}, {2, 20, "b"}});
  auto& stream = AddStream("orders");
  stream.extract.incremental = true;
  stream.extract.watermark_field = "at";
  Run();
  Seed("orders", {{5, 5, "a"}, {6, 6, "a"}});
  options_.full_refresh = true;
  const RunResult result = Run();
  ASSERT_EQ(result.state, RunState::kSucceeded) << Why(result);
  EXPECT_EQ(TargetIds("orders"), (Ids{5, 6}));
  EXPECT_EQ(result.streams[0].watermark->after, "6");
}

/// Tables of many batches, each of which memory can read as a split of its own.
class SplitEngineTest : public EngineTest {
 protected:
  /// 60 batches of 10 rows; `at` grows with the row, ids come again after `ids` rows.
  void SeedMany(const std::string& table, int64_t ids = 600) {
    std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
    for (int64_t batch = 0; batch < 60; ++batch) {
      arrow::Int64Builder id, at;
      arrow::StringBuilder name;
      for (int64_t row = batch * 10; row < batch * 10 + 10; ++row) {
        ASSERT_TRUE(id.Append(row % ids).ok());
        // The largest is in the middle, so that it is no reader's last row.
        ASSERT_TRUE(at.Append(row == 300 ? 9999 : row).ok());
        ASSERT_TRUE(name.Append("row " + std::to_string(row)).ok());
      }
      batches.push_back(
          arrow::RecordBatch::Make(ArrowSchema(Shape()), 10,
                                   {id.Finish().ValueOrDie(), at.Finish().ValueOrDie(),
                                    name.Finish().ValueOrDie()}));
    }
    ASSERT_TRUE(source_->Seed(table, Shape(), std::move(batches)).ok());
  }
  StreamConfig& AddSplitStream(const std::string& id, int readers) {
    options_.threads = readers;
    StreamConfig& stream = AddStream(id);
    stream.extract.readers = readers;
    return stream;
  }
  static Ids UpTo(int64_t end) {
    Ids ids;
    for (int64_t i = 0; i < end; ++i) ids.push_back(i);
    return ids;
  }
};

TEST_F(SplitEngineTest, SeveralReadersLoadEachRowOnce) {
  SeedMany("orders");
  AddSplitStream("orders", 3);
  const RunResult result = Run();
  ASSERT_EQ(result.state, RunState::kSucceeded) << Why(result);
  EXPECT_EQ(result.streams[0].readers, 3);
  EXPECT_EQ(result.streams[0].rows_read, 600);
  EXPECT_EQ(result.streams[0].rows_written, 600);
  EXPECT_EQ(TargetIds("orders"), UpTo(600));
}

TEST_F(SplitEngineTest, ThreadsBoundTheReadersOfAllStreams) {
  SeedMany("orders");
  SeedMany("events");
  AddSplitStream("orders", 4);
  AddSplitStream("events", 4);
  options_.threads = 5;
  const RunResult result = Run();
  ASSERT_EQ(result.state, RunState::kSucceeded) << Why(result);
  EXPECT_EQ(result.streams[0].readers, 2);
  EXPECT_EQ(result.streams[1].readers, 2);
}

TEST_F(SplitEngineTest, TheWatermarkIsTheLargestOfAllSplits) {
  SeedMany("orders");
  StreamConfig& stream = AddSplitStream("orders", 4);
  stream.extract.incremental = true;
  stream.extract.watermark_field = "at";
  const RunResult first = Run();
  ASSERT_EQ(first.state, RunState::kSucceeded) << Why(first);
  EXPECT_EQ(first.streams[0].readers, 4);
  EXPECT_EQ(first.streams[0].watermark->after, "9999");
  EXPECT_EQ(TargetIds("orders"), UpTo(600));
  const RunResult second = Run();
  ASSERT_EQ(second.state, RunState::kSucceeded) << Why(second);
  EXPECT_EQ(second.streams[0].readers, 1) << "What is new is read by one";
  EXPECT_EQ(second.streams[0].rows_written, 0);
}

TEST_F(SplitEngineTest, LimitsAndWindowsAreReadByOne) {
  SeedMany("orders");
  AddSplitStream("orders", 4);
  options_.limit = 7;
  const RunResult result = Run();
  ASSERT_EQ(result.state, RunState::kSucceeded) << Why(result);
  EXPECT_EQ(result.streams[0].readers, 1);
  EXPECT_EQ(TargetIds("orders"), UpTo(7));
}

TEST_F(SplitEngineTest, AFailingSplitFailsTheStreamAndLeavesTheTarget) {
  SeedMany("orders");
  AddSplitStream("orders", 3).load.mode = LoadMode::kReplace;
  ASSERT_EQ(Run().state, RunState::kSucceeded);
  SeedMany("orders", 7);
  // In the middle: other splits have been handed on, others not begun.
  for (int step = 0; step < 8; ++step) {
    source_->Before("read", [](std::stop_token) { return arrow::Status::OK(); });
  }
  source_->FailNext("read",
                    MakeError(ErrorClass::kData, "test.bad_row", "A row cannot be read"));
  const RunResult result = Run();
  EXPECT_EQ(result.state, RunState::kFailed);
  EXPECT_EQ(GetErrorInfo(result.streams[0].error).code, "test.bad_row");
  EXPECT_EQ(TargetIds("orders"), UpTo(600));
}

TEST_F(SplitEngineTest, ATransientFailureOfOneSplitReadsAllAgain) {
  SeedMany("orders");
  AddSplitStream("orders", 3);
  source_->FailNext("read");
  const RunResult result = Run();
  ASSERT_EQ(result.state, RunState::kSucceeded) << Why(result);
  EXPECT_EQ(result.streams[0].attempts, 2);
  EXPECT_EQ(TargetIds("orders"), UpTo(600));
}

TEST_F(SplitEngineTest, CancellingEndsAllReaders) {
  SeedMany("orders");
  AddSplitStream("orders", 3);
  source_->Before("read", [&](std::stop_token) {
    stop_.request_stop();
    return arrow::Status::OK();
  });
  EXPECT_EQ(Run().state, RunState::kCancelled);
  EXPECT_EQ(TargetIds("orders"), Ids{});
}

TEST_F(SplitEngineTest, PackagesHoldTheSplitsInOrderSoThatTheLastRowOfAKeyWins) {
  SeedMany("orders", 10);
  StreamConfig& stream = AddSplitStream("orders", 4);
  stream.load.mode = LoadMode::kUpsert;
  stream.load.upsert_keys = {"id"};
  EXPECT_EQ(Run().streams[0].readers, 1) << "Such a target takes rows as they come";
  pipeline_.buffer.format = BufferFormat::kParquet;
  target_->Drop("orders");
  const RunResult result = Run();
  ASSERT_EQ(result.state, RunState::kSucceeded) << Why(result);
  EXPECT_EQ(result.streams[0].readers, 4);
  EXPECT_EQ(result.streams[0].rows_deduplicated, 590);
  for (int64_t id = 0; id < 10; ++id) {
    EXPECT_EQ(NameOf("orders", id), "row " + std::to_string(590 + id));
  }
}

TEST_F(SplitEngineTest, ThePlanSaysHowManySplitsAreRead) {
  SeedMany("orders");
  AddSplitStream("orders", 3);
  options_.dry_run = true;
  const RunResult result = Run();
  EXPECT_EQ(result.streams[0].splits, 12);
  EXPECT_EQ(result.streams[0].readers, 3);
}

}  // namespace
}  // namespace dxt
