#include "connectors/file/root.h"

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include <unistd.h>

#include "base/error.h"
#include "connectors/file/file_fixture.h"
#include "connectors/file/location.h"

namespace dxt::file {
namespace {

namespace fs = std::filesystem;

/// A folder of the connection with a secret beside it.
class OutsideTest : public FileTest {
 protected:
  void SetUp() override {
    FileTest::SetUp();
    top_ = folder_;
    folder_ = top_ / "data";
    fs::create_directories(folder_ / "in");
    fs::create_directories(top_ / "other");
    WriteText("../secret.csv", kSecret);
    WriteText("../other/secret.csv", kSecret);
    WriteText("in/good.csv", "a\n1\n");
  }
  void TearDown() override {
    folder_ = top_;
    FileTest::TearDown();
  }

  void ExpectRefused(const arrow::Status& status, const std::string& what) const {
    ASSERT_FALSE(status.ok()) << what;
    const std::string code = GetErrorInfo(status).code;
    EXPECT_TRUE(code == "file.outside" || code == "file.missing")
        << what << ": " << status.ToString();
  }
  arrow::Status Write(const std::string& target, LoadMode mode) {
    Load load;
    const Sample sample = Numbered(1, 1);
    load.schema = sample.schema;
    load.batches = {sample.batch};
    load.target = target;
    load.mode = mode;
    return Run(load).status();
  }
  /// Nothing outside was made or changed.
  void ExpectUntouched() const {
    EXPECT_EQ(ReadText("../secret.csv"), kSecret);
    EXPECT_EQ(ReadText("../other/secret.csv"), kSecret);
    EXPECT_EQ(Names("../other"), std::vector<std::string>{"secret.csv"});
    EXPECT_EQ(Names(".."), (std::vector<std::string>{"data", "other", "secret.csv"}));
  }

