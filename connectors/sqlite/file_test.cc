// What a failure leaves of the database file, and files that may not be used.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <functional>

#include "base/error.h"
#include "connectors/sqlite/sqlite_fixture.h"
#include "tests/support/file_limit.h"
#include "tests/support/lock_holder.h"

namespace dxt {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

class FileTest : public SqliteTest {
 protected:
  Names Files() const {
    Names names;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      names.push_back(entry.path().filename());
    }
    return names;
  }
  /// More than SQLite's cache holds, so that it writes before the commit.
  arrow::Status LoadMuch(LoadMode mode = LoadMode::kAppend) {
    std::vector<int64_t> ids(8000);
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int64_t>(i);
    auto target = OpenTarget();
    return Load(*target, mode, ids, std::string(1000, 'x')).status();
  }
};

TEST_F(FileTest, AFullDiskIsSaidAndLeavesNoNewFile) {
  for (const uint64_t room : {0, 3000, 20000, 200000, 4000000}) {
    arrow::Status status;
    {
      const FileLimit limit(room);
      status = LoadMuch();
    }
    const ErrorInfo info = GetErrorInfo(status);
    EXPECT_EQ(info.code, "sqlite.no_space") << room << ": " << status;
    EXPECT_EQ(info.error_class, ErrorClass::kTransient);
    EXPECT_FALSE(info.outcome_unknown);
    EXPECT_EQ(Files(), Names{}) << room;
  }
  ASSERT_TRUE(LoadMuch().ok());
  EXPECT_EQ(Ask("SELECT count(*) FROM items"), "8000\n");
}

TEST_F(FileTest, AFullDiskLeavesAnOlderFileAsItWas) {
  Sql("CREATE TABLE items (id INTEGER, name TEXT); INSERT INTO items VALUES (7, 'old')");
  for (const LoadMode mode : {LoadMode::kAppend, LoadMode::kReplace, LoadMode::kUpsert}) {
    arrow::Status status;
    {
      const FileLimit limit(4000000);
      status = LoadMuch(mode);
    }
    EXPECT_EQ(GetErrorInfo(status).code, "sqlite.no_space") << status;
    EXPECT_EQ(Files(), Names{"shop.db"});
    EXPECT_EQ(Ask("SELECT * FROM items"), "7|old\n");
    EXPECT_EQ(Ask("PRAGMA integrity_check"), "ok\n");
  }
}

TEST_F(FileTest, AFailedFirstLoadTakesItsOwnNewFileAway) {
  {
    auto target = OpenTarget();
    const StreamIdentity identity{"p/x", "items", "sync", "items", "f"};
    ASSERT_TRUE(target->Acquire({&identity, 1}, {}, {}).ok());
    EXPECT_EQ(Files(), Names{"shop.db"});
  }
  EXPECT_EQ(Files(), Names{});
}

TEST_F(FileTest, AFileStaysForWhoeverElseUsesIt) {
  const StreamIdentity identity{"p/x", "other", "sync", "other", "f"};
  // Another stream of this process, and another program that merely has it open.
  auto failing = OpenTarget();
  ASSERT_TRUE(failing->Acquire({&identity, 1}, {}, {}).ok());
  auto other = OpenTarget();
  ASSERT_TRUE(other->Describe("items", {}).ok());
  failing.reset();
  ASSERT_TRUE(Load(*other, LoadMode::kAppend, {1}, "kept").ok());
  other.reset();
  EXPECT_EQ(Ask("SELECT * FROM items"), "1|kept\n");
  fs::remove(path_);
  failing = OpenTarget();
  ASSERT_TRUE(failing->Acquire({&identity, 1}, {}, {}).ok());
  const int program = ::open(path_.c_str(), O_RDONLY);
  failing.reset();
  ::close(program);
  EXPECT_EQ(Files(), Names{"shop.db"});
}

TEST_F(FileTest, ATableOfAnotherProgramKeepsTheFile) {
  const StreamIdentity identity{"p/x", "items", "sync", "items", "f"};
  auto target = OpenTarget();
  ASSERT_TRUE(target->Acquire({&identity, 1}, {}, {}).ok());
  Sql("CREATE TABLE mine (i INTEGER)");
  target.reset();
  EXPECT_EQ(Ask("SELECT count(*) FROM mine"), "0\n");
}

