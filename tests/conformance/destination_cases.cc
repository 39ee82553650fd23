// What arrives: modes, keys, names, counts.
#include <algorithm>

#include <arrow/api.h>

#include "tests/conformance/assertions.h"
#include "tests/conformance/suite.h"

namespace dxt::conformance {
namespace {

constexpr auto kReplace = kWrite | static_cast<uint32_t>(Capability::kReplace);
constexpr auto kUpsert = kWrite | static_cast<uint32_t>(Capability::kUpsert);

void CreatesTheTable(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(target->Check({}));
  const auto wanted = PeopleBy(LoadMode::kAppend);
  ASSERT_OK_AND_ASSIGN(const auto before,
                       target->Describe(harness.Reference("people"), {}));
  EXPECT_FALSE(before.exists);
  ASSERT_OK_AND_ASSIGN(const auto spec, SpecOf(harness, *target, wanted));
  EXPECT_TRUE(spec.plan.create);
  ASSERT_OK_AND_ASSIGN(const auto result, Load(harness, *target, wanted, {{"1", "a"}}));
  EXPECT_EQ(result.rows_written, 1);
  EXPECT_FALSE(result.already);
  ASSERT_OK_AND_ASSIGN(const auto after,
                       target->Describe(harness.Reference("people"), {}));
  EXPECT_TRUE(after.exists);
  EXPECT_FALSE(after.empty);
  ASSERT_EQ(after.columns.size(), 2u);
  EXPECT_EQ(after.columns[0].name, "id");
  ExpectRows(harness, "people", Rows{{"1", "a"}});
}

void AppendsTwice(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  const auto wanted = PeopleBy(LoadMode::kAppend);
  ASSERT_OK(Load(harness, *target, wanted, {{"1", "a"}, {"2", std::nullopt}}).status());
  ASSERT_OK(Load(harness, *target, wanted, {{"1", "a"}, {"3", ""}}).status());
  ExpectRows(harness, "people",
             Rows{{"1", "a"}, {"1", "a"}, {"2", std::nullopt}, {"3", ""}});
}

void AppendsManyBatches(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK_AND_ASSIGN(auto spec, SpecOf(harness, *target, PeopleBy(LoadMode::kAppend)));
  ASSERT_OK_AND_ASSIGN(const auto owned, AcquireFor(*target, &spec));
  ASSERT_OK_AND_ASSIGN(auto writer, target->OpenWriter(spec, {}));
  Rows all;
  for (int batch = 0; batch < 20; ++batch) {
    Rows rows;
    for (int i = 0; i < 50; ++i) rows.push_back({std::to_string(batch * 50 + i), "x"});
    ASSERT_OK_AND_ASSIGN(const auto delivered, DeliveredBatch(spec, rows));
    // A slice must be taken for what it shows, not for what lies behind it.
    ASSERT_OK(writer->Append(*delivered->Slice(0, 25), {}));
    ASSERT_OK(writer->Append(*delivered->Slice(25), {}));
    all.insert(all.end(), rows.begin(), rows.end());
  }
  ASSERT_OK_AND_ASSIGN(const auto receipt, writer->Finish({}));
  EXPECT_EQ(receipt.rows, 1000);
  LoadRecord record = RecordOf(spec, owned.last);
  record.rows = receipt.rows;
  ASSERT_OK_AND_ASSIGN(const auto result,
                       target->Commit(spec, record, {&receipt, 1}, {}, {}));
  EXPECT_EQ(result.rows_written, 1000);
  ExpectRows(harness, "people", all);
}

void AppendsWhatTheTargetHasInAnotherOrder(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, PeopleBy(LoadMode::kAppend), {{"1", "a"}}).status());
  auto wanted = PeopleBy(LoadMode::kAppend);
  std::swap(wanted.schema.fields[0], wanted.schema.fields[1]);
  ASSERT_OK(Load(harness, *target, wanted, {{"b", "2"}}).status());
  ExpectRows(harness, "people", Rows{{"1", "a"}, {"2", "b"}});
}