  static constexpr char kSecret[] = "a\n42\n";
  fs::path top_;
};

TEST_F(OutsideTest, NoNameLeadsOut) {
  for (const std::string name : {"../secret.csv",
                                 "in/../../secret.csv",
                                 "./../secret.csv",
                                 "..//secret.csv",
                                 "/etc/passwd",
                                 "../*.csv",
                                 "*/../../secret.csv",
                                 "../other",
                                 "../other/",
                                 "..",
                                 "%2e%2e/secret.csv",
                                 "..%2fsecret.csv",
                                 "..\\secret.csv",
                                 "in/..%00/secret.csv",
                                 "file:///etc/passwd",
                                 "file://../secret.csv",
                                 "\u2025/secret.csv",
                                 "../data/../secret.csv",
                                 "~/secret.csv",
                                 "....//secret.csv",
                                 "/proc/self/root/etc/passwd",
                                 "[.][.]/secret.csv",
                                 "?./secret.csv"}) {
    ExpectRefused(Read(name).status, name);
  }
  for (const std::string name : {"../made.csv", "in/../../made.csv", "/made-by-dxt.csv",
                                 "../other/", "..", "file://../made.csv"}) {
    ExpectRefused(Write(name, LoadMode::kReplace), name);
    ExpectRefused(Write(name, LoadMode::kAppend), name);
  }
  ExpectUntouched();
}

TEST_F(OutsideTest, NoLinkLeadsOut) {
  fs::create_symlink("../secret.csv", Path("relative.csv"));
  fs::create_symlink(top_ / "secret.csv", Path("absolute.csv"));
  fs::create_symlink("relative.csv", Path("twice.csv"));
  fs::create_directory_symlink("../other", Path("folder"));
  fs::create_directory_symlink(top_, Path("in/up"));
  fs::create_symlink("../nothing.csv", Path("dangling.csv"));
  fs::create_symlink("/proc/self/cwd", Path("magic"));
  for (const std::string name :
       {"relative.csv", "absolute.csv", "twice.csv", "folder/secret.csv", "folder",
        "folder/*.csv", "in/up/secret.csv", "in/up/other", "dangling.csv", "re*.csv",
        "magic"}) {
    ExpectRefused(Read(name).status, name);
  }
  for (const std::string name : {"relative.csv", "absolute.csv", "twice.csv", "folder/",
                                 "folder/made.csv", "in/up/made.csv", "dangling.csv"}) {
    ExpectRefused(Write(name, LoadMode::kReplace), name);
    ExpectRefused(Write(name, LoadMode::kAppend), name);
  }
  ExpectUntouched();
  // What stays inside is followed, the connection's own path too.
  fs::create_symlink("in/good.csv", Path("inside.csv"));
  fs::create_symlink("../in/good.csv", Path("in/around.csv"));
  EXPECT_EQ(Read("inside.csv").lines, std::vector<std::string>{"1"});
  EXPECT_EQ(Read("in/around.csv").lines, std::vector<std::string>{"1"});
  fs::create_directory_symlink("data", top_ / "alias");
  folder_ = top_ / "alias";
  EXPECT_EQ(Read("inside.csv").lines, std::vector<std::string>{"1"});
  EXPECT_TRUE(Write("made.csv", LoadMode::kReplace).ok());
}

TEST_F(OutsideTest, ALinkSwappedInMeanwhileLeadsNowhere) {
  // `here` is by turns a folder of good rows and a link to the secret's.
  fs::create_directories(Path("good"));
  WriteText("good/secret.csv", "a\n1\n");
  fs::create_directory_symlink("../other", Path("bad"));
  fs::rename(Path("good"), Path("here"));
  std::atomic<bool> stop{false};
  std::thread swapper([&] {
    const std::string here = Path("here"), bad = Path("bad"), away = Path("away");
    while (!stop) {
      rename(here.c_str(), away.c_str());
      rename(bad.c_str(), here.c_str());
      rename(here.c_str(), bad.c_str());
      rename(away.c_str(), here.c_str());
      for (int i = 0; i < 2000 && !stop; ++i) std::this_thread::yield();
    }
  });
  int good = 0;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  for (int i = 0; (i < 500 || good == 0) && std::chrono::steady_clock::now() < deadline;
       ++i) {
    const Rows rows = Read("here/secret.csv");
    if (rows.status.ok()) {
      ++good;
      EXPECT_EQ(rows.lines, std::vector<std::string>{"1"});
    }
    if (i % 20 == 0) ARROW_UNUSED(Write("here/made.csv", LoadMode::kReplace));
  }
  stop = true;
  swapper.join();
  EXPECT_GT(good, 0);
  EXPECT_EQ(Names("../other"), std::vector<std::string>{"secret.csv"});
  EXPECT_EQ(ReadText("../other/secret.csv"), kSecret);
}

TEST_F(OutsideTest, TheFolderItselfIsMadeWithThoseAboveIt) {
  folder_ = top_ / "new/deep/data";
  EXPECT_TRUE(Write("made.csv", LoadMode::kReplace).ok());
  EXPECT_TRUE(fs::exists(Path("made.csv")));
  folder_ = top_ / "newer/deep/data";
  EXPECT_TRUE(Write("", LoadMode::kAppend).ok());
  EXPECT_TRUE(Write("", LoadMode::kReplace).ok());
  EXPECT_EQ(Read("").table->num_rows(), 1);
}

TEST_F(OutsideTest, RemovingAFolderFollowsNoLink) {
  fs::create_directories(Path("in/deep"));
  fs::create_directory_symlink("../../../other", Path("in/deep/link"));
  EXPECT_EQ(Root::Make(folder_.string()).Remove(Path("in").string()), 0);
  EXPECT_FALSE(fs::exists(Path("in")));
  ExpectUntouched();
}

TEST(MatchGlob, StarsStandForWhatTheySayAndTakeNoTime) {
  EXPECT_TRUE(MatchGlob("/d/*.csv", "/d/a.csv"));
  EXPECT_FALSE(MatchGlob("/d/*.csv", "/d/in/a.csv"));
  EXPECT_TRUE(MatchGlob("/d/**.csv", "/d/in/a.csv"));
  EXPECT_TRUE(MatchGlob("/d/**/a.csv", "/d/a.csv"));
  EXPECT_TRUE(MatchGlob("/d/**/a.csv", "/d/x/y/a.csv"));
  EXPECT_FALSE(MatchGlob("/d/**/a.csv", "/d/xa.csv"));
  EXPECT_TRUE(MatchGlob("*/**/b*c", "a/b/bc"));
  EXPECT_TRUE(MatchGlob("[a-c]?[!x]", "bzz"));
  EXPECT_FALSE(MatchGlob("[a-c]?[!x]", "bzx"));
  std::string pattern;
  for (int i = 0; i < 40; ++i) pattern += "*a";
  EXPECT_FALSE(MatchGlob(pattern + "b", std::string(200, 'a')));
}

}  // namespace
}  // namespace dxt::file
