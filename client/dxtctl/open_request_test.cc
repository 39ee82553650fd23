#include "client/dxtctl/open_request.h"

#include <filesystem>
#include <iterator>
#include <optional>
#include <string>

#include <gtest/gtest.h>
#include <stdlib.h>

namespace dxt::ctl {
namespace {

namespace fs = std::filesystem;

class OpenRequestTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "dxt-request-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::optional<OpenRequest> Take(const std::string& what, bool fresh = false) {
    auto taken = OpenRequest::Take(folder_, what, fresh);
    EXPECT_TRUE(taken.ok()) << (taken.ok() ? "" : taken.error().message);
    if (!taken.ok()) return std::nullopt;
    return std::move(*taken);
  }

  fs::path folder_;
};

TEST_F(OpenRequestTest, ACommandGivenAgainBeforeItsAnswerSendsTheSameId) {
  std::string id;
  {
    const auto killed = Take("run p");
    EXPECT_FALSE(killed->repeated());
    id = killed->id();
  }
  auto again = Take("run p");
  EXPECT_TRUE(again->repeated());
  EXPECT_EQ(again->id(), id);
  again->Answered();
  EXPECT_NE(Take("run p")->id(), id);
}

TEST_F(OpenRequestTest, AnsweredRequestsLeaveNoFile) {
  Take("run p")->Answered();
  EXPECT_TRUE(fs::is_empty(folder_ / "requests"));
}

TEST_F(OpenRequestTest, CommandsThatRunBesideEachOtherHaveIdsOfTheirOwn) {
  const auto first = Take("run p");
  const auto second = Take("run p");
  EXPECT_FALSE(second->repeated());
  EXPECT_NE(first->id(), second->id());
}

TEST_F(OpenRequestTest, OtherCommandsDoNotTakeIt) {
  const std::string id = Take("run p")->id();
  const auto other = Take("extract p");
  EXPECT_FALSE(other->repeated());
  EXPECT_NE(other->id(), id);
}

TEST_F(OpenRequestTest, ARequestCanBeGivenUp) {
  const std::string id = Take("run p")->id();
  const auto fresh = Take("run p", /*fresh=*/true);
  EXPECT_FALSE(fresh->repeated());
  EXPECT_NE(fresh->id(), id);
}

TEST_F(OpenRequestTest, ARenewedIdIsWhatIsSentAgain) {
  Take("run p");
  std::string id;
  {
    auto again = Take("run p");
    ASSERT_TRUE(again->Renew().ok());
    EXPECT_FALSE(again->repeated());
    id = again->id();
  }
  EXPECT_EQ(Take("run p")->id(), id);
}

}  // namespace
}  // namespace dxt::ctl
