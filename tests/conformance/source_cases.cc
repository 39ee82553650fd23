#include <chrono>

#include <arrow/api.h>

#include "connectors/sdk/source.h"
#include "tests/conformance/assertions.h"
#include "tests/conformance/suite.h"

namespace dxt::conformance {
namespace {

constexpr auto kRead = static_cast<uint32_t>(Capability::kRead);
constexpr auto kDiscover = kRead | static_cast<uint32_t>(Capability::kDiscover);
constexpr auto kPushdown = kRead | static_cast<uint32_t>(Capability::kPushdown);

const Rows kPeople = {
    {"1", "Ada"}, {"2", std::nullopt}, {"3", ""}, {"4", "Zoë \"Z\" O'Hara"}};

StreamRef RefOf(Harness& harness, const std::string& name) {
  StreamRef ref;
  ref.kind = harness.kind();
  ref.source = harness.Reference(name);
  return ref;
}

/// A seeded and described table.
struct Seeded {
  std::unique_ptr<Source> source;
  StreamRef ref;
  StreamInfo info;
  ReadSpec all;
};

arrow::Result<Seeded> SeedAndDescribe(Harness& harness, const std::string& name,
                                      const StreamSchema& schema, const Rows& rows) {
  ARROW_RETURN_NOT_OK(harness.Seed(name, schema, rows));
  Seeded seeded;
  ARROW_ASSIGN_OR_RAISE(seeded.source, harness.OpenSource());
  seeded.ref = RefOf(harness, name);
  ARROW_ASSIGN_OR_RAISE(seeded.info, seeded.source->Describe(seeded.ref, {}));
  seeded.all = ReadAllOf(seeded.ref, seeded.info);
  return seeded;
}

void CheckIsOk(Harness& harness) {
  ASSERT_OK(harness.Seed("people", People(), kPeople));
  ASSERT_OK_AND_ASSIGN(auto source, harness.OpenSource());
  EXPECT_TRUE(source->Check({}).ok()) << source->Check({});
}

void MissingTableIsConfig(Harness& harness) {
  ASSERT_OK(harness.Seed("people", People(), kPeople));
  ASSERT_OK_AND_ASSIGN(auto source, harness.OpenSource());
  const auto info = source->Describe(RefOf(harness, "peaple"), {});
  ASSERT_FALSE(info.ok());
  EXPECT_EQ(ClassOf(info.status()), ErrorClass::kConfig) << info.status();
  EXPECT_FALSE(GetErrorInfo(info.status()).code.empty());
}

void DiscoverAgreesWithDescribe(Harness& harness) {
  ASSERT_OK(harness.Seed("people", People(), kPeople));
  ASSERT_OK(harness.Seed("others", People(), {}));
  ASSERT_OK_AND_ASSIGN(auto source, harness.OpenSource());
  ASSERT_OK_AND_ASSIGN(const auto streams, source->Discover("", {}));
  ASSERT_EQ(streams.size(), 2u) << "the ledger must not be listed";
  for (const auto& stream : streams) {
    StreamRef ref;
    ref.kind = stream.kind;
    ref.source = stream.reference;
    ASSERT_OK_AND_ASSIGN(const auto described, source->Describe(ref, {}));
    ASSERT_EQ(described.columns.fields.size(), stream.columns.fields.size());
    for (size_t i = 0; i < stream.columns.fields.size(); ++i) {
      EXPECT_EQ(described.columns.fields[i].name, stream.columns.fields[i].name);
      EXPECT_EQ(described.columns.fields[i].type, stream.columns.fields[i].type);
    }
    EXPECT_EQ(described.name, stream.name);
  }
}

void FullReadEqualsSeed(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto seeded,
                       SeedAndDescribe(harness, "people", People(), kPeople));
  ASSERT_OK_AND_ASSIGN(const auto rows, ReadRows(*seeded.source, seeded.all));
  EXPECT_EQ(TextOf(Sorted(rows)), TextOf(Sorted(kPeople)));
}

void SmallBatchesHoldTheSameRows(Harness& harness) {
  Rows many;
  for (int i = 0; i < 100; ++i)
    many.push_back({std::to_string(i), "n" + std::to_string(i)});
  ASSERT_OK_AND_ASSIGN(auto seeded, SeedAndDescribe(harness, "people", People(), many));
  seeded.all.batch_rows = 7;
  ASSERT_OK_AND_ASSIGN(const auto rows, ReadRows(*seeded.source, seeded.all));
  EXPECT_EQ(TextOf(Sorted(rows)), TextOf(Sorted(many)));
  ASSERT_OK_AND_ASSIGN(const auto plan, seeded.source->PlanRead(seeded.all, 1, {}));
  ASSERT_OK_AND_ASSIGN(auto reader,
                       seeded.source->OpenReader(seeded.all, plan.splits[0], {}, {}));
  ASSERT_OK_AND_ASSIGN(const auto step, reader->Next({}));
  ASSERT_NE(step.batch, nullptr);
  EXPECT_LE(step.batch->num_rows(), 7);
}

void EmptyTableHasColumnsAndNoRows(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto seeded, SeedAndDescribe(harness, "people", People(), {}));
  EXPECT_EQ(seeded.info.columns.fields.size(), 2u);
  ASSERT_OK_AND_ASSIGN(const auto rows, ReadRows(*seeded.source, seeded.all));
  EXPECT_TRUE(rows.empty());
}

