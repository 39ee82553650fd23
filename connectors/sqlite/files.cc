#include "connectors/sqlite/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <utility>

#include "base/error.h"
#include "connectors/sql/made_file.h"
#include "connectors/sqlite/unused_file.h"

namespace dxt::sqlite {
namespace {

arrow::Status CannotOpen(const std::string& path, int error) {
  const bool no_space = error == ENOSPC || error == EDQUOT;
  const std::string message =
      "The SQLite file '" + path + "' cannot be opened: " + std::strerror(error);
  if (no_space) {
    return MakeError(ErrorClass::kTransient, "sqlite.no_space", message,
                     "Free space there, then run again");
  }
  return MakeError(ErrorClass::kAuth, "sqlite.cannot_open", message,
                   "Check the permissions of the file and its folder");
}

}  // namespace

arrow::Status DatabaseFile::TakeTurn(const void* owner, std::chrono::milliseconds wait,
                                     std::stop_token stop) {
  std::unique_lock lock(mutex_);
  const bool free = freed_.wait_for(lock, stop, wait,
                                    [&] { return owner_ == nullptr || owner_ == owner; });
  if (free) {
    owner_ = owner;
    return arrow::Status::OK();
  }
  if (stop.stop_requested()) {
    return MakeError(ErrorClass::kCancelled, "cancelled",
                     "Cancelled while waiting to write");
  }
  return MakeError(
      ErrorClass::kTransient, "sqlite.locked",
      "Another stream of this process has been writing the SQLite file for " +
          std::to_string(wait.count() / 1000) + " s",
      "Run fewer streams at a time (--threads) or try again");
}

void DatabaseFile::EndTurn(const void* owner) {
  {
    const std::lock_guard lock(mutex_);
    if (owner_ != owner) return;
    owner_ = nullptr;
  }
  freed_.notify_all();
}

bool DatabaseFile::Busy(const void* owner) const {
  const std::lock_guard lock(mutex_);
  return owner_ != nullptr && owner_ != owner;
}

struct FileRegistry::Files : std::enable_shared_from_this<Files> {
  using Key = std::pair<dev_t, ino_t>;
  struct Entry {
    std::weak_ptr<DatabaseFile> file;
    /// Tells this entry's object from the one whose end comes late.
    const DatabaseFile* object = nullptr;
    bool made = false;
    std::string path;
  };
  std::mutex mutex;
  std::map<Key, Entry> open;
  VainWaits vain;

  /// The last user of a file is gone. A new one may have come before the mutex was had.
  void Ended(const Key& key, DatabaseFile* file) {
    const std::lock_guard lock(mutex);
    const auto found = open.find(key);
    if (found != open.end() && found->second.object == file) {
      if (found->second.made) RemoveUnused(found->second.path);
      open.erase(found);
    }
    delete file;
  }
};

FileRegistry::FileRegistry() : files_(std::make_shared<Files>()) {}

arrow::Result<std::shared_ptr<DatabaseFile>> FileRegistry::Find(const std::string& path,
                                                                bool create) {
  const std::lock_guard lock(files_->mutex);
  bool made = false;
  int error = 0;
  if (create) {
    constexpr mode_t kMode = 0644;  // What SQLite itself would take.
    const int descriptor =
        ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, kMode);
    made = descriptor >= 0;
    if (made) {
      ::close(descriptor);
      sql::MadeFile::Sweep(path);
    } else if (errno != EEXIST) {
      error = errno;
    }
  }
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return CannotOpen(path, error ? error : errno);
  const Files::Key key{status.st_dev, status.st_ino};
  Files::Entry& entry = files_->open[key];
  auto file = entry.file.lock();
  if (!file) {
    // The object before may still be on its way out: what it made, this one inherits.
    entry.made = made || entry.made;
    if (made) entry.path = path;
    auto* object = new DatabaseFile(
        std::to_string(key.first) + "/" + std::to_string(key.second), files_->vain);
    file = std::shared_ptr<DatabaseFile>(
        object, [files = files_, key](DatabaseFile* last) { files->Ended(key, last); });
    entry.file = file;
    entry.object = object;
  }
  return file;
}

}  // namespace dxt::sqlite
