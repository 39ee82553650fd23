#include "connectors/sql/made_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

namespace dxt::sql {
namespace {

namespace fs = std::filesystem;

class MadeFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string folder = (fs::temp_directory_path() / "dxt_made_XXXXXX").string();
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    path_ = (folder_ / "new.db").string();
    Write(path_, "empty");
  }
  void TearDown() override { fs::remove_all(folder_); }

  static void Write(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::app) << text;
  }
  std::unique_ptr<MadeFile> Look() { return MadeFile::Look(path_, {path_ + "-wal"}); }

  fs::path folder_;
  std::string path_;
};

TEST_F(MadeFileTest, AnUntouchedFileGoesWithWhatStandsBesideIt) {
  Write(path_ + "-wal", "log");
  auto file = Look();
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->HasBeside());
  EXPECT_TRUE(file->Remove());
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(MadeFileTest, AFileThatAnybodyHasOpenStays) {
  for (const int mode : {O_RDONLY, O_RDWR}) {
    const int other = ::open(path_.c_str(), mode);
    EXPECT_FALSE(Look()->Remove());
    ::close(other);
  }
  EXPECT_TRUE(fs::exists(path_));
  EXPECT_TRUE(Look()->Remove());
}

TEST_F(MadeFileTest, AFileThatWasWrittenMeanwhileStays) {
  auto file = Look();
  Write(path_, "more");
  EXPECT_FALSE(file->Remove());
  file = Look();
  Write(path_ + "-wal", "log");
  EXPECT_FALSE(file->Remove());
  EXPECT_TRUE(fs::exists(path_));
  EXPECT_TRUE(fs::exists(path_ + "-wal"));
}

TEST_F(MadeFileTest, AnotherFileUnderThatNameOrAnotherNameOfItStays) {
  auto file = Look();
  fs::rename(path_, folder_ / "moved.db");
  Write(path_, "other");
  EXPECT_FALSE(file->Remove());
  fs::create_hard_link(path_, folder_ / "second.db");
  EXPECT_FALSE(Look()->Remove());
  EXPECT_TRUE(fs::exists(path_));
}

TEST_F(MadeFileTest, WhatARemovalThatWasKilledLeftIsSweptUnlessItWasWritten) {
  struct stat info{};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  const std::string aside = (folder_ / ".new.db.").string() +
                            std::to_string(info.st_size) + "-" +
                            std::to_string(info.st_mtim.tv_sec) + "-" +
                            std::to_string(info.st_mtim.tv_nsec) + ".dxt-unused";
  fs::rename(path_, aside);
  const int other = ::open(aside.c_str(), O_RDWR);
  MadeFile::Sweep(path_);
  EXPECT_TRUE(fs::exists(aside)) << "somebody has it open";
  ::close(other);
  MadeFile::Sweep((folder_ / "other.db").string());
  EXPECT_TRUE(fs::exists(aside));
  MadeFile::Sweep(path_);
  EXPECT_TRUE(fs::is_empty(folder_));
  Write(aside, "another size");
  MadeFile::Sweep(path_);
  EXPECT_TRUE(fs::exists(aside));
}

TEST_F(MadeFileTest, WhoOpensItMeanwhileHasItWholeOrNotAtAll) {
  int opened = 0;
  for (int round = 0; round < 200; ++round) {
    fs::remove(path_);
    Write(path_, "empty");
    auto file = Look();
    int descriptor = -1;
    bool removed = false;
    {
      std::jthread opener([&] { descriptor = ::open(path_.c_str(), O_RDWR); });
      removed = file->Remove();
    }
    EXPECT_EQ(removed, descriptor < 0);
    EXPECT_EQ(fs::exists(path_), descriptor >= 0);
    if (descriptor < 0) continue;
    ++opened;
    struct stat info{};
    ASSERT_EQ(::fstat(descriptor, &info), 0);
    EXPECT_EQ(info.st_nlink, 1u);
    ::close(descriptor);
  }
  SUCCEED() << opened << " rounds were disturbed";
}

}  // namespace
}  // namespace dxt::sql
