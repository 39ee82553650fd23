#include "state/seal.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "base/error.h"

namespace dxt {
namespace {

class SealerTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name =
        (std::filesystem::temp_directory_path() / "dxt-seal-XXXXXX").string();
    folder_ = mkdtemp(name.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path Write(const std::string& name, const std::string& text,
                              mode_t mode = 0600) {
    const auto file = folder_ / name;
    std::ofstream(file) << text;
    chmod(file.c_str(), mode);
    return file;
  }
  static std::string CodeOf(const arrow::Status& status) {
    return GetErrorInfo(status).code;
  }
  std::filesystem::path folder_;
};

TEST_F(SealerTest, WhatIsSealedOpensWithTheSameKeyAndRun) {
  const std::string text("PASSWORD=hunter2\0more", 21);
  std::string sealed;
  {
    const auto sealer = Sealer::Make(folder_).ValueOrDie();
    sealed = sealer.Seal(text, "01A");
    EXPECT_NE(sealed, sealer.Seal(text, "01A"));
    EXPECT_EQ(sealed.find("hunter2"), std::string::npos);
  }
  const auto again = Sealer::Make(folder_).ValueOrDie();
  EXPECT_EQ(again.Open(sealed, "01A").ValueOrDie(), text);
  EXPECT_EQ(again.Open(again.Seal("", "01A"), "01A").ValueOrDie(), "");
}

TEST_F(SealerTest, AnotherRunKeyOrByteIsRefused) {
  const auto sealer = Sealer::Make(folder_).ValueOrDie();
  const std::string sealed = sealer.Seal("secret", "01A");
  EXPECT_EQ(CodeOf(sealer.Open(sealed, "01B").status()), "state.unsealable");
  for (size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_EQ(CodeOf(sealer.Open(changed, "01A").status()), "state.unsealable") << i;
    EXPECT_FALSE(sealer.Open(sealed.substr(0, i), "01A").ok()) << i;
  }
  std::filesystem::remove(folder_ / "key");
  const auto other = Sealer::Make(folder_).ValueOrDie();
  EXPECT_EQ(CodeOf(other.Open(sealed, "01A").status()), "state.unsealable");
}

TEST_F(SealerTest, TheKeyIsTheOwnersAlone) {
  ASSERT_TRUE(Sealer::Make(folder_).ok());
  struct stat about;
  ASSERT_EQ(stat((folder_ / "key").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
  EXPECT_EQ(about.st_size, 32);
  chmod((folder_ / "key").c_str(), 0644);
  EXPECT_EQ(CodeOf(Sealer::Make(folder_).status()), "state.key");
}

TEST_F(SealerTest, AKeyFromElsewhereIsBytesOrHexadecimal) {
  const auto raw = Write("raw", std::string(32, 'k'), 0400);
  std::string hex;
  for (int i = 0; i < 32; ++i) hex += "6b";
  const auto sealed = Sealer::MakeFromFile(raw).ValueOrDie().Seal("secret", "01A");
  const auto same = Sealer::MakeFromFile(Write("hex", hex + "\n")).ValueOrDie();
  EXPECT_EQ(same.Open(sealed, "01A").ValueOrDie(), "secret");
}

TEST_F(SealerTest, WhatIsNoKeyIsRefusedAndNeverReplaced) {
  for (const std::string text : {"", "short", "zz"}) {
    EXPECT_EQ(CodeOf(Sealer::MakeFromFile(Write("bad", text)).status()), "state.key");
  }
  Write("key", "damaged");
  EXPECT_EQ(CodeOf(Sealer::Make(folder_).status()), "state.key");
  std::ifstream kept(folder_ / "key");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(kept), {}), "damaged");
  EXPECT_EQ(CodeOf(Sealer::MakeFromFile(folder_ / "none").status()), "state.key");
}

}  // namespace
}  // namespace dxt
