#include "engine/run/backfill.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace dxt {
namespace {

class BackfillTest : public testing::Test {
 protected:
  BackfillTest() {
    config_.id = "events";
    config_.extract.incremental = true;
    config_.extract.watermark_field = "n";
    config_.extract.initial_value = "100";
    in_.config = &config_;
    in_.type.dtype = DType::kInt64;
    in_.identity.fingerprint = "f";
    in_.run = "01NEW";
    in_.cursor_loaded = true;
    Ask("10", "20");
  }

  void Ask(const std::string& from, const std::string& to) {
    in_.from = from;
    in_.to = to;
    in_.own.name = "backfill/" + from + ".." + to;
  }
  static LoadRecord LoadedTo(const std::string& cursor) {
    LoadRecord record;
    record.run = "01OLD";
    record.cursor_after = cursor;
    record.fingerprint = "f";
    return record;
  }
  void Other(const std::string& range, std::optional<std::string> cursor) {
    Lane lane;
    lane.name = "backfill/" + range;
    if (cursor) lane.last = LoadedTo(*cursor);
    in_.others.push_back(lane);
  }
  /// "begin..end", "+" behind it when resumed; or the error's code.
  std::string Decide() {
    const auto decision = DecideBackfill(in_);
    if (!decision.ok()) return GetErrorInfo(decision.status()).code;
    return decision->begin + ".." + decision->end + (decision->resumed ? "+" : "");
  }

