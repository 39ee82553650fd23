#pragma once
// The database files that this process has open, so that their users can take turns.
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>

#include <arrow/result.h>

namespace dxt::sqlite {

/// One database file, however many connections and paths lead to it. Writers take turns:
/// a turn lasts from a window's first write to its commit or rollback. Safe from any
/// thread.
class DatabaseFile {
 public:
  /// Waits for the turn; kCancelled on a stop, kTransient "sqlite.locked" after `wait`.
  arrow::Status TakeTurn(const void* owner, std::chrono::milliseconds wait,
                         std::stop_token stop);
  /// Does nothing when `owner` does not have the turn.
  void EndTurn(const void* owner);
  /// True when somebody else of this process has the turn.
  bool Busy(const void* owner) const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable_any freed_;
  const void* owner_ = nullptr;
};

/// Files by (device, inode), so that links and relative paths lead to one DatabaseFile.
/// Lives in the Connector.
class FileRegistry {
 public:
  FileRegistry();

  /// With `create`, a missing file is made, empty. A file that was made here is removed
  /// with its last user if nothing was committed to it (RemoveUnused).
  arrow::Result<std::shared_ptr<DatabaseFile>> Find(const std::string& path, bool create);

 private:
  struct Files;
  std::shared_ptr<Files> files_;
};

}  // namespace dxt::sqlite