void OddNamesAreRead(Harness& harness) {
  StreamSchema schema;
  for (const std::string name :
       {"select", "Ünï çödé", "a\"b", "a b", "semi;colon", "UPPER"}) {
    schema.fields.push_back({name, {DType::kInt64}, true, {}});
  }
  const Rows rows = {{"1", "2", "3", "4", "5", "6"}};
  ASSERT_OK_AND_ASSIGN(auto seeded,
                       SeedAndDescribe(harness, "Ördér \"x\".y", schema, rows));
  for (size_t i = 0; i < schema.fields.size(); ++i) {
    EXPECT_EQ(seeded.info.columns.fields.at(i).name, schema.fields[i].name);
  }
  ASSERT_OK_AND_ASSIGN(const auto read, ReadRows(*seeded.source, seeded.all));
  EXPECT_EQ(TextOf(read), TextOf(rows));
}

void ProjectionKeepsTheAskedOrderAndNames(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto seeded,
                       SeedAndDescribe(harness, "people", People(), kPeople));
  ReadSpec spec = seeded.all;
  std::swap(spec.columns[0], spec.columns[1]);
  spec.columns[0].name = "label";
  ASSERT_OK_AND_ASSIGN(const auto plan, seeded.source->PlanRead(spec, 1, {}));
  ASSERT_OK_AND_ASSIGN(auto reader,
                       seeded.source->OpenReader(spec, plan.splits[0], {}, {}));
  EXPECT_EQ(reader->schema()->field(0)->name(), "label");
  EXPECT_EQ(reader->schema()->field(1)->name(), "id");
  spec.columns.pop_back();
  ASSERT_OK_AND_ASSIGN(const auto rows, ReadRows(*seeded.source, spec));
  EXPECT_EQ(TextOf(Sorted(rows)),
            TextOf(Sorted({{"Ada"}, {std::nullopt}, {""}, {"Zoë \"Z\" O'Hara"}})));
}

void SplitsAreTheWhole(Harness& harness) {
  Rows many;
  for (int i = 0; i < 500; ++i) many.push_back({std::to_string(i), "x"});
  ASSERT_OK_AND_ASSIGN(auto seeded, SeedAndDescribe(harness, "people", People(), many));
  ASSERT_OK_AND_ASSIGN(const auto plan, seeded.source->PlanRead(seeded.all, 4, {}));
  EXPECT_GE(plan.splits.size(), 1u);
  EXPECT_LE(plan.splits.size(), 4u);
  Rows rows;
  for (const auto& split : plan.splits) {
    ASSERT_OK_AND_ASSIGN(auto reader,
                         seeded.source->OpenReader(seeded.all, split, std::nullopt, {}));
    while (true) {
      ASSERT_OK_AND_ASSIGN(const auto step, reader->Next({}));
      if (step.batch) {
        ASSERT_OK_AND_ASSIGN(const auto part, SortedRows(*step.batch));
        rows.insert(rows.end(), part.begin(), part.end());
      }
      if (step.end) break;
    }
  }
  EXPECT_EQ(TextOf(Sorted(rows)), TextOf(Sorted(many)));
}

