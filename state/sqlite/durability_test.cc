// What the store promises about disks: full ones, failing ones, damaged files, backups.
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string_view>
#include <thread>

#include <gtest/gtest.h>

#include "base/error.h"
#include "state/seal.h"
#include "state/sqlite/sqlite_state_store.h"

namespace {

std::atomic<bool> g_disk_full = false;
std::atomic<bool> g_sync_fails = false;
/// Of the database file alone: its log is well.
std::atomic<bool> g_file_sync_fails = false;

bool SyncFails(int fd) {
  if (g_sync_fails || !g_file_sync_fails) return g_sync_fails;
  char path[4096] = "";
  const auto link = "/proc/self/fd/" + std::to_string(fd);
  if (readlink(link.c_str(), path, sizeof path - 1) < 0) return false;
  return std::string_view(path).ends_with("/state.db");
}

ssize_t WriteUnlessFull(int fd, const void* bytes, size_t size, off_t at) {
  if (!g_disk_full) return pwrite(fd, bytes, size, at);
  errno = ENOSPC;
  return -1;
}

}  // namespace

// SQLite's library calls these instead of the C library's.
extern "C" int fdatasync(int fd) {
  if (!SyncFails(fd)) return static_cast<int>(syscall(SYS_fdatasync, fd));
  errno = EIO;
  return -1;
}
extern "C" int fsync(int fd) {
  if (!SyncFails(fd)) return static_cast<int>(syscall(SYS_fsync, fd));
  errno = EIO;
  return -1;
}

namespace dxt {
namespace {

namespace fs = std::filesystem;
constexpr char kNow[] = "2026-11-21T09:00:00.000Z";

class DurabilityTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    sqlite3_vfs* const vfs = sqlite3_vfs_find(nullptr);
    for (const char* call : {"pwrite", "pwrite64"}) {
      vfs->xSetSystemCall(vfs, call,
                          reinterpret_cast<sqlite3_syscall_ptr>(WriteUnlessFull));
    }
  }
  static void TearDownTestSuite() {
    sqlite3_vfs* const vfs = sqlite3_vfs_find(nullptr);
    vfs->xSetSystemCall(vfs, nullptr, nullptr);
  }
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "dxt-disk-XXXXXX").string();
    folder_ = mkdtemp(name.data());
    Open();
  }
  void TearDown() override {
    g_disk_full = false;
    g_sync_fails = false;
    g_file_sync_fails = false;
    store_.reset();
    fs::remove_all(folder_);
  }
  void Open() {
    store_.reset();
    auto made = SqliteStateStore::Make(folder_);
    ASSERT_TRUE(made.ok()) << made.status();
    store_ = std::move(*made);
  }
  arrow::Status Create(const std::string& id, const std::string& sealed = "") {
    NewRun run;
    run.id = id;
    run.project = "shop";
    run.pipeline = "orders";
    run.document_hash = "hash";
    run.created_at = kNow;
    run.sealed_input = sealed;
    return store_->runs().Create(run).status();
  }
  static std::set<std::string> Stored(StateStore& store) {
    RunQuery all;
    all.limit = 1'000'000;
    std::set<std::string> ids;
    for (const auto& run : store.runs().List(all).ValueOrDie()) ids.insert(run.id);
    return ids;
  }
  static std::string CodeOf(const arrow::Status& status) {
    return status.ok() ? "ok" : GetErrorInfo(status).code;
  }
  bool AnyFileHolds(const std::string& text) const {
    for (const auto& entry : fs::directory_iterator(folder_)) {
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string bytes((std::istreambuf_iterator<char>(file)), {});
      if (bytes.find(text) != std::string::npos) return true;
    }
    return false;
  }

  fs::path folder_;
  std::unique_ptr<SqliteStateStore> store_;
};

TEST_F(DurabilityTest, AFullDiskFailsTheCallAndTheStoreGoesOn) {
  ASSERT_TRUE(Create("01A").ok());
  g_disk_full = true;
  const auto status = Create("01B");
  EXPECT_EQ(CodeOf(status), "state.disk_full");
  EXPECT_EQ(GetErrorInfo(status).error_class, ErrorClass::kTransient);
  EXPECT_NE(GetErrorInfo(status).hint.find("disk space"), std::string::npos);
  EXPECT_EQ(CodeOf(store_->runs().Claim("01A", kNow).status()), "state.disk_full");
  EXPECT_EQ(Stored(*store_), (std::set<std::string>{"01A"}));
  g_disk_full = false;
  ASSERT_TRUE(Create("01B").ok());
  ASSERT_TRUE(store_->runs().Claim("01A", kNow).ok());
  Open();
  EXPECT_EQ(Stored(*store_), (std::set<std::string>{"01A", "01B"}));
}

