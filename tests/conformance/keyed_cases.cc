// Modes that find rows of the target by key, and what they take away.
#include <algorithm>

#include "tests/conformance/assertions.h"
#include "tests/conformance/suite.h"

namespace dxt::conformance {
namespace {

constexpr auto kByKey = kWrite | static_cast<uint32_t>(Capability::kUpsert);
constexpr auto kDeletes = kByKey | static_cast<uint32_t>(Capability::kDelete);
constexpr auto kFenced = kDeletes | static_cast<uint32_t>(Capability::kLedger);

Wanted MirrorBy(std::vector<std::string> keys,
                MirrorScope scope = MirrorScope::kDestination) {
  Wanted wanted = PeopleBy(LoadMode::kMirror, std::move(keys));
  wanted.mirror.scope = scope;
  return wanted;
}

Rows Numbered(int first, int last) {
  Rows rows;
  for (int i = first; i <= last; ++i) rows.push_back({std::to_string(i), "x"});
  return rows;
}

void MirrorEndsWithTheSource(Harness& harness,
                             const std::vector<std::string>& key_at_creation) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, PeopleBy(LoadMode::kAppend, key_at_creation),
                 {{"1", "old"}, {"2", "old"}, {"3", "old"}})
                .status());
  ASSERT_OK_AND_ASSIGN(const auto result,
                       Load(harness, *target, MirrorBy({"id"}),
                            {{"2", "first"}, {"4", "new"}, {"2", "last"}}));
  EXPECT_EQ(result.rows_written, 2);
  EXPECT_EQ(result.rows_deleted, 2);
  EXPECT_EQ(result.rows_deduplicated, 1);
  ExpectRows(harness, "people", Rows{{"2", "last"}, {"4", "new"}});
  ASSERT_OK_AND_ASSIGN(const auto last,
                       target->Peek(IdentityOf(harness, MirrorBy({"id"})), {}));
  ASSERT_TRUE(last.has_value());
  EXPECT_EQ(last->rows, 2);
  EXPECT_EQ(last->rows_deleted, 2);
}
void MirrorByUniqueKey(Harness& harness) { MirrorEndsWithTheSource(harness, {"id"}); }
void MirrorWithoutUniqueKey(Harness& harness) { MirrorEndsWithTheSource(harness, {}); }

void MirrorCreatesTheTable(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK_AND_ASSIGN(const auto first, Load(harness, *target, MirrorBy({"id"}),
                                              {{"1", "a"}, {"2", "b"}}));
  EXPECT_EQ(first.rows_deleted, 0);
  ASSERT_OK_AND_ASSIGN(const auto again, Load(harness, *target, MirrorBy({"id"}),
                                              {{"1", "a"}, {"2", "b"}}));
  EXPECT_EQ(again.rows_deleted, 0);
  ExpectRows(harness, "people", Rows{{"1", "a"}, {"2", "b"}});
}

void MirrorByTwoKeys(Harness& harness) {
  Wanted wanted = MirrorBy({"id", "name"});
  wanted.schema.fields.push_back({"n", {DType::kInt64}, true, {}});
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(
      Load(harness, *target, wanted, {{"1", "a", "1"}, {"1", "b", "1"}, {"2", "a", "1"}})
          .status());
  ASSERT_OK_AND_ASSIGN(const auto result, Load(harness, *target, wanted,
                                               {{"1", "b", "2"}, {"2", "b", "2"}}));
  EXPECT_EQ(result.rows_deleted, 2);
  ExpectRows(harness, "people", Rows{{"1", "b", "2"}, {"2", "b", "2"}});
}

void MirrorOfNothingEmptiesTheTarget(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, MirrorBy({"id"}), {{"1", "a"}}).status());
  ASSERT_OK_AND_ASSIGN(const auto result, Load(harness, *target, MirrorBy({"id"}), {}));
  EXPECT_EQ(result.rows_deleted, 1);
  ExpectRows(harness, "people", Rows{});
}

void GuardsStopAMirror(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  const auto wanted = MirrorBy({"id"});
  ASSERT_OK(Load(harness, *target, wanted, Numbered(1, 200)).status());
  const CommitGuards guards = {.max_shrink = 0.5, .allow_empty = false};
  // As many rows come as go: the guard counts those that go.
  for (const auto& rows : {Rows{{"1", "a"}}, Rows{}, Numbered(150, 349)}) {
    const auto stopped = Load(harness, *target, wanted, rows, guards);
    EXPECT_EQ(ClassOf(stopped.status()), ErrorClass::kGuard) << stopped.status();
    ExpectRows(harness, "people", Numbered(1, 200));
  }
  ASSERT_OK_AND_ASSIGN(const auto half,
                       Load(harness, *target, wanted, Numbered(101, 300), guards));
  EXPECT_EQ(half.rows_deleted, 100);
  ExpectRows(harness, "people", Numbered(101, 300));
}