/// Rows that another session brings between two splits are in none of them.
void SplitsSeeOneState(Harness& harness) {
  // A folder has no snapshot: its readers find what is there.
  if (harness.kind() == StreamKind::kFile) return;
  const auto rows_from = [](int first) {
    Rows rows;
    for (int i = first; i < first + 100; ++i) {
      rows.push_back({std::to_string(i), std::string(300, 'x')});
    }
    return rows;
  };
  Rows before = rows_from(0);
  ASSERT_OK_AND_ASSIGN(auto seeded, SeedAndDescribe(harness, "people", People(), before));
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  for (int first = 100; first < 400; first += 100) {
    const Rows more = rows_from(first);
    ASSERT_OK(Load(harness, *target, PeopleBy(LoadMode::kAppend), more).status());
    before.insert(before.end(), more.begin(), more.end());
  }
  ASSERT_OK_AND_ASSIGN(const auto plan, seeded.source->PlanRead(seeded.all, 4, {}));
  ASSERT_GT(plan.splits.size(), 1u);
  Rows rows;
  for (const auto& split : plan.splits) {
    ASSERT_OK_AND_ASSIGN(auto reader,
                         seeded.source->OpenReader(seeded.all, split, std::nullopt, {}));
    while (true) {
      ASSERT_OK_AND_ASSIGN(const auto step, reader->Next({}));
      if (step.batch) {
        ASSERT_OK_AND_ASSIGN(const auto part, SortedRows(*step.batch));
        rows.insert(rows.end(), part.begin(), part.end());
      }
      if (step.end) break;
    }
    ASSERT_OK(Load(harness, *target, PeopleBy(LoadMode::kAppend),
                   rows_from(1000 + 100 * split.number))
                  .status());
  }
  EXPECT_EQ(TextOf(Sorted(rows)), TextOf(Sorted(before)));
}

void PositionsResumeExactly(Harness& harness) {
  Rows many;
  for (int i = 0; i < 50; ++i) many.push_back({std::to_string(i), "x"});
  ASSERT_OK_AND_ASSIGN(auto seeded, SeedAndDescribe(harness, "people", People(), many));
  seeded.all.batch_rows = 8;
  ASSERT_OK_AND_ASSIGN(const auto plan, seeded.source->PlanRead(seeded.all, 1, {}));
  ASSERT_OK_AND_ASSIGN(auto reader,
                       seeded.source->OpenReader(seeded.all, plan.splits[0], {}, {}));
  int64_t before = 0;
  while (true) {
    ASSERT_OK_AND_ASSIGN(const auto step, reader->Next({}));
    if (step.batch) before += step.batch->num_rows();
    if (step.end) break;
    if (!step.position) continue;
    ASSERT_OK_AND_ASSIGN(auto rest, seeded.source->OpenReader(seeded.all, plan.splits[0],
                                                              step.position, {}));
    int64_t after = 0;
    while (true) {
      ASSERT_OK_AND_ASSIGN(const auto more, rest->Next({}));
      if (more.batch) after += more.batch->num_rows();
      if (more.end) break;
    }
    EXPECT_EQ(before + after, 50);
  }
}