void RefusesAColumnThatTheTargetLacks(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, PeopleBy(LoadMode::kAppend), {{"1", "a"}}).status());
  auto wanted = PeopleBy(LoadMode::kAppend);
  wanted.schema.fields.push_back({"extra", {DType::kString}, true, {}});
  const auto spec = SpecOf(harness, *target, wanted);
  ASSERT_FALSE(spec.ok());
  EXPECT_EQ(ClassOf(spec.status()), ErrorClass::kConfig) << spec.status();
  EXPECT_NE(spec.status().message().find("extra"), std::string::npos) << spec.status();
}

void EmptyBatchMakesAnEmptyTable(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK_AND_ASSIGN(const auto result,
                       Load(harness, *target, PeopleBy(LoadMode::kAppend), {}));
  EXPECT_EQ(result.rows_written, 0);
  ExpectRows(harness, "people", Rows{});
}

void OddNamesAreWritten(Harness& harness) {
  Wanted wanted;
  wanted.table = "Ördér \"x\".y";
  for (const std::string name :
       {"select", "Ünï çödé", "a\"b", "a b", "semi;colon", "UPPER"}) {
    wanted.schema.fields.push_back({name, {DType::kInt64}, true, {}});
  }
  const Rows rows = {{"1", "2", "3", "4", "5", "6"}};
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, wanted, rows).status());
  ASSERT_OK(Load(harness, *target, wanted, rows).status());
  ExpectRows(harness, wanted.table, Rows{rows[0], rows[0]});
}

void ReplaceLeavesTheNewRowsOnly(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, PeopleBy(LoadMode::kReplace), {{"1", "a"}}).status());
  ASSERT_OK_AND_ASSIGN(
      const auto result,
      Load(harness, *target, PeopleBy(LoadMode::kReplace), {{"2", "b"}, {"3", "c"}}));
  EXPECT_EQ(result.rows_written, 2);
  ExpectRows(harness, "people", Rows{{"2", "b"}, {"3", "c"}});
  ASSERT_OK(Load(harness, *target, PeopleBy(LoadMode::kReplace), {}).status());
  ExpectRows(harness, "people", Rows{});
}

void GuardsStopAReplace(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  Rows many;
  for (int i = 0; i < 200; ++i) many.push_back({std::to_string(i), "x"});
  const auto wanted = PeopleBy(LoadMode::kReplace);
  ASSERT_OK(Load(harness, *target, wanted, many).status());
  CommitGuards shrink;
  shrink.max_shrink = 0.5;
  const auto small = Load(harness, *target, wanted, {{"1", "a"}}, shrink);
  EXPECT_EQ(ClassOf(small.status()), ErrorClass::kGuard) << small.status();
  CommitGuards filled;
  filled.allow_empty = false;
  const auto empty = Load(harness, *target, wanted, {}, filled);
  EXPECT_EQ(ClassOf(empty.status()), ErrorClass::kGuard) << empty.status();
  ExpectRows(harness, "people", many);
}

void UpsertUpdatesAndInserts(Harness& harness,
                             const std::vector<std::string>& key_at_creation) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  auto first = PeopleBy(LoadMode::kAppend, key_at_creation);
  ASSERT_OK(Load(harness, *target, first, {{"1", "old"}, {"2", "old"}}).status());
  ASSERT_OK_AND_ASSIGN(
      const auto result,
      Load(harness, *target, PeopleBy(LoadMode::kUpsert, {"id"}),
           {{"2", "first"}, {"3", "new"}, {"2", "last"}, {"4", std::nullopt}}));
  EXPECT_EQ(result.rows_written, 3);
  EXPECT_EQ(result.rows_deduplicated, 1);
  ExpectRows(harness, "people",
             Rows{{"1", "old"}, {"2", "last"}, {"3", "new"}, {"4", std::nullopt}});
}
void UpsertByUniqueKey(Harness& harness) { UpsertUpdatesAndInserts(harness, {"id"}); }
void UpsertWithoutUniqueKey(Harness& harness) { UpsertUpdatesAndInserts(harness, {}); }

void UpsertCreatesTheTable(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, PeopleBy(LoadMode::kUpsert, {"id"}),
                 {{"1", "a"}, {"1", "b"}})
                .status());
  ExpectRows(harness, "people", Rows{{"1", "b"}});
}