  StreamConfig config_;
  BackfillInputs in_;
};

TEST_F(BackfillTest, ALaneIsNamedByItsRange) {
  EXPECT_EQ(RangeOfLane("backfill/a b..2026-01-01 00:00:00"),
            std::pair(std::string("a b"), std::string("2026-01-01 00:00:00")));
  EXPECT_FALSE(RangeOfLane("sync").has_value());
  EXPECT_FALSE(RangeOfLane("backfill/a").has_value());
}

TEST_F(BackfillTest, ItBeginsGoesOnAndEnds) {
  EXPECT_EQ(Decide(), "10..20");
  in_.own.last = LoadedTo("15");
  EXPECT_EQ(Decide(), "15..20+");
  in_.own.last = LoadedTo("20");
  EXPECT_EQ(Decide(), "20..20+");
  EXPECT_TRUE(DecideBackfill(in_)->done);
  in_.mode = LoadMode::kUpsert;
  EXPECT_EQ(Decide(), "10..20");
  in_.mode = LoadMode::kAppend;
  in_.own.given_up = true;
  EXPECT_EQ(Decide(), "10..20");
}

TEST_F(BackfillTest, AnEmptyOrUnreadableRangeIsRefused) {
  Ask("20", "20");
  EXPECT_EQ(Decide(), "backfill.range");
  Ask("20", "3");
  EXPECT_EQ(Decide(), "backfill.range");
  Ask("a", "3");
  EXPECT_EQ(Decide(), "cursor.invalid");
}

TEST_F(BackfillTest, WhatTheRegularRunsAppendIsNotAppendedTwice) {
  Ask("90", "100");
  EXPECT_EQ(Decide(), "90..100");
  Ask("90", "101");
  EXPECT_EQ(Decide(), "backfill.duplicates");
  in_.allow_duplicates = true;
  EXPECT_EQ(Decide(), "90..101");
  in_.allow_duplicates = false;
  in_.mode = LoadMode::kUpsert;
  EXPECT_EQ(Decide(), "90..101");
  in_.mode = LoadMode::kAppend;
  Ask("10", "20");
  config_.extract.initial_value.reset();
  EXPECT_EQ(Decide(), "backfill.duplicates");
}

TEST_F(BackfillTest, ARangeThatOverlapsOneThatRunsIsRefused) {
  Other("15..30", "18");
  EXPECT_EQ(Decide(), "backfill.overlap");
  in_.mode = LoadMode::kUpsert;
  EXPECT_EQ(Decide(), "backfill.overlap");
  in_.others[0].given_up = true;
  EXPECT_EQ(Decide(), "10..20");
  in_.others[0].given_up = false;
  in_.others[0].last.reset();
  EXPECT_EQ(Decide(), "backfill.overlap") << "it has committed nothing yet";
  Ask("30", "40");
  EXPECT_EQ(Decide(), "30..40");
  Ask("1", "15");
  EXPECT_EQ(Decide(), "1..15");
}

TEST_F(BackfillTest, ARangeThatHasJustBegunIsRefusedTooAndOneThatWasLookedAtIsNot) {
  Other("15..30", "30");
  in_.mode = LoadMode::kUpsert;
  const auto decision = *DecideBackfill(in_);
  StreamIdentity own;
  own.lane = in_.own.name;
  const auto code = [&](std::vector<std::string> lanes) {
    const auto checked = CheckNewLanes(decision, own, lanes);
    return checked.ok() ? "" : GetErrorInfo(checked).code;
  };
  EXPECT_EQ(code({}), "");
  EXPECT_EQ(code({"sync", "backfill/10..20", "backfill/15..30"}), "");
  EXPECT_EQ(code({"backfill/20..30", "backfill/1..10", "backfill/a..z"}), "");
  EXPECT_EQ(code({"sync", "backfill/19..30"}), "backfill.overlap");
  EXPECT_EQ(code({"backfill/1..11"}), "backfill.overlap");
}

TEST_F(BackfillTest, OverOneThatEndedOnlyUpsertGoesAgain) {
  Other("15..30", "30");
  EXPECT_EQ(Decide(), "backfill.overlap");
  in_.mode = LoadMode::kUpsert;
  EXPECT_EQ(Decide(), "10..20");
  in_.cursor_loaded = false;
  EXPECT_EQ(Decide(), "backfill.cursor");
}

TEST_F(BackfillTest, ATargetThatWasEmptiedIsLoadedAgain) {
  in_.own.last = LoadedTo("20");
  in_.own.last->rows = 7;
  Other("15..30", "30");
  in_.target_empty = true;
  EXPECT_EQ(Decide(), "10..20");
  EXPECT_TRUE(DecideBackfill(in_)->lost);
  EXPECT_FALSE(DecideBackfill(in_)->Complete());
}

TEST_F(BackfillTest, WhatIsFoundByKeyIsLoadedAgain) {
  in_.own.last = LoadedTo("20");
  Other("15..30", "30");
  in_.mode = LoadMode::kInsertOnly;
  in_.cursor_loaded = false;
  EXPECT_EQ(Decide(), "10..20");
  in_.own.last.reset();
  Ask("90", "120");
  EXPECT_EQ(Decide(), "90..120");
}

TEST_F(BackfillTest, ARunThatWasInterruptedAtItsEndDoesNotBeginAnew) {
  in_.own.last = LoadedTo("20");
  in_.mode = LoadMode::kUpsert;
  EXPECT_FALSE(DecideBackfill(in_)->Complete());
  in_.run = in_.own.last->run;
  EXPECT_TRUE(DecideBackfill(in_)->Complete());
}

TEST_F(BackfillTest, AKeyWhoseRowsAreExchangedLiesWhollyInTheRange) {
  in_.mode = LoadMode::kDeleteInsert;
  EXPECT_EQ(Decide(), "backfill.cursor");
  in_.cursor_is_key = true;
  EXPECT_EQ(Decide(), "10..20");
  Ask("90", "120");
  EXPECT_EQ(Decide(), "backfill.ahead");
  in_.regular = "110";
  EXPECT_EQ(Decide(), "backfill.ahead");
  in_.regular = "120";
  EXPECT_EQ(Decide(), "90..120");
  config_.extract.initial_value.reset();
  EXPECT_EQ(Decide(), "90..120");
  in_.regular = "";
  EXPECT_EQ(Decide(), "backfill.ahead");
}

TEST_F(BackfillTest, TheOneThatRunsIsNamed) {
  Other("15..30", "18");
  in_.others[0].last->run = "01RUN";
  const auto refused = DecideBackfill(in_).status();
  EXPECT_NE(refused.message().find("from 15 to 30"), std::string::npos);
  EXPECT_NE(refused.message().find("01RUN"), std::string::npos);
}

TEST_F(BackfillTest, OnlyIncrementalStreamsThatAddHaveRanges) {
  for (const auto mode : {LoadMode::kReplace, LoadMode::kMirror, LoadMode::kHistory}) {
    in_.mode = mode;
    EXPECT_EQ(Decide(), "backfill.mode");
  }
  in_.mode = LoadMode::kAppend;
  config_.extract.incremental = false;
  EXPECT_EQ(Decide(), "backfill.mode");
}

TEST_F(BackfillTest, AChangedStreamDoesNotGoOn) {
  in_.own.last = LoadedTo("15");
  in_.identity.fingerprint = "g";
  EXPECT_EQ(Decide(), "state.changed");
}

}  // namespace
}  // namespace dxt
