#include "engine/run/watermark.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace dxt {
namespace {

class WatermarkTest : public testing::Test {
 protected:
  WatermarkTest() {
    config_.id = "orders";
    config_.extract.incremental = true;
    config_.extract.watermark_field = "id";
    in_.config = &config_;
    in_.type.dtype = DType::kInt64;
    in_.fingerprint = "same";
    in_.target_exists = true;
    in_.target_empty = false;
    in_.target_ident = "4711";
    in_.cursor_in_target = true;
    in_.cursor_exact = true;
    in_.target_max = [this] { return maximum_; };
  }

  static LoadRecord Load(const std::string& cursor) {
    LoadRecord load;
    load.window_seq = 3;
    load.cursor_after = cursor;
    load.rows = 10;
    load.fingerprint = "same";
    load.target_ident = "4711";
    return load;
  }

  std::string FailureCode() {
    const auto decision = DecideWatermark(in_);
    return decision.ok() ? "ok" : GetErrorInfo(decision.status()).code;
  }

  StreamConfig config_;
  WatermarkInputs in_;
  arrow::Result<std::optional<std::string>> maximum_ = std::optional<std::string>("100");
};

TEST_F(WatermarkTest, FirstLoadOfAMissingTableReadsEverything) {
  in_.target_exists = false;
  const auto decision = DecideWatermark(in_).ValueOrDie();
  EXPECT_FALSE(decision.value);
  EXPECT_EQ(decision.source, "none");
}

TEST_F(WatermarkTest, InitialValueIsReadInclusively) {
  in_.target_exists = false;
  config_.extract.initial_value = "42";
  const auto decision = DecideWatermark(in_).ValueOrDie();
  EXPECT_EQ(decision.value, "42");
  EXPECT_EQ(decision.source, "initial");
  EXPECT_TRUE(decision.inclusive);
}

TEST_F(WatermarkTest, LedgerIsBelievedWhileTheTableIsTheOneItLeft) {
  in_.last = Load("250");
  maximum_ = arrow::Status::IOError("must not be asked");
  const auto decision = DecideWatermark(in_).ValueOrDie();
  EXPECT_EQ(decision.value, "250");
  EXPECT_EQ(decision.source, "target");
  EXPECT_EQ(decision.stored_before, "250");
  EXPECT_FALSE(decision.inclusive);
}

TEST_F(WatermarkTest, AnotherTableThatHoldsTheRowsIsBelieved) {
  in_.last = Load("100");
  in_.target_ident = "4712";
  EXPECT_EQ(DecideWatermark(in_).ValueOrDie().value, "100");
}

TEST_F(WatermarkTest, ATableThatLostRowsStopsTheRun) {
  in_.last = Load("250");
  in_.target_ident = "4712";
  const auto decision = DecideWatermark(in_);
  ASSERT_FALSE(decision.ok());
  const ErrorInfo info = GetErrorInfo(decision.status());
  EXPECT_EQ(info.code, "state.target_behind");
  EXPECT_EQ(info.error_class, ErrorClass::kGuard);
  in_.directive = CursorDirective{CursorDirective::Kind::kAccept, ""};
  EXPECT_EQ(DecideWatermark(in_).ValueOrDie().value, "250");
}

TEST_F(WatermarkTest, ALedgerThatWasEditedStopsTheRun) {
  in_.last = Load("250");
  in_.last->load_id = "L3";
  in_.stored = in_.last;
  EXPECT_EQ(FailureCode(), "ok");
  in_.last->cursor_after = "90";
  EXPECT_EQ(FailureCode(), "state.ledger_changed");
  in_.last->cursor_after = "";
  EXPECT_EQ(FailureCode(), "state.ledger_changed");
  in_.last->cursor_after = "90";
  in_.directive = CursorDirective{CursorDirective::Kind::kSet, "250"};
  EXPECT_EQ(DecideWatermark(in_).ValueOrDie().value, "250");
  in_.directive = CursorDirective{CursorDirective::Kind::kAccept, ""};
  EXPECT_EQ(DecideWatermark(in_).ValueOrDie().value, "90");
  in_.directive.reset();
  // Another state folder has loaded since.
  in_.last->window_seq = 4;
  in_.last->load_id = "L4";
  EXPECT_EQ(DecideWatermark(in_).ValueOrDie().value, "90");
}

TEST_F(WatermarkTest, ALedgerThatLostRowsStopsTheRunUnlessTheTargetLostThemToo) {
  in_.stored = Load("250");
  in_.stored->load_id = "L3";
  in_.last = Load("100");
  in_.last->window_seq = 2;
  EXPECT_EQ(DecideWatermark(in_).ValueOrDie().value, "100") << "an older copy";
  maximum_ = std::optional<std::string>("250");
  EXPECT_EQ(FailureCode(), "state.ledger_changed");
  in_.last.reset();
  EXPECT_EQ(DecideWatermark(in_).ValueOrDie().value, "250") << "the rows tell the same";
  maximum_ = std::optional<std::string>("251");
  EXPECT_EQ(FailureCode(), "state.ledger_changed");
  in_.target_empty = true;
  EXPECT_FALSE(DecideWatermark(in_).ValueOrDie().value);
}

TEST_F(WatermarkTest, AnEmptiedTargetIsLoadedAgainWithAWarning) {
  in_.last = Load("250");
  in_.target_empty = true;
  const auto decision = DecideWatermark(in_).ValueOrDie();
  EXPECT_FALSE(decision.value);
  ASSERT_EQ(decision.warnings.size(), 1u);
  EXPECT_EQ(decision.warnings[0].code, "state.target_missing");
}

TEST_F(WatermarkTest, ACursorOfAChangedStreamIsNotUsed) {
  in_.last = Load("250");
  in_.last->fingerprint = "other";
  EXPECT_EQ(FailureCode(), "state.changed");
  in_.directive = CursorDirective{CursorDirective::Kind::kAccept, ""};
  EXPECT_EQ(DecideWatermark(in_).ValueOrDie().value, "250");
  in_.directive = CursorDirective{CursorDirective::Kind::kReset, ""};
  EXPECT_FALSE(DecideWatermark(in_).ValueOrDie().value);
}

TEST_F(WatermarkTest, ATableFilledByOthersIsContinuedOnlyWhereThatIsSafe) {
  EXPECT_EQ(DecideWatermark(in_).ValueOrDie().value, "100");
  in_.shared_target = true;
  EXPECT_EQ(FailureCode(), "state.unknown_cursor");
  in_.shared_target = false;
  in_.cursor_exact = false;
  EXPECT_EQ(FailureCode(), "state.unknown_cursor");
  config_.extract.initial_value = "7";
  EXPECT_EQ(DecideWatermark(in_).ValueOrDie().value, "7");
}

TEST_F(WatermarkTest, ZeroIsAWatermarkAndNullIsNone) {
  maximum_ = std::optional<std::string>("0");
  EXPECT_EQ(DecideWatermark(in_).ValueOrDie().value, "0");
  maximum_ = std::optional<std::string>();
  EXPECT_FALSE(DecideWatermark(in_).ValueOrDie().value);
}

TEST_F(WatermarkTest, StateNeverOverrulesALedger) {
  config_.extract.watermark_source = WatermarkSource::kState;
  in_.stored = Load("900");
  in_.last = Load("250");
  EXPECT_EQ(DecideWatermark(in_).ValueOrDie().value, "250");
  in_.last.reset();
  const auto decision = DecideWatermark(in_).ValueOrDie();
  EXPECT_EQ(decision.value, "900");
  EXPECT_EQ(decision.source, "state");
}

TEST_F(WatermarkTest, ACursorBelowTheWatermarkNeedsConsentToDuplicates) {
  in_.last = Load("250");
  in_.cli_value = "10";
  EXPECT_EQ(FailureCode(), "cursor.duplicates");
  in_.allow_duplicates = true;
  const auto decision = DecideWatermark(in_).ValueOrDie();
  EXPECT_EQ(decision.value, "10");
  EXPECT_EQ(decision.source, "cli");
  EXPECT_EQ(decision.stored_before, "250");
  in_.allow_duplicates = false;
  config_.load.mode = LoadMode::kUpsert;
  EXPECT_EQ(DecideWatermark(in_).ValueOrDie().value, "10");
}

TEST_F(WatermarkTest, RowsThatAreLeftOutOrLoadedAgainAreWarnedOf) {
  const auto warned = [&] {
    std::string codes;
    for (const auto& warning : DecideWatermark(in_).ValueOrDie().warnings)
      codes += warning.code + " ";
    return codes;
  };
  in_.last = Load("250");
  in_.cli_value = "300";
  EXPECT_EQ(warned(), "cursor.gap ");
  EXPECT_TRUE(DecideWatermark(in_).ValueOrDie().leaves_gap);
  in_.cli_value = "250";
  EXPECT_EQ(warned(), "");
  in_.cli_value.reset();
  in_.directive = CursorDirective{CursorDirective::Kind::kSet, "300"};
  EXPECT_EQ(warned(), "cursor.gap ");
  in_.directive = CursorDirective{CursorDirective::Kind::kSet, "200"};
  EXPECT_EQ(warned(), "cursor.loaded_again ");
  in_.directive = CursorDirective{CursorDirective::Kind::kReset, ""};
  EXPECT_EQ(warned(), "cursor.loaded_again ");
  config_.load.mode = LoadMode::kUpsert;
  EXPECT_EQ(warned(), "");
  config_.load.mode = LoadMode::kAppend;
  in_.target_empty = true;
  EXPECT_EQ(warned(), "");
}

TEST_F(WatermarkTest, AnAcceptedTargetIsNotAskedAboutAgain) {
  in_.last = Load("250");
  in_.target_ident = "";
  EXPECT_EQ(FailureCode(), "state.target_behind");
  in_.last->rows = 0;
  EXPECT_EQ(FailureCode(), "ok");
}

TEST_F(WatermarkTest, WhatWasAcceptedIsToBeWrittenDown) {
  in_.last = Load("250");
  EXPECT_FALSE(DecideWatermark(in_).ValueOrDie().accepted);
  in_.directive = CursorDirective{CursorDirective::Kind::kAccept, ""};
  EXPECT_TRUE(DecideWatermark(in_).ValueOrDie().accepted);
}

TEST_F(WatermarkTest, AFullRefreshHasNoLowerBoundButKeepsTheChain) {
  in_.last = Load("250");
  in_.full_refresh = true;
  const auto decision = DecideWatermark(in_).ValueOrDie();
  EXPECT_FALSE(decision.value);
  EXPECT_EQ(decision.stored_before, "250");
}

}  // namespace
}  // namespace dxt
