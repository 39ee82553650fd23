#include "client/dxtctl/state_folder.h"

#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace dxt::ctl {
namespace {

namespace fs = std::filesystem;

mode_t ModeOf(const fs::path& path) {
  struct stat info{};
  EXPECT_EQ(lstat(path.c_str(), &info), 0) << path;
  return info.st_mode & 0777;
}

class StateFolderTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "dxt-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = fs::canonical(pattern);
    for (const char* name : {"project", "run", "state"})
      fs::create_directory(root_ / name);
    setenv("XDG_RUNTIME_DIR", (root_ / "run").c_str(), 1);
    setenv("XDG_STATE_HOME", (root_ / "state").c_str(), 1);
  }
  void TearDown() override {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }

  StateFolder Opened(const fs::path& anchor) {
    auto folder = OpenStateFolder(anchor);
    EXPECT_TRUE(folder.ok()) << folder.error().message;
    return folder.ok() ? *folder : StateFolder();
  }

  fs::path root_;
};

TEST_F(StateFolderTest, IsBesideTheProjectPrivateAndIgnored) {
  const StateFolder folder = Opened(root_ / "project");
  EXPECT_EQ(folder.path, root_ / "project/.dxt");
  EXPECT_EQ(folder.note, "");
  EXPECT_EQ(ModeOf(folder.path), 0700);
  std::string line;
  std::ifstream(folder.path / ".gitignore") >> line;
  EXPECT_EQ(line, "*");
}

TEST_F(StateFolderTest, SocketIsInThePrivateRuntimeFolder) {
  const StateFolder folder = Opened(root_ / "project");
  EXPECT_EQ(folder.socket.parent_path(), root_ / "run/dxt");
  EXPECT_EQ(ModeOf(root_ / "run/dxt"), 0700);
}

TEST_F(StateFolderTest, SymbolicLinkToAProjectIsTheSameProject) {
  fs::create_directory_symlink(root_ / "project", root_ / "link");
  const StateFolder direct = Opened(root_ / "project");
  const StateFolder linked = Opened(root_ / "link");
  EXPECT_EQ(direct.path, linked.path);
  EXPECT_EQ(direct.socket, linked.socket);
}

TEST_F(StateFolderTest, ProjectsHaveSocketsOfTheirOwn) {
  fs::create_directory(root_ / "other");
  EXPECT_NE(Opened(root_ / "project").socket, Opened(root_ / "other").socket);
}

TEST_F(StateFolderTest, FallsBackWhereTheProjectCannotHoldItAndSaysSoOnce) {
  std::ofstream(root_ / "project/.dxt") << "a file is in the way\n";
  const StateFolder first = Opened(root_ / "project");
  EXPECT_EQ(first.path.parent_path(), root_ / "state/dxt");
  EXPECT_NE(first.note.find((root_ / "project").string()), std::string::npos);
  EXPECT_EQ(ModeOf(first.path), 0700);
  const StateFolder second = Opened(root_ / "project");
  EXPECT_EQ(second.path, first.path);
  EXPECT_EQ(second.note, "");
}

TEST_F(StateFolderTest, RuntimeFolderOpenToOthersIsNotUsed) {
  fs::create_directory(root_ / "run/dxt");
  ASSERT_EQ(chmod((root_ / "run/dxt").c_str(), 0755), 0);
  EXPECT_NE(Opened(root_ / "project").socket.parent_path(), root_ / "run/dxt");
}

TEST_F(StateFolderTest, SocketPathTooLongForTheKernelIsNotUsed) {
  const fs::path deep = root_ / std::string(100, 'd');
  fs::create_directory(deep);
  setenv("XDG_RUNTIME_DIR", deep.c_str(), 1);
  EXPECT_LE(Opened(root_ / "project").socket.string().size(), 107u);
}

TEST_F(StateFolderTest, SharedFolderBelongsToNoProject) {
  const auto folder = OpenSharedStateFolder();
  ASSERT_TRUE(folder.ok());
  EXPECT_EQ((*folder).path, root_ / "state/dxt/shared");
}

}  // namespace
}  // namespace dxt::ctl
