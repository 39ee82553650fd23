#include "base/log.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace dxt {
namespace {

class LogTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name =
        (std::filesystem::temp_directory_path() / "dxt-log-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string Text() {
    std::ifstream file(folder_ / "logs/dxt.log");
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::filesystem::path folder_;
};

TEST_F(LogTest, WritesOneJsonObjectALine) {
  auto log = *Log::Make({folder_ / "logs/dxt.log", LogLevel::kInfo, true});
  log->Write(LogLevel::kWarning, "run_failed", "two\nlines",
             {{"run", "01A"}, {"stream", ""}});
  const auto line = nlohmann::json::parse(Text());
  EXPECT_EQ(line["level"], "warning");
  EXPECT_EQ(line["event"], "run_failed");
  EXPECT_EQ(line["run"], "01A");
  EXPECT_EQ(line["message"], "two\nlines");
  EXPECT_FALSE(line.contains("stream"));
}

TEST_F(LogTest, TextKeepsAnEventOnOneLine) {
  auto log = *Log::Make({folder_ / "logs/dxt.log", LogLevel::kInfo, false});
  log->Write(LogLevel::kInfo, "run_ended", "a\nb", {{"run", "01A"}});
  const std::string text = Text();
  EXPECT_NE(text.find(" info run_ended run=01A a b\n"), std::string::npos) << text;
}

TEST_F(LogTest, LeavesOutWhatIsBelowItsLevel) {
  auto log = *Log::Make({folder_ / "logs/dxt.log", LogLevel::kWarning, true});
  log->Write(LogLevel::kInfo, "quiet", "");
  EXPECT_EQ(Text(), "");
}

TEST_F(LogTest, GoesOnInAnotherFileAndForm) {
  auto log = *Log::Make({folder_ / "first.log", LogLevel::kInfo, true});
  log->Write(LogLevel::kInfo, "before", "");
  ASSERT_TRUE(log->Configure({folder_ / "logs/dxt.log", LogLevel::kDebug, false}).ok());
  log->Write(LogLevel::kDebug, "after", "");
  EXPECT_NE(Text().find(" debug after\n"), std::string::npos) << Text();
  EXPECT_EQ(Text().find("before"), std::string::npos);
}

TEST_F(LogTest, AFileThatCannotBeOpenedIsAnError) {
  std::ofstream(folder_ / "plain") << "x";
  EXPECT_FALSE(Log::Make({folder_ / "plain/dxt.log", LogLevel::kInfo, true}).ok());
}

}  // namespace
}  // namespace dxt