void StopEndsARead(Harness& harness) {
  Rows many;
  for (int i = 0; i < 30000; ++i) many.push_back({std::to_string(i), "x"});
  ASSERT_OK_AND_ASSIGN(auto seeded, SeedAndDescribe(harness, "people", People(), many));
  seeded.all.batch_rows = 10;
  ASSERT_OK_AND_ASSIGN(const auto plan, seeded.source->PlanRead(seeded.all, 1, {}));
  ASSERT_OK_AND_ASSIGN(auto reader,
                       seeded.source->OpenReader(seeded.all, plan.splits[0], {}, {}));
  std::stop_source stop;
  ASSERT_OK(reader->Next(stop.get_token()).status());
  stop.request_stop();
  const auto asked = std::chrono::steady_clock::now();
  // What was fetched before the stop may still be handed out.
  auto step = reader->Next(stop.get_token());
  while (step.ok() && !step->end) step = reader->Next(stop.get_token());
  ASSERT_FALSE(step.ok()) << "the stop was not seen before the last of 30,000 rows";
  EXPECT_EQ(ClassOf(step.status()), ErrorClass::kCancelled) << step.status();
  reader.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - asked, std::chrono::seconds(2));
}

void ReadAgainYieldsTheSame(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto seeded,
                       SeedAndDescribe(harness, "people", People(), kPeople));
  ASSERT_OK_AND_ASSIGN(const auto first, ReadRows(*seeded.source, seeded.all));
  ASSERT_OK_AND_ASSIGN(const auto second, ReadRows(*seeded.source, seeded.all));
  EXPECT_EQ(TextOf(Sorted(first)), TextOf(Sorted(second)));
}

void LimitIsKept(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto seeded,
                       SeedAndDescribe(harness, "people", People(), kPeople));
  seeded.all.limit = 3;
  ASSERT_OK_AND_ASSIGN(const auto rows, ReadRows(*seeded.source, seeded.all));
  EXPECT_EQ(rows.size(), 3u);
}

void CountsAreExact(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto seeded,
                       SeedAndDescribe(harness, "people", People(), kPeople));
  ASSERT_OK_AND_ASSIGN(const auto count, seeded.source->CountRows(seeded.all, {}));
  if (count.has_value()) {
    EXPECT_EQ(*count, 4);
  }
}

/// Reads `at` of the rows that a cursor range selects, in the cursor's order.
void ExpectRange(Harness& harness, const FieldType& type, const std::vector<Cell>& values,
                 CursorRange range, const std::vector<Cell>& expected) {
  StreamSchema schema;
  schema.fields = {{"at", type, true, {}}};
  Rows rows;
  for (const auto& value : values) rows.push_back({value});
  static int tables = 0;
  ASSERT_OK_AND_ASSIGN(
      auto seeded,
      SeedAndDescribe(harness, "cursors" + std::to_string(++tables), schema, rows));
  range.name = range.column = "at";
  range.type = seeded.info.columns.fields[0].type;
  seeded.all.cursor = range;
  seeded.all.order_by_cursor = true;
  ASSERT_OK_AND_ASSIGN(const auto read, ReadRows(*seeded.source, seeded.all));
  Rows wanted;
  ASSERT_OK_AND_ASSIGN(const auto normal, NormalForm(range.type, expected));
  for (const auto& value : normal) wanted.push_back({value});
  const bool has_null = range.include_null;
  EXPECT_EQ(TextOf(has_null ? Sorted(read) : read),
            TextOf(has_null ? Sorted(wanted) : wanted));
}

CursorRange Above(const std::string& lower, bool inclusive = false) {
  CursorRange range;
  range.lower = lower;
  range.lower_inclusive = inclusive;
  return range;
}

void CursorRanges(Harness& harness) {
  const std::vector<Cell> ids = {"10", "2", std::nullopt, "-3", "2"};
  const FieldType int64{DType::kInt64};
  ExpectRange(harness, int64, ids, Above("2"), {"10"});
  ExpectRange(harness, int64, ids, Above("2", true), {"2", "2", "10"});
  auto between = Above("-3");
  between.upper = "10";
  ExpectRange(harness, int64, ids, between, {"2", "2"});
  auto with_null = Above("2");
  with_null.include_null = true;
  ExpectRange(harness, int64, ids, with_null, {"10", std::nullopt});
  ExpectRange(harness, int64, ids, CursorRange{}, {"-3", "2", "2", "10"});
}