void MirrorThatIsNotCommittedDeletesNothing(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  const auto wanted = MirrorBy({"id"});
  ASSERT_OK(Load(harness, *target, wanted, Numbered(1, 9)).status());
  {
    ASSERT_OK_AND_ASSIGN(auto spec, SpecOf(harness, *target, wanted));
    ASSERT_OK(AcquireFor(*target, &spec).status());
    ASSERT_OK_AND_ASSIGN(const auto receipt, WriteRows(*target, spec, {{"1", "new"}}));
    target->Discard({&receipt, 1});
  }
  target.reset();
  ExpectRows(harness, "people", Numbered(1, 9));
}

void AFencedMirrorDeletesNothing(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  const auto wanted = MirrorBy({"id"});
  ASSERT_OK(Load(harness, *target, wanted, Numbered(1, 9)).status());
  ASSERT_OK_AND_ASSIGN(auto newer, harness.OpenDestination());
  ASSERT_OK_AND_ASSIGN(auto spec, SpecOf(harness, *target, wanted));
  ASSERT_OK_AND_ASSIGN(const auto owned, AcquireFor(*target, &spec));
  auto taken = spec;
  ASSERT_OK(AcquireFor(*newer, &taken).status());
  ASSERT_OK_AND_ASSIGN(const auto receipt, WriteRows(*target, spec, {{"1", "new"}}));
  const auto fenced =
      target->Commit(spec, RecordOf(spec, owned.last), {&receipt, 1}, {}, {});
  EXPECT_EQ(ClassOf(fenced.status()), ErrorClass::kFenced) << fenced.status();
  target->Discard({&receipt, 1});
  target.reset();
  ExpectRows(harness, "people", Numbered(1, 9));
}

void MirrorMarksRowsThatAreGone(Harness& harness) {
  Wanted wanted = MirrorBy({"id"});
  wanted.mirror.soft_delete_column = "gone at";
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, wanted, {{"1", "a"}, {"2", "b"}}).status());
  ASSERT_OK_AND_ASSIGN(const auto one, Load(harness, *target, wanted, {{"2", "c"}}));
  EXPECT_EQ(one.rows_deleted, 1);
  ASSERT_OK_AND_ASSIGN(const auto marked, RowsIn(harness, "people"));
  ASSERT_EQ(marked->size(), 2u);
  EXPECT_EQ((*marked)[0][1], "a") << "other columns keep their values";
  ASSERT_TRUE((*marked)[0][2].has_value());
  EXPECT_GT(*(*marked)[0][2], "2020");
  EXPECT_FALSE((*marked)[1][2].has_value());
  // It is marked once.
  ASSERT_OK_AND_ASSIGN(const auto again, Load(harness, *target, wanted, {{"2", "c"}}));
  EXPECT_EQ(again.rows_deleted, 0);
  ASSERT_OK_AND_ASSIGN(const auto same, RowsIn(harness, "people"));
  EXPECT_EQ(TextOf(*same), TextOf(*marked));
  // A row that comes back lives again.
  ASSERT_OK(Load(harness, *target, wanted, {{"1", "d"}, {"2", "c"}}).status());
  ExpectRows(harness, "people", Rows{{"1", "d", std::nullopt}, {"2", "c", std::nullopt}});
}

void GuardsCountRowsThatLive(Harness& harness) {
  Wanted wanted = MirrorBy({"id"});
  wanted.mirror.soft_delete_column = "gone";
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, wanted, Numbered(1, 1000)).status());
  ASSERT_OK(Load(harness, *target, wanted, Numbered(1, 200)).status());
  const CommitGuards guards = {.max_shrink = 0.5, .allow_empty = false};
  const auto stopped = Load(harness, *target, wanted, Numbered(1, 99), guards);
  EXPECT_EQ(ClassOf(stopped.status()), ErrorClass::kGuard) << stopped.status();
  ASSERT_OK(Load(harness, *target, wanted, Numbered(1, 100), guards).status());
}

