// scd2: a table of versions.
#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "base/clock.h"
#include "connectors/sdk/value_text.h"
#include "tests/conformance/assertions.h"
#include "tests/conformance/suite.h"

namespace dxt::conformance {
namespace {

constexpr auto kVersions = kWrite | static_cast<uint32_t>(Capability::kHistory);
constexpr auto kSeeded = kVersions | kAppend;
constexpr auto kLedgered = kVersions | static_cast<uint32_t>(Capability::kLedger);

Wanted VersionsBy(std::vector<std::string> keys, bool closes_unseen = true) {
  Wanted wanted = PeopleBy(LoadMode::kHistory, std::move(keys));
  wanted.history.valid_from = "valid_from";
  wanted.history.valid_to = "valid to";
  wanted.history.closes_unseen = closes_unseen;
  return wanted;
}

/// `people` as such a load makes it, with the times as columns like others.
Wanted PeopleWithTimes() {
  Wanted wanted = PeopleBy(LoadMode::kAppend);
  wanted.schema.fields.push_back({"valid_from", {DType::kTimestampTz}, false, {}});
  wanted.schema.fields.push_back({"valid to", {DType::kTimestampTz}, true, {}});
  return wanted;
}

std::string FromNow(std::chrono::seconds distance) {
  const auto time = SystemClock().Now() + distance;
  std::string text;
  AppendTimestamp(
      std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch())
          .count(),
      /*nanoseconds=*/false, /*utc=*/true, &text);
  return text;
}

/// The versions without their times, in order of key and time, "open" behind those that
/// hold now. The table's last two columns are the times: each version must begin before
/// it ends, and not before the one below it has ended.
void ExpectVersions(Harness& harness, const Rows& expected, size_t keys = 1,
                    const std::string& table = "people") {
  ASSERT_OK_AND_ASSIGN(auto found, RowsIn(harness, table));
  ASSERT_TRUE(found.has_value());
  const auto key = [&](const Row& row) { return Row(row.begin(), row.begin() + keys); };
  std::sort(found->begin(), found->end(), [&](const Row& a, const Row& b) {
    const auto from = [](const Row& row) { return row[row.size() - 2]; };
    return key(a) != key(b) ? key(a) < key(b) : from(a) < from(b);
  });
  Rows versions;
  for (size_t i = 0; i < found->size(); ++i) {
    const Row& row = (*found)[i];
    const Cell& from = row[row.size() - 2];
    const Cell& to = row.back();
    ASSERT_TRUE(from.has_value()) << TextOf(*found);
    if (to) {
      EXPECT_LT(*from, *to) << TextOf(*found);
    }
    if (i > 0 && key((*found)[i - 1]) == key(row)) {
      const Cell& ended = (*found)[i - 1].back();
      ASSERT_TRUE(ended.has_value()) << "two are open\n" << TextOf(*found);
      EXPECT_LE(*ended, *from) << TextOf(*found);
    }
    Row shown(row.begin(), row.end() - 2);
    shown.push_back(to ? "closed" : "open");
    versions.push_back(std::move(shown));
  }
  EXPECT_EQ(TextOf(versions), TextOf(expected));
}

/// All that is in the table, times too.
std::string Contents(Harness& harness, const std::string& table = "people") {
  const auto found = RowsIn(harness, table);
  return found.ok() && found->has_value() ? TextOf(**found) : "no table";
}

void ARowThatChangesGetsANewVersion(Harness& harness) {
  const auto wanted = VersionsBy({"id"});
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK_AND_ASSIGN(const auto first,
                       Load(harness, *target, wanted, {{"1", "a"}, {"2", "b"}}));
  EXPECT_EQ(first.rows_written, 2);
  ASSERT_OK_AND_ASSIGN(const auto second,
                       Load(harness, *target, wanted, {{"1", "c"}, {"2", "b"}}));
  EXPECT_EQ(second.rows_written, 1);
  EXPECT_EQ(second.rows_deleted, 0);
  EXPECT_EQ(second.rows_deduplicated, 0);
  ExpectVersions(harness, {{"1", "a", "closed"}, {"1", "c", "open"}, {"2", "b", "open"}});
  // The one begins when the other ends: no moment is left out.
  ASSERT_OK_AND_ASSIGN(const auto rows, RowsIn(harness, "people"));
  EXPECT_EQ((*rows)[0][3], (*rows)[1][2]);
  EXPECT_EQ((*rows)[0][2], (*rows)[2][2]) << "one moment a load";
}

void ASecondLoadWithoutChangesWritesNothing(Harness& harness) {
  const auto wanted = VersionsBy({"id"});
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, wanted, {{"1", "a"}, {"2", std::nullopt}}).status());
  const auto before = Contents(harness);
  ASSERT_OK_AND_ASSIGN(const auto again,
                       Load(harness, *target, wanted, {{"2", std::nullopt}, {"1", "a"}}));
  EXPECT_EQ(again.rows_written, 0);
  EXPECT_EQ(again.rows_deleted, 0);
  EXPECT_EQ(Contents(harness), before);
}