void CursorsOfEachType(Harness& harness) {
  ExpectRange(harness, {DType::kTimestamp},
              {"2024-01-01 10:00:00", "2024-01-01 10:00:00.5", "2023-12-31 23:59:59"},
              Above("2024-01-01 10:00:00.000000"), {"2024-01-01 10:00:00.5"});
  ExpectRange(harness, {DType::kTimestampTz},
              {"2024-01-01 10:00:00+00:00", "2024-01-01 10:00:00.000001+00:00"},
              Above("2024-01-01 10:00:00.000000+00:00", true),
              {"2024-01-01 10:00:00+00:00", "2024-01-01 10:00:00.000001+00:00"});
  ExpectRange(harness, {DType::kDate}, {"2024-02-28", "2024-02-29", "2024-03-01"},
              Above("2024-02-28"), {"2024-02-29", "2024-03-01"});
  ExpectRange(harness, {DType::kDecimal, 20, 2}, {"9.50", "10.25", "-1.00"},
              Above("9.50"), {"10.25"});
  // Bytewise, whatever the system's own order of letters is.
  ExpectRange(harness, {DType::kString}, {"a", "B", "é", "b"}, Above("B"),
              {"a", "b", "é"});
}

void FiltersPassTheRightRows(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto seeded,
                       SeedAndDescribe(harness, "people", People(), kPeople));
  const auto count = [&](const std::string& column, FilterOp op,
                         std::vector<std::string> values) -> int64_t {
    ReadSpec spec = seeded.all;
    spec.filters = {
        {column, op, std::move(values), seeded.info.columns.Find(column)->type}};
    const auto rows = ReadRows(*seeded.source, spec);
    EXPECT_TRUE(rows.ok()) << rows.status();
    return rows.ok() ? static_cast<int64_t>(rows->size()) : -1;
  };
  EXPECT_EQ(count("id", FilterOp::kGte, {"3"}), 2);
  EXPECT_EQ(count("id", FilterOp::kIn, {"1", "4", "9"}), 2);
  EXPECT_EQ(count("id", FilterOp::kNotIn, {"1"}), 3);
  EXPECT_EQ(count("name", FilterOp::kEq, {"Ada"}), 1);
  EXPECT_EQ(count("name", FilterOp::kEq, {"ada"}), 0);
  EXPECT_EQ(count("name", FilterOp::kEq, {"Zoë \"Z\" O'Hara"}), 1);
  EXPECT_EQ(count("name", FilterOp::kNe, {"Ada"}), 2) << "NULL never passes a filter";
  EXPECT_EQ(count("name", FilterOp::kEq, {"' OR '1'='1"}), 0);
}

void QueriesAndExpressions(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto seeded,
                       SeedAndDescribe(harness, "people", People(), kPeople));
  StreamRef query;
  query.kind = StreamKind::kQuery;
  query.source = "SELECT id FROM " + seeded.ref.source + " WHERE id > 2 -- end";
  ASSERT_OK_AND_ASSIGN(const auto info, seeded.source->Describe(query, {}));
  ASSERT_EQ(info.columns.fields.size(), 1u);
  EXPECT_EQ(info.columns.fields[0].name, "id");
  ASSERT_OK_AND_ASSIGN(const auto rows, ReadRows(*seeded.source, ReadAllOf(query, info)));
  EXPECT_EQ(TextOf(Sorted(rows)), TextOf({{"3"}, {"4"}}));
  ASSERT_OK_AND_ASSIGN(const auto fields,
                       seeded.source->DescribeExpressions(seeded.ref, {"id + 1"}, {}));
  ASSERT_EQ(fields.size(), 1u);
  EXPECT_EQ(fields[0].type.dtype, DType::kInt64);
  ReadSpec spec = seeded.all;
  spec.columns = {{"next", "", "id + 1", fields[0].type, fields[0].native}};
  spec.where = "id < 3";
  ASSERT_OK_AND_ASSIGN(const auto next, ReadRows(*seeded.source, spec));
  EXPECT_EQ(TextOf(Sorted(next)), TextOf({{"2"}, {"3"}}));
}