void UpsertKeepsTheLatestByColumn(Harness& harness) {
  Wanted wanted = PeopleBy(LoadMode::kUpsert, {"id"});
  wanted.schema.fields.push_back({"at", {DType::kTimestamp}, true, {}});
  wanted.dedup_column = "at";
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, wanted,
                 {{"1", "late", "2024-03-01 00:00:00"},
                  {"1", "early", "2024-02-01 00:00:00"},
                  {"1", "none", std::nullopt},
                  {"2", "first", "2024-01-01 00:00:00"},
                  {"2", "second", "2024-01-01 00:00:00"}})
                .status());
  ExpectRows(harness, "people",
             Rows{{"1", "late", "2024-03-01 00:00:00.000000"},
                  {"2", "second", "2024-01-01 00:00:00.000000"}});
}

void UpsertLeavesOtherColumns(Harness& harness) {
  Wanted wide = PeopleBy(LoadMode::kAppend, {"id"});
  wide.schema.fields.push_back({"note", {DType::kString}, true, {}});
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, wide, {{"1", "a", "kept"}}).status());
  ASSERT_OK(Load(harness, *target, PeopleBy(LoadMode::kUpsert, {"id"}),
                 {{"1", "b"}, {"2", "c"}})
                .status());
  ExpectRows(harness, "people", Rows{{"1", "b", "kept"}, {"2", "c", std::nullopt}});
}

void UpsertByTwoKeys(Harness& harness) {
  Wanted wanted = PeopleBy(LoadMode::kUpsert, {"id", "name"});
  wanted.schema.fields.push_back({"n", {DType::kInt64}, true, {}});
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, wanted, {{"1", "a", "1"}, {"1", "b", "1"}}).status());
  ASSERT_OK(Load(harness, *target, wanted, {{"1", "b", "2"}, {"2", "a", "2"}}).status());
  ExpectRows(harness, "people", Rows{{"1", "a", "1"}, {"1", "b", "2"}, {"2", "a", "2"}});
}

void UpsertRefusesNullKeys(Harness& harness) {
  Wanted wanted = PeopleBy(LoadMode::kUpsert, {"name"});
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, PeopleBy(LoadMode::kAppend), {{"1", "a"}}).status());
  const auto result = Load(harness, *target, wanted, {{"2", "b"}, {"3", std::nullopt}});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(ClassOf(result.status()), ErrorClass::kData) << result.status();
  ExpectRows(harness, "people", Rows{{"1", "a"}});
}

void UpsertCanRefuseDuplicates(Harness& harness) {
  Wanted wanted = PeopleBy(LoadMode::kUpsert, {"id"});
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, wanted, {{"1", "a"}}).status());
  wanted.duplicate_keys_fail = true;
  const auto result = Load(harness, *target, wanted, {{"2", "a"}, {"2", "b"}});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(ClassOf(result.status()), ErrorClass::kData) << result.status();
  ExpectRows(harness, "people", Rows{{"1", "a"}});
}

void UpsertNeedsItsKeyColumns(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  const auto spec = SpecOf(harness, *target, PeopleBy(LoadMode::kUpsert, {"nope"}));
  ASSERT_FALSE(spec.ok());
  EXPECT_EQ(ClassOf(spec.status()), ErrorClass::kConfig) << spec.status();
}

void CountsAndLargestCursors(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  Wanted wanted;
  wanted.schema.fields = {
      {"i", {DType::kInt64}, true, {}},          {"t", {DType::kTimestamp}, true, {}},
      {"z", {DType::kTimestampTz}, true, {}},    {"d", {DType::kDate}, true, {}},
      {"m", {DType::kDecimal, 20, 2}, true, {}}, {"s", {DType::kString}, true, {}},
      {"n", {DType::kInt64}, true, {}}};
  const auto reference = harness.Reference("people");
  ASSERT_OK(Load(harness, *target, wanted,
                 {{"9", "2024-01-01 00:00:00", "2024-01-01 00:00:00+00:00", "2024-02-29",
                   "10.25", "a", std::nullopt},
                  {"10", "2024-01-01 00:00:00.5", "2024-01-01 00:00:01+00:00",
                   "2023-12-31", "9.50", "B", std::nullopt}})
                .status());
  ASSERT_OK_AND_ASSIGN(const auto count, target->CountRows(reference, {}));
  if (count.has_value()) {
    EXPECT_EQ(*count, 2);
  }
  const std::vector<std::string> expected = {"10",
                                             "2024-01-01 00:00:00.500000",
                                             "2024-01-01 00:00:01.000000+00:00",
                                             "2024-02-29",
                                             "10.25",
                                             "a"};
  for (size_t i = 0; i < expected.size(); ++i) {
    const auto& field = wanted.schema.fields[i];
    ASSERT_OK_AND_ASSIGN(const auto largest,
                         target->MaxCursor(reference, field.name, field.type, {}));
    EXPECT_EQ(largest.value_or("none"), expected[i]) << field.name;
  }
  ASSERT_OK_AND_ASSIGN(const auto none,
                       target->MaxCursor(reference, "n", {DType::kInt64}, {}));
  EXPECT_FALSE(none.has_value());
}