void TrackedMirrorLeavesTheRowsOfOthers(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  Wanted theirs = PeopleBy(LoadMode::kAppend, {"id"});
  theirs.pipeline = "suite/others";
  ASSERT_OK(Load(harness, *target, theirs, {{"1", "theirs"}, {"2", "theirs"}}).status());
  Wanted wanted = MirrorBy({"id"}, MirrorScope::kTracked);
  wanted.forget_keys = true;
  ASSERT_OK_AND_ASSIGN(const auto first, Load(harness, *target, wanted,
                                              {{"2", "mine"}, {"3", "a"}, {"4", "b"}}));
  EXPECT_EQ(first.rows_deleted, 0);
  ExpectRows(harness, "people",
             Rows{{"1", "theirs"}, {"2", "mine"}, {"3", "a"}, {"4", "b"}});
  wanted.forget_keys = false;
  ASSERT_OK_AND_ASSIGN(const auto second,
                       Load(harness, *target, wanted, {{"3", "c"}, {"5", "d"}}));
  EXPECT_EQ(second.rows_deleted, 2);
  ExpectRows(harness, "people", Rows{{"1", "theirs"}, {"3", "c"}, {"5", "d"}});
  ASSERT_OK_AND_ASSIGN(const auto none, Load(harness, *target, wanted, {}));
  EXPECT_EQ(none.rows_deleted, 2);
  ExpectRows(harness, "people", Rows{{"1", "theirs"}});
}

void TrackedKeysOfAnotherTargetDeleteNothing(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  Wanted wanted = MirrorBy({"id"}, MirrorScope::kTracked);
  ASSERT_OK(Load(harness, *target, wanted, {{"1", "a"}, {"2", "b"}}).status());
  wanted.forget_keys = true;
  ASSERT_OK_AND_ASSIGN(const auto result, Load(harness, *target, wanted, {{"2", "c"}}));
  EXPECT_EQ(result.rows_deleted, 0);
  ExpectRows(harness, "people", Rows{{"1", "a"}, {"2", "c"}});
  // Row 1 is nobody's from here on.
  wanted.forget_keys = false;
  ASSERT_OK_AND_ASSIGN(const auto after, Load(harness, *target, wanted, {{"3", "d"}}));
  EXPECT_EQ(after.rows_deleted, 1);
  ExpectRows(harness, "people", Rows{{"1", "a"}, {"3", "d"}});
}

void TrackedMirrorOfTwoKeys(Harness& harness) {
  Wanted wanted = MirrorBy({"id", "name"}, MirrorScope::kTracked);
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, wanted,
                 {{"1", "1,2"}, {"11", ",2"}, {"1", "'; x"}, {"2", ""}})
                .status());
  ASSERT_OK_AND_ASSIGN(const auto result, Load(harness, *target, wanted, {{"1", "1,2"}}));
  EXPECT_EQ(result.rows_deleted, 3);
  ExpectRows(harness, "people", Rows{{"1", "1,2"}});
}

void GuardsCountTrackedRows(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  Wanted theirs = PeopleBy(LoadMode::kAppend, {"id"});
  theirs.pipeline = "suite/others";
  ASSERT_OK(Load(harness, *target, theirs, Numbered(1001, 3000)).status());
  Wanted wanted = MirrorBy({"id"}, MirrorScope::kTracked);
  wanted.forget_keys = true;
  ASSERT_OK(Load(harness, *target, wanted, Numbered(1, 200)).status());
  wanted.forget_keys = false;
  const CommitGuards guards = {.max_shrink = 0.5, .allow_empty = false};
  for (const auto& rows : {Numbered(1, 99), Rows{}}) {
    const auto stopped = Load(harness, *target, wanted, rows, guards);
    EXPECT_EQ(ClassOf(stopped.status()), ErrorClass::kGuard) << stopped.status();
  }
  ASSERT_OK_AND_ASSIGN(const auto count,
                       target->CountRows(harness.Reference("people"), {}));
  EXPECT_EQ(count.value_or(2200), 2200);
}

void InsertOnlyLeavesKnownRows(Harness& harness,
                               const std::vector<std::string>& key_at_creation) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(
      Load(harness, *target, PeopleBy(LoadMode::kAppend, key_at_creation), {{"1", "old"}})
          .status());
  ASSERT_OK_AND_ASSIGN(const auto result,
                       Load(harness, *target, PeopleBy(LoadMode::kInsertOnly, {"id"}),
                            {{"1", "new"}, {"2", "first"}, {"2", "last"}}));
  EXPECT_EQ(result.rows_written, 1);
  EXPECT_EQ(result.rows_deduplicated, 1);
  EXPECT_EQ(result.rows_deleted, 0);
  ExpectRows(harness, "people", Rows{{"1", "old"}, {"2", "last"}});
}
void InsertOnlyByUniqueKey(Harness& harness) {
  InsertOnlyLeavesKnownRows(harness, {"id"});
}
void InsertOnlyWithoutUniqueKey(Harness& harness) {
  InsertOnlyLeavesKnownRows(harness, {});
}

void InsertOnlyCreatesTheTable(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  const auto wanted = PeopleBy(LoadMode::kInsertOnly, {"id"});
  ASSERT_OK_AND_ASSIGN(const auto result,
                       Load(harness, *target, wanted, {{"1", "a"}, {"1", "b"}}));
  EXPECT_EQ(result.rows_written, 1);
  ASSERT_OK_AND_ASSIGN(const auto again, Load(harness, *target, wanted, {{"1", "c"}}));
  EXPECT_EQ(again.rows_written, 0);
  ExpectRows(harness, "people", Rows{{"1", "b"}});
}

