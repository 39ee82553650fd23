// Rows left out of loads, with the real state store and every place at which a process
// may end between two of its writes.
#include <algorithm>
#include <filesystem>
#include <functional>

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "connectors/memory/database.h"
#include "connectors/memory/memory.h"
#include "connectors/sdk/registry.h"
#include "engine/run/engine.h"
#include "server/scheduler/state_journal.h"
#include "state/sqlite/sqlite_state_store.h"

namespace dxt {
namespace {

/// A journal whose process ends before, or right after, its n-th write.
class MortalJournal : public StateJournal {
 public:
  MortalJournal(StateStore& store, Lease lease, int dies_at, bool after)
      : StateJournal(store, SystemClock(), std::move(lease)),
        dies_at_(dies_at),
        after_(after) {}

  bool died() const { return died_; }

  arrow::Status SaveCheckpoint(const StreamIdentity& id,
                               const LoadRecord& record) override {
    return Write([&] { return StateJournal::SaveCheckpoint(id, record); });
  }
  arrow::Status RecordIntent(const StreamIdentity& id,
                             const LoadRecord& record) override {
    return Write([&] { return StateJournal::RecordIntent(id, record); });
  }
  arrow::Status ClearIntent(const StreamIdentity& id, std::string_view load) override {
    return Write([&] { return StateJournal::ClearIntent(id, load); });
  }
  arrow::Status RecordPackage(const StreamIdentity& id, std::string_view load,
                              std::string_view path) override {
    return Write([&] { return StateJournal::RecordPackage(id, load, path); });
  }
  arrow::Status HoldRejected(const StreamIdentity& id, std::string_view load,
                             RejectStage stage,
                             std::span<const RejectedRow> rows) override {
    return Write([&] { return StateJournal::HoldRejected(id, load, stage, rows); });
  }
  arrow::Status HoldReplay(std::string_view load,
                           std::span<const std::string> ids) override {
    return Write([&] { return StateJournal::HoldReplay(load, ids); });
  }
  arrow::Status RefuseReplay(std::string_view id, const RejectedRow& why) override {
    return Write([&] { return StateJournal::RefuseReplay(id, why); });
  }

 private:
  template <typename Call>
  arrow::Status Write(Call call) {
    const bool now = dies_at_ > 0 && ++writes_ == dies_at_;
    if (now && after_ && !died_) (void)call();
    died_ = died_ || now;
    if (!died_) return call();
    return MakeError(ErrorClass::kInternal, "test.died", "the process is gone");
  }

  const int dies_at_;
  const bool after_;
  int writes_ = 0;
  bool died_ = false;
};

/// A pipeline from a memory database to another, with a state store of its own.
class Shop {
 public:
  Shop() {
    store_ = *SqliteStateStore::MakeInMemory();
    ids_ = MakeIdSource(SystemClock());
    folder_ = std::filesystem::temp_directory_path() / ("dxt-dlq-" + ids_->Ulid());
    std::filesystem::create_directories(folder_);
    auto connector = MakeMemoryConnector();
    memory_ = static_cast<memory::MemoryConnector*>(connector.get());
    EXPECT_TRUE(registry_.Add(std::move(connector)).ok());
    source_ = memory_->Database("source");
    target_ = memory_->Database("target");
    pipeline_.name = "copy";
    pipeline_.project.name = "shop";
    pipeline_.source = Connect("source");
    pipeline_.target = Connect("target");
    pipeline_.runtime.retries = 0;
    StreamConfig stream;
    stream.id = stream.source = stream.target = "orders";
    stream.extract.incremental = true;
    stream.extract.watermark_field = "id";
    stream.load.on_error = OnError::kDeadLetter;
    FieldConfig total;
    total.id = "total";
    total.type = FieldType{DType::kInt64};
    FieldConfig id;
    id.id = "id";
    stream.fields = {id, total};
    pipeline_.streams = {stream};
  }
  ~Shop() { std::filesystem::remove_all(folder_); }

  StreamConfig& stream() { return pipeline_.streams.front(); }
  PipelineDocument& pipeline() { return pipeline_; }
  StateStore& store() { return *store_; }