void NullIsAValueLikeOthers(Harness& harness) {
  const auto wanted = VersionsBy({"id"});
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  for (const Cell& name : {Cell("a"), Cell(), Cell(""), Cell()}) {
    ASSERT_OK_AND_ASSIGN(const auto result,
                         Load(harness, *target, wanted, {{"1", name}}));
    EXPECT_EQ(result.rows_written, 1);
  }
  ExpectVersions(harness, {{"1", "a", "closed"},
                           {"1", std::nullopt, "closed"},
                           {"1", "", "closed"},
                           {"1", std::nullopt, "open"}});
}

void TextIsComparedBytewise(Harness& harness) {
  const auto wanted = VersionsBy({"id"});
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  for (const char* name : {"a", "A", "a ", "ä", "a\xcc\x88"}) {
    ASSERT_OK_AND_ASSIGN(const auto result,
                         Load(harness, *target, wanted, {{"1", name}}));
    EXPECT_EQ(result.rows_written, 1) << name;
  }
}

void NumbersAreComparedAsValues(Harness& harness) {
  Wanted wanted = VersionsBy({"id"});
  FieldType decimal{DType::kDecimal};
  decimal.precision = 9;
  decimal.scale = 2;
  wanted.schema.fields = {{"id", {DType::kInt64}, false, {}},
                          {"x", {DType::kFloat64}, true, {}},
                          {"d", decimal, true, {}}};
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, wanted,
                 {{"1", "0.0", "1.50"}, {"2", "Infinity", "0"}, {"3", "0.1", "-1"}})
                .status());
  ASSERT_OK_AND_ASSIGN(
      const auto same,
      Load(harness, *target, wanted,
           {{"1", "-0.0", "1.5"}, {"2", "Infinity", "-0"}, {"3", "0.1", "-1.00"}}));
  EXPECT_EQ(same.rows_written, 0);
  ASSERT_OK_AND_ASSIGN(
      const auto other,
      Load(harness, *target, wanted,
           {{"1", "0.0", "1.51"}, {"2", "-Infinity", "0"}, {"3", "0.1", "-1"}}));
  EXPECT_EQ(other.rows_written, 2);
}

void NotANumberIsItself(Harness& harness) {
  Wanted wanted = VersionsBy({"id"});
  wanted.schema.fields = {{"id", {DType::kInt64}, false, {}},
                          {"x", {DType::kFloat64}, true, {}}};
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  const auto first = Load(harness, *target, wanted, {{"1", "NaN"}});
  if (ClassOf(first.status()) == ErrorClass::kData) {
    GTEST_SKIP() << "not held here: " << first.status();
  }
  ASSERT_OK(first.status());
  ASSERT_OK_AND_ASSIGN(const auto same, Load(harness, *target, wanted, {{"1", "NaN"}}));
  EXPECT_EQ(same.rows_written, 0);
  ASSERT_OK_AND_ASSIGN(const auto one, Load(harness, *target, wanted, {{"1", "1"}}));
  EXPECT_EQ(one.rows_written, 1);
  ASSERT_OK_AND_ASSIGN(const auto back, Load(harness, *target, wanted, {{"1", "NaN"}}));
  EXPECT_EQ(back.rows_written, 1);
}

void ARowThatIsGoneIsClosedAndComesBack(Harness& harness) {
  const auto wanted = VersionsBy({"id"});
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, wanted, {{"1", "a"}, {"2", "b"}}).status());
  ASSERT_OK_AND_ASSIGN(const auto gone, Load(harness, *target, wanted, {{"2", "b"}}));
  EXPECT_EQ(gone.rows_deleted, 1);
  EXPECT_EQ(gone.rows_written, 0);
  ExpectVersions(harness, {{"1", "a", "closed"}, {"2", "b", "open"}});
  ASSERT_OK_AND_ASSIGN(const auto still, Load(harness, *target, wanted, {{"2", "b"}}));
  EXPECT_EQ(still.rows_deleted, 0) << "it is closed once";
  ASSERT_OK_AND_ASSIGN(const auto back,
                       Load(harness, *target, wanted, {{"1", "a"}, {"2", "b"}}));
  EXPECT_EQ(back.rows_written, 1) << "also with the values that it had";
  ExpectVersions(harness, {{"1", "a", "closed"}, {"1", "a", "open"}, {"2", "b", "open"}});
}

