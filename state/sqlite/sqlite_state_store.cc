#include "state/sqlite/sqlite_state_store.h"

#include <cerrno>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/error.h"
#include "state/sqlite/facets.h"

namespace dxt {
namespace {

/// An exclusive flock on a file, until destroyed. The file stays: removing it would let
/// two processes lock two files of one name.
class FileLock {
 public:
  static arrow::Result<std::unique_ptr<FileLock>> Take(const std::string& path) {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    std::unique_ptr<FileLock> lock(new FileLock(fd));
    int result = fd < 0 ? -1 : flock(fd, LOCK_EX);
    while (result != 0 && fd >= 0 && errno == EINTR) result = flock(fd, LOCK_EX);
    if (result == 0) return lock;
    return MakeError(ErrorClass::kConfig, "state.lock",
                     "cannot lock " + path + ": " + std::strerror(errno),
                     "Check that the state folder can be written and is on a local disk");
  }
  ~FileLock() {
    if (fd_ >= 0) close(fd_);
  }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(int fd) : fd_(fd) {}
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
        packages_(*database_) {}
  SqliteRunStore& runs() override { return runs_; }
  CursorStore& cursors() override { return cursors_; }
  IntentStore& intents() override { return intents_; }
  PackageIndex& packages() override { return packages_; }

 private:
  const std::unique_ptr<FileLock> lock_;  // Outlives the database.
  const std::unique_ptr<StateDatabase> database_;
  SqliteRunStore runs_;
  SqliteCursorStore cursors_;
  SqliteIntentStore intents_;
  SqlitePackageIndex packages_;
};

}  // namespace

arrow::Result<std::unique_ptr<SqliteStateStore>> SqliteStateStore::Make(
    const std::filesystem::path& folder) {
  ARROW_ASSIGN_OR_RAISE(auto lock, FileLock::Take(folder / "dxtd.lock"));
  ARROW_ASSIGN_OR_RAISE(auto database, StateDatabase::Open(folder / "state.db"));
  auto store = std::make_unique<Store>(std::move(lock), std::move(database));
  ARROW_RETURN_NOT_OK(store->runs().Recover());
  return store;
}

}  // namespace dxt