void DeleteInsertExchangesTheRowsOfEachKey(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  const auto wanted = PeopleBy(LoadMode::kDeleteInsert, {"id"});
  ASSERT_OK_AND_ASSIGN(
      const auto first,
      Load(harness, *target, wanted, {{"1", "a"}, {"1", "a"}, {"1", "b"}, {"2", "c"}}));
  EXPECT_EQ(first.rows_written, 4) << "a key names a group of rows";
  ASSERT_OK_AND_ASSIGN(const auto second, Load(harness, *target, wanted,
                                               {{"1", "x"}, {"3", "y"}, {"3", "z"}}));
  EXPECT_EQ(second.rows_written, 3);
  EXPECT_EQ(second.rows_deleted, 3);
  EXPECT_EQ(second.rows_deduplicated, 0);
  ExpectRows(harness, "people", Rows{{"1", "x"}, {"2", "c"}, {"3", "y"}, {"3", "z"}});
}

void DeleteInsertOfUniqueKeys(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, PeopleBy(LoadMode::kAppend, {"id"}),
                 {{"1", "a"}, {"2", "b"}})
                .status());
  ASSERT_OK(Load(harness, *target, PeopleBy(LoadMode::kDeleteInsert, {"id"}),
                 {{"1", "x"}, {"3", "y"}})
                .status());
  ExpectRows(harness, "people", Rows{{"1", "x"}, {"2", "b"}, {"3", "y"}});
}

void NullKeysAreRefused(Harness& harness) {
  for (const LoadMode mode :
       {LoadMode::kMirror, LoadMode::kInsertOnly, LoadMode::kDeleteInsert}) {
    ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
    Wanted wanted = PeopleBy(mode, {"name"});
    wanted.mirror.scope = MirrorScope::kDestination;
    wanted.table = std::string(LoadModeName(mode));
    Wanted seed = PeopleBy(LoadMode::kAppend);
    seed.table = wanted.table;
    ASSERT_OK(Load(harness, *target, seed, {{"1", "a"}}).status());
    const auto result = Load(harness, *target, wanted, {{"2", "b"}, {"3", std::nullopt}});
    EXPECT_EQ(ClassOf(result.status()), ErrorClass::kData) << result.status();
    target.reset();
    ExpectRows(harness, wanted.table, Rows{{"1", "a"}});
  }
}

}  // namespace

std::vector<Case> KeyedCases() {
  return {
      {"MirrorByUniqueKey", kFenced, MirrorByUniqueKey},
      {"MirrorWithoutUniqueKey", kFenced, MirrorWithoutUniqueKey},
      {"MirrorCreatesTheTable", kDeletes, MirrorCreatesTheTable},
      {"MirrorByTwoKeys", kDeletes, MirrorByTwoKeys},
      {"MirrorOfNothingEmptiesTheTarget", kDeletes, MirrorOfNothingEmptiesTheTarget},
      {"GuardsStopAMirror", kDeletes, GuardsStopAMirror},
      {"MirrorThatIsNotCommittedDeletesNothing", kDeletes,
       MirrorThatIsNotCommittedDeletesNothing},
      {"AFencedMirrorDeletesNothing", kFenced, AFencedMirrorDeletesNothing},
      {"MirrorMarksRowsThatAreGone", kDeletes, MirrorMarksRowsThatAreGone},
      {"GuardsCountRowsThatLive", kDeletes, GuardsCountRowsThatLive},
      {"TrackedMirrorLeavesTheRowsOfOthers", kDeletes,
       TrackedMirrorLeavesTheRowsOfOthers},
      {"TrackedKeysOfAnotherTargetDeleteNothing", kDeletes,
       TrackedKeysOfAnotherTargetDeleteNothing},
      {"TrackedMirrorOfTwoKeys", kDeletes, TrackedMirrorOfTwoKeys},
      {"GuardsCountTrackedRows", kDeletes, GuardsCountTrackedRows},
      {"InsertOnlyByUniqueKey", kByKey, InsertOnlyByUniqueKey},
      {"InsertOnlyWithoutUniqueKey", kByKey, InsertOnlyWithoutUniqueKey},
      {"InsertOnlyCreatesTheTable", kByKey, InsertOnlyCreatesTheTable},
      {"DeleteInsertExchangesTheRowsOfEachKey", kDeletes,
       DeleteInsertExchangesTheRowsOfEachKey},
      {"DeleteInsertOfUniqueKeys", kDeletes, DeleteInsertOfUniqueKeys},
      {"NullKeysAreRefused", kDeletes, NullKeysAreRefused},
  };
}

}  // namespace dxt::conformance