void UndeclaredWritesAreUnsupported(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  const std::vector<std::pair<Capability, LoadMode>> modes = {
      {Capability::kAppend, LoadMode::kAppend},
      {Capability::kReplace, LoadMode::kReplace},
      {Capability::kUpsert, LoadMode::kUpsert},
      {Capability::kUpsert, LoadMode::kInsertOnly},
      {Capability::kDelete, LoadMode::kDeleteInsert},
      {Capability::kDelete, LoadMode::kMirror}};
  for (const auto& [capability, mode] : modes) {
    if (harness.Can(capability)) continue;
    const auto spec = SpecOf(harness, *target, PeopleBy(mode, {"id"}));
    ASSERT_FALSE(spec.ok()) << LoadModeName(mode);
    EXPECT_EQ(ClassOf(spec.status()), ErrorClass::kUnsupported) << spec.status();
  }
  if (!harness.Can(Capability::kReadsParquet) && harness.Can(Capability::kAppend)) {
    ASSERT_OK_AND_ASSIGN(auto spec,
                         SpecOf(harness, *target, PeopleBy(LoadMode::kAppend)));
    ASSERT_OK(AcquireFor(*target, &spec).status());
    ASSERT_OK_AND_ASSIGN(auto writer, target->OpenWriter(spec, {}));
    const std::vector<std::string> paths = {"x.parquet"};
    EXPECT_EQ(ClassOf(writer->AppendFiles(paths, {})), ErrorClass::kUnsupported);
    writer->Abort();
  }
}

}  // namespace

std::vector<Case> DestinationCases() {
  return {
      {"CreatesTheTable", kAppend, CreatesTheTable},
      {"AppendsTwice", kAppend, AppendsTwice},
      {"AppendsManyBatches", kAppend, AppendsManyBatches},
      {"AppendsWhatTheTargetHasInAnotherOrder", kAppend,
       AppendsWhatTheTargetHasInAnotherOrder},
      {"RefusesAColumnThatTheTargetLacks", kAppend, RefusesAColumnThatTheTargetLacks},
      {"EmptyBatchMakesAnEmptyTable", kAppend, EmptyBatchMakesAnEmptyTable},
      {"OddNamesAreWritten", kAppend, OddNamesAreWritten},
      {"ReplaceLeavesTheNewRowsOnly", kReplace, ReplaceLeavesTheNewRowsOnly},
      {"GuardsStopAReplace", kReplace, GuardsStopAReplace},
      {"UpsertByUniqueKey", kUpsert, UpsertByUniqueKey},
      {"UpsertWithoutUniqueKey", kUpsert, UpsertWithoutUniqueKey},
      {"UpsertCreatesTheTable", kUpsert, UpsertCreatesTheTable},
      {"UpsertKeepsTheLatestByColumn", kUpsert, UpsertKeepsTheLatestByColumn},
      {"UpsertLeavesOtherColumns", kUpsert, UpsertLeavesOtherColumns},
      {"UpsertByTwoKeys", kUpsert, UpsertByTwoKeys},
      {"UpsertRefusesNullKeys", kUpsert, UpsertRefusesNullKeys},
      {"UpsertCanRefuseDuplicates", kUpsert, UpsertCanRefuseDuplicates},
      {"UpsertNeedsItsKeyColumns", kUpsert, UpsertNeedsItsKeyColumns},
      {"CountsAndLargestCursors", kAppend, CountsAndLargestCursors},
      {"UndeclaredWritesAreUnsupported", static_cast<uint32_t>(Capability::kWrite),
       UndeclaredWritesAreUnsupported},
  };
}

}  // namespace dxt::conformance
