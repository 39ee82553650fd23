#include "state/sqlite/sqlite_state_store.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/error.h"
#include "state/sqlite/facets.h"

namespace dxt {
namespace {

/// An exclusive flock on a file, until destroyed. The file holds the owner's PID. It
/// stays: removing it would let two processes lock two files of one name.
class FileLock {
 public:
  static arrow::Result<std::unique_ptr<FileLock>> Take(
      const std::string& path, std::optional<std::chrono::milliseconds> wait) {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    std::unique_ptr<FileLock> lock(new FileLock(fd));
    const int error = fd < 0 ? errno : Lock(fd, wait);
    if (error == EWOULDBLOCK) return InUse(fd, path);
    if (error != 0) {
      return MakeError(
          ErrorClass::kConfig, "state.lock",
          "cannot lock " + path + ": " + std::strerror(error),
          "Check that the state folder can be written and is on a local disk");
    }
    const std::string pid = std::to_string(getpid()) + "\n";
    // Only for people and for InUse: the lock holds without it.
    (void)!ftruncate(fd, 0);
    (void)!pwrite(fd, pid.data(), pid.size(), 0);
    return lock;
  }
  ~FileLock() {
    if (fd_ >= 0) close(fd_);
  }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(int fd) : fd_(fd) {}

  /// 0 or errno.
  static int Lock(int fd, std::optional<std::chrono::milliseconds> wait) {
    if (!wait) {
      while (flock(fd, LOCK_EX) != 0) {
        if (errno != EINTR) return errno;
      }
      return 0;
    }
    const auto deadline = std::chrono::steady_clock::now() + *wait;
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK && errno != EINTR) return errno;
      if (std::chrono::steady_clock::now() >= deadline) return EWOULDBLOCK;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return 0;
  }

  static arrow::Status InUse(int fd, const std::string& path) {
    char text[32] = "";
    const ssize_t size = pread(fd, text, sizeof text - 1, 0);
    std::string owner(text, size > 0 ? static_cast<size_t>(size) : 0);
    owner = owner.substr(0, owner.find('\n'));
    if (owner.empty()) owner = "unknown";
    return MakeError(ErrorClass::kConfig, "state.in_use",
                     "another dxtd, process " + owner + ", uses this state folder (" +
                         path + " is locked)",
                     "Stop it first, or name another state folder");
  }

  const int fd_;
};

class Store : public SqliteStateStore {
 public:
  Store(std::unique_ptr<FileLock> lock, std::unique_ptr<StateDatabase> database)
      : lock_(std::move(lock)),
        database_(std::move(database)),
        runs_(*database_),
        cursors_(*database_),
        intents_(*database_),
        packages_(*database_),
        dead_letters_(*database_),
        definitions_(*database_),
        schedules_(*database_),
        dependencies_(*database_),
        logs_(*database_),
        audit_(*database_) {}
  arrow::Status Recover() override { return runs_.Recover(); }
  RunStore& runs() override { return runs_; }
  CursorStore& cursors() override { return cursors_; }
  IntentStore& intents() override { return intents_; }
  PackageIndex& packages() override { return packages_; }
  DeadLetterStore& dead_letters() override { return dead_letters_; }
  DefinitionStore& definitions() override { return definitions_; }
  ScheduleStore& schedules() override { return schedules_; }
  DependencyStore& dependencies() override { return dependencies_; }
  LogStore& logs() override { return logs_; }
  AuditStore& audit() override { return audit_; }
  arrow::Status BackUp(const std::string& path) override {
    return database_->BackUp(path);
  }
  arrow::Result<int64_t> FileBytes() override {
    int64_t bytes = 0;
    for (const char* suffix : {"", "-wal"}) {
      std::error_code absent;
      const auto size = std::filesystem::file_size(database_->path() + suffix, absent);
      if (!absent) bytes += static_cast<int64_t>(size);
    }
    return bytes;
  }

 private:
  const std::unique_ptr<FileLock> lock_;  // Outlives the database; null in memory.
  const std::unique_ptr<StateDatabase> database_;
  SqliteRunStore runs_;
  SqliteCursorStore cursors_;
  SqliteIntentStore intents_;
  SqlitePackageIndex packages_;
  SqliteDeadLetterStore dead_letters_;
  SqliteDefinitionStore definitions_;
  SqliteScheduleStore schedules_;
  SqliteDependencyStore dependencies_;
  SqliteLogStore logs_;
  SqliteAuditStore audit_;
};

}  // namespace

arrow::Result<std::unique_ptr<SqliteStateStore>> SqliteStateStore::Make(
    const std::filesystem::path& folder, const SqliteStateOptions& options) {
  ARROW_ASSIGN_OR_RAISE(auto lock,
                        FileLock::Take(folder / "dxtd.lock", options.lock_wait));
  ARROW_ASSIGN_OR_RAISE(auto database, StateDatabase::Open(folder / "state.db"));
  auto store = std::make_unique<Store>(std::move(lock), std::move(database));
  ARROW_RETURN_NOT_OK(store->Recover());
  return store;
}

arrow::Result<std::unique_ptr<SqliteStateStore>> SqliteStateStore::MakeInMemory() {
  ARROW_ASSIGN_OR_RAISE(auto database, StateDatabase::OpenInMemory());
  return std::make_unique<Store>(nullptr, std::move(database));
}

}  // namespace dxt