void KeptRowsStayOpen(Harness& harness) {
  const auto wanted = VersionsBy({"id"}, /*closes_unseen=*/false);
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, wanted, {{"1", "a"}, {"2", "b"}}).status());
  ASSERT_OK_AND_ASSIGN(const auto some, Load(harness, *target, wanted, {{"2", "c"}}));
  EXPECT_EQ(some.rows_written, 1);
  EXPECT_EQ(some.rows_deleted, 0);
  ASSERT_OK_AND_ASSIGN(const auto none, Load(harness, *target, wanted, {}));
  EXPECT_EQ(none.rows_written, 0);
  ExpectVersions(harness, {{"1", "a", "open"}, {"2", "b", "closed"}, {"2", "c", "open"}});
}

void OfEqualKeysTheLastIsTheVersion(Harness& harness) {
  const auto wanted = VersionsBy({"id"});
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK_AND_ASSIGN(const auto first,
                       Load(harness, *target, wanted, {{"1", "a"}, {"1", "b"}}));
  EXPECT_EQ(first.rows_written, 1);
  EXPECT_EQ(first.rows_deduplicated, 1);
  ASSERT_OK_AND_ASSIGN(const auto again,
                       Load(harness, *target, wanted, {{"1", "c"}, {"1", "b"}}));
  EXPECT_EQ(again.rows_written, 0) << "the one that wins is the one that is open";
  Wanted strict = wanted;
  strict.duplicate_keys_fail = true;
  const auto refused = Load(harness, *target, strict, {{"1", "c"}, {"1", "d"}});
  EXPECT_EQ(ClassOf(refused.status()), ErrorClass::kData) << refused.status();
  target.reset();
  ExpectVersions(harness, {{"1", "b", "open"}});
}

void VersionsOfTwoKeys(Harness& harness) {
  Wanted wanted = VersionsBy({"id", "name"});
  wanted.schema.fields.push_back({"n", {DType::kInt64}, true, {}});
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(
      Load(harness, *target, wanted, {{"1", "a", "1"}, {"1", "b", "1"}, {"2", "a", "1"}})
          .status());
  ASSERT_OK_AND_ASSIGN(const auto result, Load(harness, *target, wanted,
                                               {{"1", "b", "2"}, {"2", "a", "1"}}));
  EXPECT_EQ(result.rows_written, 1);
  EXPECT_EQ(result.rows_deleted, 1);
  ExpectVersions(harness,
                 {{"1", "a", "1", "closed"},
                  {"1", "b", "1", "closed"},
                  {"1", "b", "2", "open"},
                  {"2", "a", "1", "open"}},
                 2);
}

void RowsOfNothingButKeysComeAndGo(Harness& harness) {
  const auto wanted = VersionsBy({"id", "name"});
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, wanted, {{"1", "a"}, {"2", "b"}}).status());
  ASSERT_OK_AND_ASSIGN(const auto result,
                       Load(harness, *target, wanted, {{"2", "b"}, {"3", "c"}}));
  EXPECT_EQ(result.rows_written, 1);
  EXPECT_EQ(result.rows_deleted, 1);
  ExpectVersions(harness, {{"1", "a", "closed"}, {"2", "b", "open"}, {"3", "c", "open"}},
                 2);
}

void LoadsOfOneMomentHaveVersionsInOrder(Harness& harness) {
  const auto wanted = VersionsBy({"id"});
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  Rows expected;
  for (int i = 0; i < 12; ++i) {
    const std::string name(1, static_cast<char>('a' + i));
    ASSERT_OK_AND_ASSIGN(const auto result,
                         Load(harness, *target, wanted, {{"1", name}}));
    EXPECT_EQ(result.rows_written, 1);
    expected.push_back({"1", name, i < 11 ? "closed" : "open"});
  }
  ExpectVersions(harness, expected);
}