void UndeclaredReadsAreUnsupported(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto seeded,
                       SeedAndDescribe(harness, "people", People(), kPeople));
  if (!harness.Can(Capability::kSql)) {
    StreamRef query;
    query.kind = StreamKind::kQuery;
    query.source = "SELECT 1";
    EXPECT_EQ(ClassOf(seeded.source->Describe(query, {}).status()),
              ErrorClass::kUnsupported);
    EXPECT_EQ(ClassOf(seeded.source->DescribeExpressions(seeded.ref, {"1"}, {}).status()),
              ErrorClass::kUnsupported);
  }
  if (!harness.Can(Capability::kResume)) {
    ASSERT_OK_AND_ASSIGN(const auto plan, seeded.source->PlanRead(seeded.all, 1, {}));
    const auto reader =
        seeded.source->OpenReader(seeded.all, plan.splits[0], Position{}, {});
    EXPECT_EQ(ClassOf(reader.status()), ErrorClass::kUnsupported) << reader.status();
  }
  if (!harness.Can(Capability::kSplit)) {
    ASSERT_OK_AND_ASSIGN(const auto plan, seeded.source->PlanRead(seeded.all, 8, {}));
    EXPECT_EQ(plan.splits.size(), 1u);
  }
  if (!harness.Can(Capability::kRawValues)) {
    ASSERT_OK_AND_ASSIGN(const auto plan, seeded.source->PlanRead(seeded.all, 1, {}));
    ReadSpec raw = seeded.all;
    raw.columns[0].raw = true;
    const auto reader = seeded.source->OpenReader(raw, plan.splits[0], std::nullopt, {});
    EXPECT_EQ(ClassOf(reader.status()), ErrorClass::kUnsupported) << reader.status();
  }
}

}  // namespace

std::vector<Case> SourceCases() {
  const auto with = [](Capability capability) {
    return kRead | static_cast<uint32_t>(capability);
  };
  return {
      {"CheckIsOk", kRead, CheckIsOk},
      {"MissingTableIsConfig", kRead, MissingTableIsConfig},
      {"DiscoverAgreesWithDescribe", kDiscover, DiscoverAgreesWithDescribe},
      {"FullReadEqualsSeed", kRead, FullReadEqualsSeed},
      {"SmallBatchesHoldTheSameRows", kRead, SmallBatchesHoldTheSameRows},
      {"EmptyTableHasColumnsAndNoRows", kRead, EmptyTableHasColumnsAndNoRows},
      {"OddNamesAreRead", kRead, OddNamesAreRead},
      {"ProjectionKeepsTheAskedOrderAndNames", kRead,
       ProjectionKeepsTheAskedOrderAndNames},
      {"SplitsAreTheWhole", with(Capability::kSplit), SplitsAreTheWhole},
      {"SplitsSeeOneState",
       with(Capability::kSplit) | static_cast<uint32_t>(Capability::kAppend),
       SplitsSeeOneState},
      {"PositionsResumeExactly", with(Capability::kResume), PositionsResumeExactly},
      {"StopEndsARead", kRead, StopEndsARead},
      {"ReadAgainYieldsTheSame", with(Capability::kReadAgain), ReadAgainYieldsTheSame},
      {"LimitIsKept", kPushdown, LimitIsKept},
      {"CountsAreExact", kRead, CountsAreExact},
      {"CursorRanges", kPushdown, CursorRanges},
      {"CursorsOfEachType", kPushdown, CursorsOfEachType},
      {"FiltersPassTheRightRows", kPushdown, FiltersPassTheRightRows},
      {"QueriesAndExpressions", with(Capability::kSql), QueriesAndExpressions},
      {"UndeclaredReadsAreUnsupported", kRead, UndeclaredReadsAreUnsupported},
  };
}

}  // namespace dxt::conformance