  void Seed(const std::vector<std::pair<int64_t, std::string>>& rows) {
    StreamSchema schema;
    schema.fields = {{"id", {DType::kInt64}, false, {}},
                     {"total", {DType::kString}, true, {}}};
    arrow::Int64Builder id;
    arrow::StringBuilder total;
    for (const auto& [i, t] : rows) {
      ASSERT_TRUE(id.Append(i).ok());
      ASSERT_TRUE(total.Append(t).ok());
    }
    const auto batch =
        arrow::RecordBatch::Make(ArrowSchema(schema), static_cast<int64_t>(rows.size()),
                                 {id.Finish().ValueOrDie(), total.Finish().ValueOrDie()});
    ASSERT_TRUE(source_->Seed("orders", schema, {batch}).ok());
  }

  /// Runs under a new run id; `died`: whether the journal's process ended.
  RunResult Run(const RunOptions& options = {}, int dies_at = 0, bool after = false,
                bool* died = nullptr) {
    NewRun run;
    run.id = ids_->Ulid();
    run.document_hash = "hash";
    EXPECT_TRUE(store_->runs().Create(run).ok());
    MortalJournal journal(*store_, *store_->runs().Claim(run.id, "now"), dies_at, after);
    RunContext context;
    context.registry = &registry_;
    context.clock = &SystemClock();
    context.ids = ids_.get();
    context.observer = &observer_;
    context.journal = &journal;
    context.state_dir = folder_;
    context.run_id = run.id;
    context.owner = "test";
    auto result = ExecuteRun(pipeline_, options, context, {});
    if (died) *died = journal.died();
    return result;
  }

  std::vector<int64_t> TargetIds(const std::string& table = "orders") {
    std::vector<int64_t> ids;
    const auto rows = target_->Rows(table);
    if (!rows.ok()) return ids;
    const auto& column =
        static_cast<const arrow::Int64Array&>(*(*rows)->GetColumnByName("id"));
    for (int64_t i = 0; i < column.length(); ++i) ids.push_back(column.Value(i));
    std::sort(ids.begin(), ids.end());
    return ids;
  }

  std::vector<std::string> Rows(const std::string& state) {
    DeadLetterQuery query;
    query.state = state;
    std::vector<std::string> rows;
    for (const auto& letter : store_->dead_letters().List(query).ValueOrDie()) {
      rows.push_back(letter.row_json);
    }
    std::sort(rows.begin(), rows.end());
    return rows;
  }

 private:
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