void VersionsFollowEachOtherWhenTheClockGoesBack(Harness& harness) {
  const std::string ahead = FromNow(std::chrono::hours(1));
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, PeopleWithTimes(),
                 {{"1", "a", ahead, std::nullopt},
                  {"2", "b", ahead, std::nullopt},
                  {"3", "c", FromNow(-std::chrono::hours(1)), ahead}})
                .status());
  const auto wanted = VersionsBy({"id"});
  ASSERT_OK_AND_ASSIGN(const auto result,
                       Load(harness, *target, wanted, {{"1", "x"}, {"3", "c"}}));
  EXPECT_EQ(result.rows_written, 2);
  EXPECT_EQ(result.rows_deleted, 1);
  ExpectVersions(harness, {{"1", "a", "closed"},
                           {"1", "x", "open"},
                           {"2", "b", "closed"},
                           {"3", "c", "closed"},
                           {"3", "c", "open"}});
}

void VersionsFarAheadAreRefused(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  // As others write it who want no NULL.
  ASSERT_OK(Load(harness, *target, PeopleWithTimes(),
                 {{"1", "a", FromNow(-std::chrono::hours(1)),
                   "9999-12-31 00:00:00.000000+00:00"}})
                .status());
  const auto before = Contents(harness);
  const auto result = Load(harness, *target, VersionsBy({"id"}), {{"1", "b"}});
  EXPECT_EQ(GetErrorInfo(result.status()).code, "history.ahead") << result.status();
  target.reset();
  EXPECT_EQ(Contents(harness), before);
}

void TwoOpenVersionsAreRefused(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, PeopleWithTimes(),
                 {{"1", "a", FromNow(-std::chrono::hours(2)), std::nullopt},
                  {"1", "b", FromNow(-std::chrono::hours(1)), std::nullopt}})
                .status());
  const auto before = Contents(harness);
  const auto result = Load(harness, *target, VersionsBy({"id"}), {{"1", "b"}});
  EXPECT_EQ(GetErrorInfo(result.status()).code, "history.two_open") << result.status();
  target.reset();
  EXPECT_EQ(Contents(harness), before);
}

void ATableWithoutColumnsForTheTimesIsRefused(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, PeopleBy(LoadMode::kAppend), {{"1", "a"}}).status());
  const auto result = Load(harness, *target, VersionsBy({"id"}), {{"1", "b"}});
  EXPECT_EQ(ClassOf(result.status()), ErrorClass::kConfig) << result.status();
  target.reset();
  ExpectRows(harness, "people", Rows{{"1", "a"}});
}

void AnUnwatchedColumnOpensNoVersion(Harness& harness) {
  Wanted wanted = VersionsBy({"id"});
  wanted.schema.fields.push_back({"loaded", {DType::kInt64}, true, {}});
  wanted.history.unwatched = {"loaded"};
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, wanted, {{"1", "a", "1"}}).status());
  ASSERT_OK_AND_ASSIGN(const auto same,
                       Load(harness, *target, wanted, {{"1", "a", "2"}}));
  EXPECT_EQ(same.rows_written, 0);
  ASSERT_OK(Load(harness, *target, wanted, {{"1", "b", "3"}}).status());
  ExpectVersions(harness, {{"1", "a", "1", "closed"}, {"1", "b", "3", "open"}});
}

void ALaterVersionStaysOpen(Harness& harness) {
  Wanted wanted = VersionsBy({"id"}, /*closes_unseen=*/false);
  wanted.schema.fields.push_back({"at", {DType::kInt64}, true, {}});
  wanted.dedup_column = "at";
  wanted.keep_newer = true;
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, wanted, {{"1", "new", "5"}}).status());
  ASSERT_OK_AND_ASSIGN(const auto older,
                       Load(harness, *target, wanted, {{"1", "old", "4"}}));
  EXPECT_EQ(older.rows_written, 0);
  ASSERT_OK(
      Load(harness, *target, wanted, {{"1", "newer", "6"}, {"1", "x", "1"}}).status());
  ExpectVersions(harness, {{"1", "new", "5", "closed"}, {"1", "newer", "6", "open"}});
}

void GuardsCountOpenVersions(Harness& harness) {
  const auto numbered = [](int first, int last) {
    Rows rows;
    for (int i = first; i <= last; ++i) rows.push_back({std::to_string(i), "x"});
    return rows;
  };
  const auto wanted = VersionsBy({"id"});
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, wanted, numbered(1, 1000)).status());
  ASSERT_OK(Load(harness, *target, wanted, numbered(1, 200)).status());
  const auto before = Contents(harness);
  const CommitGuards guards = {.max_shrink = 0.5, .allow_empty = false};
  for (const auto& rows : {numbered(1, 99), Rows{}, numbered(150, 349)}) {
    const auto stopped = Load(harness, *target, wanted, rows, guards);
    EXPECT_EQ(ClassOf(stopped.status()), ErrorClass::kGuard) << stopped.status();
    EXPECT_EQ(Contents(harness), before);
  }
  ASSERT_OK_AND_ASSIGN(const auto half,
                       Load(harness, *target, wanted, numbered(1, 100), guards));
  EXPECT_EQ(half.rows_deleted, 100);
}