TEST_F(DurabilityTest, WhatWasAcknowledgedOnADiskThatFillsIsThere) {
  std::atomic<bool> done = false;
  std::mutex mutex;
  std::set<std::string> acknowledged;
  std::set<std::string> failed;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 60; ++i) {
        const std::string id = "01R" + std::to_string(thread * 1000 + i);
        const auto status = Create(id);
        std::lock_guard lock(mutex);
        (status.ok() ? acknowledged : failed).insert(id);
        if (status.ok()) continue;
        EXPECT_EQ(CodeOf(status), "state.disk_full") << status;
      }
    });
  }
  std::thread disk([&] {
    while (!done) {
      g_disk_full = !g_disk_full;
      std::this_thread::yield();
    }
    g_disk_full = false;
  });
  for (auto& thread : threads) thread.join();
  done = true;
  disk.join();
  EXPECT_EQ(Stored(*store_), acknowledged);
  Open();
  EXPECT_EQ(Stored(*store_), acknowledged);
  for (const auto& id : failed) EXPECT_TRUE(Create(id).ok());
}

TEST_F(DurabilityTest, AfterAFailedSyncNothingIsWrittenUntilARestart) {
  ASSERT_TRUE(Create("01A").ok());
  g_sync_fails = true;
  EXPECT_EQ(CodeOf(Create("01B")), "state.sync_failed");
  g_sync_fails = false;
  const auto status = Create("01C");
  EXPECT_EQ(CodeOf(status), "state.sync_failed");
  EXPECT_NE(GetErrorInfo(status).hint.find("restart"), std::string::npos);
  EXPECT_TRUE(Stored(*store_).count("01A"));
  Open();
  EXPECT_TRUE(Stored(*store_).count("01A"));
  EXPECT_TRUE(Create("01C").ok());
}

TEST_F(DurabilityTest, TheLogIsFoldedIntoTheFileWhileItGrows) {
  const auto folded = [&] { return fs::file_size(folder_ / "state.db") > (64 << 10); };
  ASSERT_FALSE(folded());
  for (int i = 0; i < 5000 && !folded(); ++i) {
    ASSERT_TRUE(Create("01R" + std::to_string(i)).ok());
  }
  EXPECT_TRUE(folded());
}

TEST_F(DurabilityTest, AFailedSyncOfTheFoldedFileIsTheEndToo) {
  g_file_sync_fails = true;
  std::set<std::string> acknowledged;
  arrow::Status status;
  for (int i = 0; i < 5000 && status.ok(); ++i) {
    const std::string id = "01R" + std::to_string(i);
    status = Create(id);
    if (status.ok()) acknowledged.insert(id);
  }
  EXPECT_EQ(CodeOf(status), "state.sync_failed");
  g_file_sync_fails = false;
  EXPECT_EQ(CodeOf(Create("01Z")), "state.sync_failed");
  Open();
  EXPECT_EQ(Stored(*store_), acknowledged);
  EXPECT_TRUE(Create("01Z").ok());
}

TEST_F(DurabilityTest, ADamagedPageIsFoundAtTheStart) {
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(Create("01R" + std::to_string(i)).ok());
  store_.reset();
  const auto file = folder_ / "state.db";
  const auto pages = fs::file_size(file) / 4096;
  ASSERT_GT(pages, 20u);
  const auto whole = folder_ / "whole";
  fs::copy_file(file, whole);
  for (uint64_t page = 0; page < pages; page += 3) {
    fs::copy_file(whole, file, fs::copy_options::overwrite_existing);
    {
      std::fstream damaged(file, std::ios::in | std::ios::out | std::ios::binary);
      damaged.seekp(static_cast<std::streamoff>(page * 4096));
      damaged << std::string(4096, '\x5a');
    }
    const auto status = SqliteStateStore::Make(folder_).status();
    EXPECT_EQ(CodeOf(status), "state.corrupt") << "page " << page << ": " << status;
    EXPECT_NE(status.message().find(file.string()), std::string::npos);
    EXPECT_NE(GetErrorInfo(status).hint.find("backup"), std::string::npos);
  }
  fs::copy_file(whole, file, fs::copy_options::overwrite_existing);
  EXPECT_TRUE(SqliteStateStore::Make(folder_).ok());
}

