#include "connectors/sdk/guards.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace dxt {
namespace {

constexpr CommitGuards kGuarded = {.max_shrink = 0.5, .allow_empty = false};

std::string CodeOf(const arrow::Status& status) {
  return status.ok() ? "" : GetErrorInfo(status).code;
}

TEST(GuardsTest, AReplaceMayTakeAwayHalfOfTheRows) {
  EXPECT_EQ(CodeOf(CheckGuards(kGuarded, 200, 100)), "");
  EXPECT_EQ(CodeOf(CheckGuards(kGuarded, 200, 99)), "guard.shrink");
  EXPECT_EQ(CodeOf(CheckGuards(kGuarded, 200, 500)), "");
}

TEST(GuardsTest, SmallTablesMayShrinkButNotVanish) {
  EXPECT_EQ(CodeOf(CheckGuards(kGuarded, 99, 1)), "");
  EXPECT_EQ(CodeOf(CheckGuards(kGuarded, 100, 1)), "guard.shrink");
  EXPECT_EQ(CodeOf(CheckGuards(kGuarded, 1, 0)), "guard.empty");
  EXPECT_EQ(CodeOf(CheckGuards(kGuarded, 0, 0)), "");
}

TEST(GuardsTest, NothingIsGuardedUnlessAsked) {
  EXPECT_EQ(CodeOf(CheckGuards({}, 1000000, 0)), "");
  EXPECT_EQ(CodeOf(CheckDeletes({}, 0, 1000000, 1000000)), "");
}

TEST(GuardsTest, NewRowsMakeUpForNoDeletedOnes) {
  EXPECT_EQ(CodeOf(CheckDeletes(kGuarded, 200, 200, 100)), "");
  EXPECT_EQ(CodeOf(CheckDeletes(kGuarded, 200, 200, 101)), "guard.shrink");
  EXPECT_EQ(CodeOf(CheckDeletes(kGuarded, 99, 99, 99)), "");
  EXPECT_EQ(CodeOf(CheckDeletes(kGuarded, 0, 1, 1)), "guard.empty");
  EXPECT_EQ(CodeOf(CheckDeletes(kGuarded, 0, 0, 0)), "");
}

TEST(GuardsTest, TheMessageHasTheCountsAndTheHintTheNextCommand) {
  const auto status = CheckGuards(kGuarded, 200, 7);
  EXPECT_EQ(
      status.message(),
      "The target would shrink from 200 to 7 rows, more than load.max_shrink allows "
      "(50 %); nothing was changed");
  EXPECT_NE(GetErrorInfo(status).hint.find("--accept-shrink"), std::string::npos);
  const auto deletes =
      CheckDeletes({.max_shrink = 0.125, .allow_empty = false}, 9, 200, 191);
  EXPECT_EQ(deletes.message(),
            "191 of the target's 200 rows would be deleted, more than load.max_shrink "
            "allows (12.5 %); nothing was changed");
}

}  // namespace
}  // namespace dxt