void VersionsThatAreNotCommittedAreNotThere(Harness& harness) {
  const auto wanted = VersionsBy({"id"});
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, wanted, {{"1", "a"}, {"2", "b"}}).status());
  const auto before = Contents(harness);
  {
    ASSERT_OK_AND_ASSIGN(auto spec, SpecOf(harness, *target, wanted));
    ASSERT_OK(AcquireFor(*target, &spec).status());
    ASSERT_OK_AND_ASSIGN(const auto receipt, WriteRows(*target, spec, {{"1", "new"}}));
    target->Discard({&receipt, 1});
  }
  target.reset();
  EXPECT_EQ(Contents(harness), before);
}

void AFencedLoadClosesAndOpensNothing(Harness& harness) {
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  const auto wanted = VersionsBy({"id"});
  ASSERT_OK(Load(harness, *target, wanted, {{"1", "a"}, {"2", "b"}}).status());
  const auto before = Contents(harness);
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
  EXPECT_EQ(Contents(harness), before);
}

void NullKeysHaveNoVersions(Harness& harness) {
  const auto wanted = VersionsBy({"name"});
  ASSERT_OK_AND_ASSIGN(auto target, harness.OpenDestination());
  ASSERT_OK(Load(harness, *target, wanted, {{"1", "a"}}).status());
  const auto before = Contents(harness);
  const auto result = Load(harness, *target, wanted, {{"2", "b"}, {"3", std::nullopt}});
  EXPECT_EQ(ClassOf(result.status()), ErrorClass::kData) << result.status();
  target.reset();
  EXPECT_EQ(Contents(harness), before);
}

}  // namespace

std::vector<Case> HistoryCases() {
  return {
      {"ARowThatChangesGetsANewVersion", kVersions, ARowThatChangesGetsANewVersion},
      {"ASecondLoadWithoutChangesWritesNothing", kVersions,
       ASecondLoadWithoutChangesWritesNothing},
      {"NullIsAValueLikeOthers", kVersions, NullIsAValueLikeOthers},
      {"TextIsComparedBytewise", kVersions, TextIsComparedBytewise},
      {"NumbersAreComparedAsValues", kVersions, NumbersAreComparedAsValues},
      {"NotANumberIsItself", kVersions, NotANumberIsItself},
      {"ARowThatIsGoneIsClosedAndComesBack", kVersions,
       ARowThatIsGoneIsClosedAndComesBack},
      {"KeptRowsStayOpen", kVersions, KeptRowsStayOpen},
      {"OfEqualKeysTheLastIsTheVersion", kVersions, OfEqualKeysTheLastIsTheVersion},
      {"VersionsOfTwoKeys", kVersions, VersionsOfTwoKeys},
      {"RowsOfNothingButKeysComeAndGo", kVersions, RowsOfNothingButKeysComeAndGo},
      {"LoadsOfOneMomentHaveVersionsInOrder", kVersions,
       LoadsOfOneMomentHaveVersionsInOrder},
      {"VersionsFollowEachOtherWhenTheClockGoesBack", kSeeded,
       VersionsFollowEachOtherWhenTheClockGoesBack},
      {"VersionsFarAheadAreRefused", kSeeded, VersionsFarAheadAreRefused},
      {"TwoOpenVersionsAreRefused", kSeeded, TwoOpenVersionsAreRefused},
      {"ATableWithoutColumnsForTheTimesIsRefused", kSeeded,
       ATableWithoutColumnsForTheTimesIsRefused},
      {"AnUnwatchedColumnOpensNoVersion", kVersions, AnUnwatchedColumnOpensNoVersion},
      {"ALaterVersionStaysOpen", kVersions, ALaterVersionStaysOpen},
      {"GuardsCountOpenVersions", kVersions, GuardsCountOpenVersions},
      {"VersionsThatAreNotCommittedAreNotThere", kVersions,
       VersionsThatAreNotCommittedAreNotThere},
      {"AFencedLoadClosesAndOpensNothing", kLedgered, AFencedLoadClosesAndOpensNothing},
      {"NullKeysHaveNoVersions", kVersions, NullKeysHaveNoVersions},
  };
}

}  // namespace dxt::conformance
