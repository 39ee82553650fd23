#include "engine/plan/plan.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace dxt {
namespace {

Field Column(const std::string& name, DType dtype, bool nullable = true) {
  Field field;
  field.name = name;
  field.type.dtype = dtype;
  field.nullable = nullable;
  return field;
}

StreamInfo Orders() {
  StreamInfo info;
  info.reference = "public.orders";
  info.columns.fields = {
      Column("id", DType::kInt64, false), Column("Billing Date", DType::kDate),
      Column("total", DType::kFloat64), Column("updated_at", DType::kTimestampTz)};
  info.columns.primary_key = {"id"};
  return info;
}

StreamConfig Stream() {
  StreamConfig config;
  config.id = "orders";
  config.source = "public.orders";
  config.target = "orders";
  return config;
}

FieldConfig Entry(const std::string& id) {
  FieldConfig field;
  field.id = id;
  return field;
}

std::vector<std::string> Ids(const ColumnPlan& plan) {
  std::vector<std::string> ids;
  for (const auto& column : plan.columns) ids.push_back(column.id);
  return ids;
}

TEST(PlanTest, WithoutFieldsEveryColumnIsReadInOrder) {
  const auto plan = ResolveColumns(Stream(), Orders(), {}).ValueOrDie();
  EXPECT_EQ(Ids(plan),
            (std::vector<std::string>{"id", "Billing Date", "total", "updated_at"}));
  EXPECT_EQ(plan.key_ids, std::vector<std::string>{"id"});
  EXPECT_FALSE(plan.columns[0].wanted.nullable);
}

TEST(PlanTest, ExcludedColumnsAreLeftOut) {
  StreamConfig config = Stream();
  config.exclude = {"total", "[Billing Date]"};
  EXPECT_EQ(Ids(ResolveColumns(config, Orders(), {}).ValueOrDie()),
            (std::vector<std::string>{"id", "updated_at"}));
}

TEST(PlanTest, JsonColumnsAreReadAsJsonInTheirPlace) {
  StreamConfig config = Stream();
  config.json_columns = {"[Billing Date]"};
  const auto plan = ResolveColumns(config, Orders(), {}).ValueOrDie();
  EXPECT_EQ(plan.columns[1].id, "Billing Date");
  EXPECT_EQ(plan.columns[1].field.type.dtype, DType::kJson);
  EXPECT_NE(plan.columns[2].field.type.dtype, DType::kJson);
}

TEST(PlanTest, AJsonColumnThatIsMissingOrTypedOtherwiseIsRefused) {
  StreamConfig config = Stream();
  config.json_columns = {"totl"};
  auto status = ResolveColumns(config, Orders(), {}).status();
  EXPECT_NE(status.message().find("'totl' (json_columns)"), std::string::npos);
  FieldConfig total = Entry("total");
  total.type = FieldType{DType::kString};
  config.fields = {total};
  config.json_columns = {"total"};
  status = ResolveColumns(config, Orders(), {}).status();
  EXPECT_NE(status.message().find("json_columns and has dtype string"),
            std::string::npos);
}

TEST(PlanTest, AStarAddsTheColumnsThatNoFieldNames) {
  StreamConfig config = Stream();
  FieldConfig billed = Entry("billed_on");
  billed.source_column = "[billing date]";
  billed.target_name = "BILLED";
  config.fields = {billed, Entry("*")};
  const auto plan = ResolveColumns(config, Orders(), {}).ValueOrDie();
  EXPECT_EQ(Ids(plan),
            (std::vector<std::string>{"billed_on", "id", "total", "updated_at"}));
  EXPECT_EQ(plan.reads[0].column, "Billing Date");
  EXPECT_EQ(plan.columns[0].wanted.name, "BILLED");
}

TEST(PlanTest, ExpressionsTakeTheirTypeFromTheSource) {
  StreamConfig config = Stream();
  FieldConfig year = Entry("year");
  year.source_expression = "extract(year from updated_at)";
  config.fields = {Entry("id"), year};
  ASSERT_EQ(ExpressionsOf(config),
            std::vector<std::string>{"extract(year from updated_at)"});
  const auto plan =
      ResolveColumns(config, Orders(), {Column("year", DType::kInt32)}).ValueOrDie();
  EXPECT_EQ(plan.columns[1].source.type.dtype, DType::kInt32);
  EXPECT_EQ(plan.reads[1].expression, "extract(year from updated_at)");
}

TEST(PlanTest, EveryMissingColumnIsNamedAtOnce) {
  StreamConfig config = Stream();
  config.fields = {Entry("idd"), Entry("totl")};
  const auto status = ResolveColumns(config, Orders(), {}).status();
  EXPECT_EQ(GetErrorInfo(status).code, "plan.column_missing");
  EXPECT_NE(status.message().find("did you mean 'id'"), std::string::npos);
  EXPECT_NE(status.message().find("did you mean 'total'"), std::string::npos);
}

TEST(PlanTest, AWatermarkThatIsNotSelectedIsReadButNotLoaded) {
  StreamConfig config = Stream();
  config.fields = {Entry("id")};
  config.extract.incremental = true;
  config.extract.watermark_field = "updated_at";
  const auto plan = ResolveColumns(config, Orders(), {}).ValueOrDie();
  EXPECT_EQ(Ids(plan), std::vector<std::string>{"id"});
  ASSERT_EQ(plan.reads.size(), 2u);
  EXPECT_EQ(plan.cursor_read, 1);
  EXPECT_EQ(plan.cursor_target, "");
}

TEST(PlanTest, AWatermarkIsFollowedThroughItsRenames) {
  StreamConfig config = Stream();
  FieldConfig changed = Entry("changed");
  changed.source_column = "updated_at";
  changed.target_name = "changed_at";
  config.fields = {changed};
  config.extract.incremental = true;
  config.extract.watermark_field = "changed";
  const auto plan = ResolveColumns(config, Orders(), {}).ValueOrDie();
  EXPECT_EQ(plan.cursor->column, "updated_at");
  EXPECT_EQ(plan.cursor_target, "changed_at");
}

TEST(PlanTest, AFloatCannotBeAWatermark) {
  StreamConfig config = Stream();
  config.extract.incremental = true;
  config.extract.watermark_field = "total";
  EXPECT_EQ(GetErrorInfo(ResolveColumns(config, Orders(), {}).status()).code,
            "plan.column_missing");
}

TEST(PlanTest, OnlyNamedKeysBecomeAConstraintOfAnAppendedTable) {
  StreamConfig config = Stream();
  const auto plan = ResolveColumns(config, Orders(), {}).ValueOrDie();
  EXPECT_TRUE(WantedTable(config, plan, Orders(), LoadMode::kAppend).keys.empty());
  EXPECT_EQ(WantedTable(config, plan, Orders(), LoadMode::kReplace).keys,
            std::vector<std::string>{"id"});
}

TEST(PlanTest, UpsertKeysAreRenamedAndNotNull) {
  StreamConfig config = Stream();
  FieldConfig number = Entry("number");
  number.source_column = "id";
  number.target_name = "order_number";
  number.nullable = true;
  config.fields = {number, Entry("total")};
  config.load.mode = LoadMode::kUpsert;
  config.load.upsert_keys = {"number"};
  const auto plan = ResolveColumns(config, Orders(), {}).ValueOrDie();
  const TableSpec table = WantedTable(config, plan, Orders(), LoadMode::kUpsert);
  EXPECT_EQ(table.keys, std::vector<std::string>{"order_number"});
  EXPECT_FALSE(table.columns[0].nullable);
}

TEST(PlanTest, TwoFieldsMayNotShareATargetColumn) {
  StreamConfig config = Stream();
  FieldConfig total = Entry("total");
  total.target_name = "id";
  config.fields = {Entry("id"), total};
  EXPECT_FALSE(ResolveColumns(config, Orders(), {}).ok());
}

TEST(PlanTest, TheFingerprintFollowsWhatTheCursorMeans) {
  PipelineDocument pipeline;
  pipeline.source.name = "shop";
  StreamConfig config = Stream();
  const std::string before = Fingerprint(pipeline, config);
  config.tags = {"daily"};
  EXPECT_EQ(Fingerprint(pipeline, config), before);
  config.target = "other";
  EXPECT_NE(Fingerprint(pipeline, config), before);
}

TEST(PlanTest, ATypeThatCannotBeHeldIsRefusedWithColumnAndReason) {
  StreamConfig config = Stream();
  config.fields = {Entry("updated_at")};
  const auto plan = ResolveColumns(config, Orders(), {}).ValueOrDie();
  TablePlan table;
  TablePlan::Column column;
  column.name = "updated_at";
  column.native = "BLOB";
  column.domain.deliver.dtype = DType::kBinary;
  table.columns = {column};
  const auto status = JudgeColumns(plan, table).status();
  EXPECT_EQ(GetErrorInfo(status).code, "plan.type_refused");
  EXPECT_NE(status.message().find("updated_at"), std::string::npos);
}

}  // namespace
}  // namespace dxt
