#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "state/sqlite/connection.h"

namespace dxt {
namespace {

/// Pages per step; between steps the connection gives its page cache a rest.
constexpr int kPagesPerStep = 1024;

arrow::Status Exists(const std::string& path) {
  return MakeError(ErrorClass::kConfig, "state.backup_exists", path + " exists already",
                   "Name a file that does not exist");
}

arrow::Status CannotWrite(const std::string& path, int error) {
  ErrorInfo info;
  info.error_class = ErrorClass::kConfig;
  info.code = error == ENOSPC ? "state.disk_full" : "state.backup_failed";
  info.vendor_code = std::to_string(error);
  info.hint = "Name a file in a folder that exists, can be written and has space";
  return MakeError(std::move(info),
                   "cannot write the backup " + path + ": " + std::strerror(error));
}

arrow::Status SyncFile(const std::string& path, int flags) {
  const int fd = open(path.c_str(), flags | O_CLOEXEC);
  const bool synced = fd >= 0 && fsync(fd) == 0;
  const int error = errno;
  if (fd >= 0) close(fd);
  return synced ? arrow::Status::OK() : CannotWrite(path, error);
}

/// Removes what is left of an unfinished copy.
class Leftovers {
 public:
  explicit Leftovers(std::string path) : path_(std::move(path)) {}
  ~Leftovers() {
    for (const char* suffix : {"", "-journal", "-wal", "-shm"}) {
      unlink((path_ + suffix).c_str());
    }
  }
  Leftovers(const Leftovers&) = delete;
  Leftovers& operator=(const Leftovers&) = delete;

 private:
  const std::string path_;
};

}  // namespace

arrow::Status StateDatabase::Connection::CopyTo(const std::string& path) {
  sqlite3* copy = nullptr;
  int code = sqlite3_open_v2(path.c_str(), &copy, SQLITE_OPEN_READWRITE, nullptr);
  if (code == SQLITE_OK) {
    sqlite3_backup* backup = sqlite3_backup_init(copy, "main", handle_, "main");
    code = backup == nullptr ? sqlite3_errcode(copy) : SQLITE_OK;
    while (code == SQLITE_OK) code = sqlite3_backup_step(backup, kPagesPerStep);
    const int finished = backup == nullptr ? code : sqlite3_backup_finish(backup);
    if (code == SQLITE_DONE) code = finished;
  }
  // One file that can be read without its log, on a read-only disk too.
  if (code == SQLITE_OK) {
    code = sqlite3_exec(copy, "PRAGMA journal_mode = DELETE", nullptr, nullptr, nullptr);
  }
  const int system_error = copy ? sqlite3_system_errno(copy) : 0;
  sqlite3_close_v2(copy);
  if (code == SQLITE_OK) return arrow::Status::OK();
  if ((code & 0xff) == SQLITE_FULL) return CannotWrite(path, ENOSPC);
  return CannotWrite(path, system_error != 0 ? system_error : EIO);
}

arrow::Status StateDatabase::BackUp(const std::string& path) {
  struct stat there;
  if (lstat(path.c_str(), &there) == 0) return Exists(path);
  const std::string unfinished = path + ".unfinished-" + std::to_string(getpid());
  const int fd = open(unfinished.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return CannotWrite(unfinished, errno);
  close(fd);
  const Leftovers leftovers(unfinished);

  // An open snapshot: without it each write would make the copy start again.
  ARROW_ASSIGN_OR_RAISE(auto reader, Connection::Open(path_, Connection::Kind::kReader));
  ARROW_RETURN_NOT_OK(reader->Script("BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1"));
  ARROW_RETURN_NOT_OK(reader->CopyTo(unfinished));
  reader->RollBack();

  ARROW_RETURN_NOT_OK(SyncFile(unfinished, O_RDWR));
  if (renameat2(AT_FDCWD, unfinished.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) !=
      0) {
    return errno == EEXIST ? Exists(path) : CannotWrite(path, errno);
  }
  const auto folder = std::filesystem::path(path).parent_path().string();
  return SyncFile(folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY);
}

}  // namespace dxt