  std::unique_ptr<SqliteStateStore> store_;
  std::unique_ptr<IdSource> ids_;
  std::filesystem::path folder_;
  ConnectorRegistry registry_;
  memory::MemoryConnector* memory_ = nullptr;
  std::shared_ptr<memory::MemoryDatabase> source_, target_;
  PipelineDocument pipeline_;
  Observer observer_;
};

using Ids = std::vector<int64_t>;
using Rows = std::vector<std::string>;

const Rows kBadRows = {R"({"id":2,"total":"much"})", R"({"id":4,"total":""})"};

void SeedSome(Shop& shop) {
  shop.Seed({{1, "10"}, {2, "much"}, {3, "30"}, {4, ""}, {5, "50"}});
}

TEST(DeadLettersTest, RowsThatCannotBeConvertedAreLeftOut) {
  Shop shop;
  SeedSome(shop);
  const RunResult result = shop.Run();
  EXPECT_EQ(result.state, RunState::kPartial) << result.ToJson();
  EXPECT_EQ(result.ExitCode(), 3);
  EXPECT_EQ(result.streams[0].state, StreamState::kSucceeded);
  EXPECT_EQ(result.streams[0].rows_written, 3);
  EXPECT_EQ(result.streams[0].rows_rejected, 2);
  EXPECT_EQ(result.streams[0].dead_letters, 2);
  EXPECT_EQ(result.streams[0].watermark->after, "5");
  EXPECT_EQ(shop.TargetIds(), (Ids{1, 3, 5}));
  EXPECT_EQ(shop.Rows("STORED"), kBadRows);
  EXPECT_EQ(shop.Run().state, RunState::kSucceeded);
}

TEST(DeadLettersTest, AWindowOfNothingElseMovesTheWatermark) {
  Shop shop;
  shop.Seed({{1, "a"}, {2, "b"}});
  const RunResult result = shop.Run();
  EXPECT_EQ(result.state, RunState::kPartial) << result.ToJson();
  EXPECT_EQ(result.streams[0].rows_written, 0);
  EXPECT_EQ(result.streams[0].watermark->after, "2");
  EXPECT_EQ(shop.Rows("STORED").size(), 2u);
  EXPECT_EQ(shop.Run().state, RunState::kSucceeded);
  EXPECT_EQ(shop.Rows("STORED").size(), 2u);
}

TEST(DeadLettersTest, SkippedRowsAreOnlyCounted) {
  Shop shop;
  SeedSome(shop);
  shop.stream().load.on_error = OnError::kSkip;
  const RunResult result = shop.Run();
  EXPECT_EQ(result.ExitCode(), 3) << result.ToJson();
  EXPECT_EQ(result.streams[0].rows_rejected, 2);
  EXPECT_EQ(result.streams[0].dead_letters, 0);
  EXPECT_TRUE(shop.Rows("STORED").empty());
}

TEST(DeadLettersTest, MoreThanAllowedFailTheStream) {
  Shop shop;
  SeedSome(shop);
  shop.stream().load.max_rejected = 1;
  RunResult result = shop.Run();
  EXPECT_EQ(GetErrorInfo(result.streams[0].error).code, "load.too_many_rejected");
  shop.stream().load.max_rejected_percent = 39.5;
  result = shop.Run();
  EXPECT_EQ(GetErrorInfo(result.streams[0].error).code, "load.too_many_rejected");
  EXPECT_NE(result.streams[0].error.message().find("39.5 %"), std::string::npos);
  EXPECT_TRUE(shop.TargetIds().empty());
  EXPECT_TRUE(shop.Rows("STORED").empty());
  shop.stream().load.max_rejected_percent = 40;
  EXPECT_EQ(shop.Run().ExitCode(), 3);
}

/// Dies at each write in turn until a run lives, and repeats the run after each death.
void DieEverywhere(bool after, const std::function<void(Shop&)>& prepare,
                   const RunOptions& options, const std::function<void(Shop&)>& check) {
  int deaths = 0;
  for (int at = 1;; ++at) {
    SCOPED_TRACE((after ? "after write " : "before write ") + std::to_string(at));
    Shop shop;
    prepare(shop);
    bool died = false;
    shop.Run(options, at, after, &died);
    shop.Run(options);
    check(shop);
    if (!died) break;
    ++deaths;
  }
  EXPECT_GE(deaths, 3);
}

TEST(DeadLettersTest, ALoadThatDiesAnywhereKeepsEachRowOnce) {
  for (const bool staged : {false, true}) {
    for (const bool after : {false, true}) {
      DieEverywhere(
          after,
          [&](Shop& shop) {
            SeedSome(shop);
            if (staged) shop.pipeline().buffer.format = BufferFormat::kParquet;
          },
          {},
          [](Shop& shop) {
            EXPECT_EQ(shop.TargetIds(), (Ids{1, 3, 5}));
            EXPECT_EQ(shop.Rows("STORED"), kBadRows);
          });
    }
  }
}

TEST(DeadLettersTest, AReplayThatDiesAnywhereLoadsEachRowOnce) {
  RunOptions replay;
  replay.replay.emplace();
  for (const bool after : {false, true}) {
    DieEverywhere(
        after,
        [](Shop& shop) {
          SeedSome(shop);
          shop.Run();
          shop.stream().target = "texts";
          shop.stream().fields.back().type.reset();
        },
        replay,
        [](Shop& shop) {
          EXPECT_EQ(shop.TargetIds("texts"), (Ids{2, 4}));
          EXPECT_EQ(shop.Rows("REPLAYED"), kBadRows);
          EXPECT_TRUE(shop.Rows("STORED").empty());
        });
  }
}

TEST(DeadLettersTest, WhatIsReplayedIsLoadedByTodaysDocument) {
  Shop shop;
  SeedSome(shop);
  shop.Run();
  RunOptions replay;
  replay.replay.emplace();
  const RunResult refused = shop.Run(replay);
  EXPECT_EQ(refused.state, RunState::kPartial) << refused.ToJson();
  EXPECT_EQ(refused.streams[0].rows_rejected, 2);
  EXPECT_EQ(shop.TargetIds(), (Ids{1, 3, 5}));
  for (const auto& letter : shop.store().dead_letters().List({}).ValueOrDie()) {
    EXPECT_EQ(letter.attempts, 2);
  }
  shop.stream().target = "texts";
  shop.stream().fields.back().type.reset();
  const RunResult loaded = shop.Run(replay);
  EXPECT_EQ(loaded.state, RunState::kSucceeded) << loaded.ToJson();
  EXPECT_EQ(loaded.streams[0].rows_written, 2);
  EXPECT_EQ(loaded.streams[0].lane, "replay");
  EXPECT_EQ(shop.Rows("REPLAYED"), kBadRows);
  EXPECT_EQ(shop.Run(replay).streams[0].rows_written, 0);
}

}  // namespace
}  // namespace dxt