TEST_F(DurabilityTest, ACutFileIsRefused) {
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(Create("01R" + std::to_string(i)).ok());
  store_.reset();
  fs::resize_file(folder_ / "state.db", fs::file_size(folder_ / "state.db") / 2);
  EXPECT_EQ(CodeOf(SqliteStateStore::Make(folder_).status()), "state.corrupt");
}

TEST_F(DurabilityTest, ABackupIsWholeWhileWritersGoOn) {
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(Create("00R" + std::to_string(i)).ok());
  const auto before = Stored(*store_);
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int i = 0; !done; ++i) ASSERT_TRUE(Create("01R" + std::to_string(i)).ok());
  });
  const auto copy = folder_ / "backup.db";
  const auto status = store_->BackUp(copy.string());
  done = true;
  writer.join();
  ASSERT_TRUE(status.ok()) << status;
  struct stat about;
  ASSERT_EQ(stat(copy.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
  EXPECT_EQ(CodeOf(store_->BackUp(copy.string())), "state.backup_exists");
  for (const auto& entry : fs::directory_iterator(folder_)) {
    EXPECT_EQ(entry.path().native().find("unfinished"), std::string::npos);
  }

  // The drill: the copy alone, under the name of the state database, in a new folder.
  const auto restored = folder_ / "restored";
  fs::create_directory(restored);
  fs::copy_file(copy, restored / "state.db");
  const auto after = Stored(*store_);
  store_.reset();
  auto opened = SqliteStateStore::Make(restored).ValueOrDie();
  const auto found = Stored(*opened);
  EXPECT_TRUE(std::includes(found.begin(), found.end(), before.begin(), before.end()));
  EXPECT_TRUE(std::includes(after.begin(), after.end(), found.begin(), found.end()));
}

TEST_F(DurabilityTest, ABackupThatFailsLeavesNothing) {
  ASSERT_TRUE(Create("01A").ok());
  const auto copy = (folder_ / "backup.db").string();
  g_disk_full = true;
  EXPECT_EQ(CodeOf(store_->BackUp(copy)), "state.disk_full");
  g_disk_full = false;
  EXPECT_EQ(CodeOf(store_->BackUp((folder_ / "none/backup.db").string())),
            "state.backup_failed");
  for (const auto& entry : fs::directory_iterator(folder_)) {
    EXPECT_EQ(entry.path().native().find("backup"), std::string::npos) << entry;
  }
  EXPECT_TRUE(store_->BackUp(copy).ok());
}

TEST_F(DurabilityTest, SealedValuesAreNotReadableAndGoWithTheRun) {
  const std::string canary = "CANARY-7d1f-hunter2";
  const auto sealer = Sealer::Make(folder_).ValueOrDie();
  const std::string sealed = sealer.Seal("PASSWORD=" + canary, "01A");
  ASSERT_TRUE(Create("01A", sealed).ok());
  EXPECT_FALSE(AnyFileHolds(canary));
  Open();
  const auto input = store_->runs().Input("01A").ValueOrDie().value();
  EXPECT_EQ(sealer.Open(input.sealed_input, "01A").ValueOrDie(), "PASSWORD=" + canary);
  EXPECT_TRUE(AnyFileHolds(sealed.substr(1, 24)));
  RunOutcome outcome;
  outcome.state = "CANCELLED";
  ASSERT_TRUE(store_->runs().Abandon("01A", outcome).ok());
  store_.reset();
  EXPECT_FALSE(AnyFileHolds(sealed.substr(1, 24)));
}

TEST_F(DurabilityTest, TheFilesAreTheOwnersAlone) {
  ASSERT_TRUE(Create("01A").ok());
  for (const auto& entry : fs::directory_iterator(folder_)) {
    struct stat about;
    ASSERT_EQ(stat(entry.path().c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0077, 0u) << entry;
  }
}

TEST_F(DurabilityTest, TheSecondOwnerIsToldOfTheFirst) {
  SqliteStateOptions options;
  options.lock_wait = std::chrono::milliseconds(0);
  const auto status = SqliteStateStore::Make(folder_, options).status();
  EXPECT_EQ(CodeOf(status), "state.in_use");
  EXPECT_NE(status.message().find("process " + std::to_string(getpid())),
            std::string::npos)
      << status;
  store_.reset();
  EXPECT_TRUE(SqliteStateStore::Make(folder_, options).ok());
}

}  // namespace
}  // namespace dxt
