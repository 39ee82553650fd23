#include "connectors/sqlite/files.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace dxt::sqlite {

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

arrow::Result<std::shared_ptr<DatabaseFile>> FileRegistry::Find(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) {
    return MakeError(
        ErrorClass::kConfig, "sqlite.cannot_open",
        "The SQLite file '" + path + "' cannot be opened: " + std::strerror(errno));
  }
  const std::lock_guard lock(mutex_);
  auto& entry = files_[{status.st_dev, status.st_ino}];
  auto file = entry.lock();
  if (!file) {
    file = std::make_shared<DatabaseFile>();
    entry = file;
  }
  return file;
}

}  // namespace dxt::sqlite
