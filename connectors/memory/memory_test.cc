#include "connectors/memory/memory.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "connectors/memory/database.h"
#include "connectors/sdk/source.h"

namespace dxt::memory {
namespace {

StreamSchema Orders() {
  StreamSchema schema;
  schema.fields = {{"id", {DType::kInt64}, false, {}},
                   {"name", {DType::kString}, true, {}}};
  schema.primary_key = {"id"};
  return schema;
}

std::shared_ptr<arrow::RecordBatch> Batch(const std::vector<int64_t>& ids,
                                          const std::string& name) {
  arrow::Int64Builder id;
  arrow::StringBuilder text;
  for (const int64_t value : ids) {
    EXPECT_TRUE(id.Append(value).ok());
    EXPECT_TRUE(text.Append(name).ok());
  }
  return arrow::RecordBatch::Make(ArrowSchema(Orders()), static_cast<int64_t>(ids.size()),
                                  {*id.Finish(), *text.Finish()});
}

class MemoryTest : public testing::Test {
 protected:
  std::unique_ptr<Destination> OpenTarget() {
    return *connector_.OpenDestination(ConfigView(&connector_.spec(), {}), {}, {});
  }

  WriteSpec Spec(Destination& target, LoadMode mode) {
    WriteSpec spec;
    spec.identity = {"p/orders", "orders", "sync", "orders", "f"};
    spec.table.reference = "orders";
    spec.table.mode = mode;
    for (const auto& field : Orders().fields) {
      spec.table.columns.push_back({field.name, field, "", field.nullable});
    }
    spec.table.keys = {"id"};
    spec.target = *target.Describe("orders", {});
    spec.plan = *target.PlanTable(spec.table, spec.target);
    spec.schema = ArrowSchema(Orders());
    const auto owned = *target.Acquire({&spec.identity, 1}, {}, {});
    spec.epoch = owned.front().epoch;
    spec.window_seq = owned.front().last ? owned.front().last->window_seq + 1 : 1;
    spec.load_id = "load" + std::to_string(spec.epoch);
    return spec;
  }

  arrow::Result<CommitResult> Load(Destination& target, const WriteSpec& spec,
                                   const std::shared_ptr<arrow::RecordBatch>& batch) {
    ARROW_ASSIGN_OR_RAISE(auto writer, target.OpenWriter(spec, {}));
    ARROW_RETURN_NOT_OK(writer->Append(*batch, {}));
    ARROW_ASSIGN_OR_RAISE(const auto receipt, writer->Finish({}));
    LoadRecord record;
    record.window_seq = spec.window_seq;
    record.load_id = spec.load_id;
    return target.Commit(spec, record, {&receipt, 1}, {}, {});
  }

  MemoryConnector connector_;
};

TEST_F(MemoryTest, ReadsWhatWasSeededInSplitsAndFromPositions) {
  auto database = connector_.Database();
  ASSERT_TRUE(
      database->Seed("shop.orders", Orders(), {Batch({1, 2, 3}, "a"), Batch({4}, "b")})
          .ok());
  auto source = *connector_.OpenSource(ConfigView(&connector_.spec(), {}), {}, {});
  ReadSpec spec;
  spec.ref.source = "Shop.Orders";
  spec.columns = {{"key", "id", "", {DType::kInt64}, {}}};
  spec.batch_rows = 2;
  const auto plan = *source->PlanRead(spec, 4, {});
  ASSERT_EQ(plan.splits.size(), 2u);
  // What comes later is not part of the snapshot.
  ASSERT_TRUE(database->Seed("shop.orders", Orders(), {}).ok());
  auto reader = *source->OpenReader(spec, plan.splits[0], std::nullopt, {});
  const auto first = *reader->Next({});
  EXPECT_EQ(first.batch->num_rows(), 2);
  EXPECT_EQ(first.batch->schema()->field(0)->name(), "key");
  auto resumed = *source->OpenReader(spec, plan.splits[0], first.position, {});
  EXPECT_EQ((*resumed->Next({})).batch->column(0)->GetScalar(0).ValueOrDie()->ToString(),
            "3");
  EXPECT_TRUE((*resumed->Next({})).end);
}

TEST_F(MemoryTest, UpsertKeepsTheLastOfEqualKeys) {
  auto target = OpenTarget();
  ASSERT_TRUE(Load(*target, Spec(*target, LoadMode::kAppend), Batch({1, 2}, "old")).ok());
  const auto result =
      *Load(*target, Spec(*target, LoadMode::kUpsert), Batch({2, 3, 3}, "new"));
  EXPECT_EQ(result.rows_written, 2);
  EXPECT_EQ(result.rows_deduplicated, 1);
  const auto rows = *connector_.Database()->Rows("orders");
  ASSERT_EQ(rows->num_rows(), 3);
  const auto& names = static_cast<const arrow::StringArray&>(*rows->column(1));
  EXPECT_EQ(names.GetView(0), "old");
  EXPECT_EQ(names.GetView(1), "new");
}

TEST_F(MemoryTest, FailsAtTheStepItWasToldTo) {
  auto target = OpenTarget();
  const auto spec = Spec(*target, LoadMode::kAppend);
  connector_.Database()->FailNext("commit_answer");
  const auto lost = Load(*target, spec, Batch({1}, "a"));
  ASSERT_FALSE(lost.ok());
  EXPECT_TRUE(GetErrorInfo(lost.status()).outcome_unknown);
  EXPECT_TRUE(*target->Resolve(spec.identity, spec.load_id, {}));
  EXPECT_EQ(connector_.Database()->Loads().size(), 1u);
}

TEST_F(MemoryTest, ShrinkGuardChangesNothing) {
  std::vector<int64_t> ids(200);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int64_t>(i);
  ASSERT_TRUE(connector_.Database()->Seed("orders", Orders(), {Batch(ids, "a")}).ok());
  auto target = OpenTarget();
  const auto spec = Spec(*target, LoadMode::kReplace);
  auto writer = *target->OpenWriter(spec, {});
  ASSERT_TRUE(writer->Append(*Batch({1}, "b"), {}).ok());
  const auto receipt = *writer->Finish({});
  LoadRecord record;
  record.window_seq = 1;
  const auto stopped =
      target->Commit(spec, record, {&receipt, 1}, {.max_shrink = 0.5}, {});
  EXPECT_EQ(GetErrorInfo(stopped.status()).code, "guard.shrink");
  EXPECT_EQ((*connector_.Database()->Rows("orders"))->num_rows(), 200);
}

}  // namespace
}  // namespace dxt::memory