TEST_F(FileTest, AnOlderEmptyFileStays) {
  ::close(::open(path_.c_str(), O_CREAT | O_WRONLY, 0644));
  const StreamIdentity identity{"p/x", "items", "sync", "items", "f"};
  ASSERT_TRUE(OpenTarget()->Acquire({&identity, 1}, {}, {}).ok());
  EXPECT_EQ(Files(), Names{"shop.db"});
}

TEST_F(FileTest, TheWaitForALockLeavesTimeForItsError) {
  Sql("CREATE TABLE items (id INTEGER, name TEXT)");
  const LockHolder holder(path_);
  ASSERT_TRUE(holder.holds());
  const auto start = std::chrono::steady_clock::now();
  const auto status = Load(*OpenTarget("3s"), LoadMode::kAppend, {1}, "a").status();
  const auto waited = std::chrono::steady_clock::now() - start;
  EXPECT_EQ(GetErrorInfo(status).code, "sqlite.locked") << status;
  EXPECT_NE(status.message().find("lock_wait, 3 s"), std::string::npos) << status;
  EXPECT_GT(waited, std::chrono::milliseconds(2600));
  EXPECT_LT(waited, std::chrono::milliseconds(3000));
  // Who comes right after somebody that waited in vain does not wait as long again.
  const auto next = Load(*OpenTarget("60s"), LoadMode::kAppend, {1}, "b").status();
  EXPECT_EQ(GetErrorInfo(next).code, "sqlite.locked") << next;
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
}

/// The exit code of `check` run by another user than root.
int AsNobody(const std::function<int()>& check) {
  const pid_t child = ::fork();
  if (child == 0) {
    constexpr uid_t kNobody = 65534;
    if (::geteuid() == 0 && (::setegid(kNobody) != 0 || ::seteuid(kNobody) != 0)) {
      ::_exit(100);
    }
    ::_exit(check());
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 101;
}

TEST_F(FileTest, WhatAUserMayNotReadOrWriteIsAQuestionOfRights) {
  Sql("CREATE TABLE items (id INTEGER, name TEXT); INSERT INTO items VALUES (1, 'a')");
  const auto refused = [](const arrow::Status& status, const std::string& code) {
    const ErrorInfo info = GetErrorInfo(status);
    return info.code == code && info.error_class == ErrorClass::kAuth &&
           !info.hint.empty();
  };
  const auto read = [&] { return OpenSource()->Check({}); };
  const auto write = [&] {
    return Load(*OpenTarget(), LoadMode::kAppend, {2}, "b").status();
  };
  // The file cannot be read.
  ASSERT_EQ(::chmod(folder_.c_str(), 0755), 0);
  ASSERT_EQ(::chmod(path_.c_str(), 0), 0);
  EXPECT_EQ(AsNobody([&] { return refused(read(), "sqlite.cannot_open") ? 0 : 1; }), 0);
  EXPECT_EQ(AsNobody([&] { return refused(write(), "sqlite.cannot_open") ? 0 : 1; }), 0);
  // It can be read, but neither it nor its folder can be written.
  ASSERT_EQ(::chmod(path_.c_str(), 0444), 0);
  ASSERT_EQ(::chmod(folder_.c_str(), 0555), 0);
  EXPECT_EQ(AsNobody([&] { return read().ok() ? 0 : 1; }), 0);
  EXPECT_EQ(AsNobody([&] { return refused(write(), "sqlite.read_only") ? 0 : 1; }), 0);
  // A new one cannot be made.
  ASSERT_EQ(::chmod(path_.c_str(), 0644), 0);
  ASSERT_EQ(::chmod(folder_.c_str(), 0755), 0);
  fs::remove(path_);
  ASSERT_EQ(::chmod(folder_.c_str(), 0555), 0);
  EXPECT_EQ(AsNobody([&] { return refused(write(), "sqlite.cannot_open") ? 0 : 1; }), 0);
  ASSERT_EQ(::chmod(folder_.c_str(), 0755), 0);
}

}  // namespace
}  // namespace dxt
