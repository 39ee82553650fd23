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

#include "connectors/sdk/patience.h"

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

  DatabaseFile(std::string name, VainWaits& vain) : name_(std::move(name)), vain_(vain) {}
  /// Until when who begins `now` to wait for another program's lock does so, and what it
  /// tells when that was in vain.
  VainWaits::Time Deadline(VainWaits::Time now,
                           std::chrono::milliseconds patience) const {
    return vain_.Deadline(name_, now, patience);
  }
  void WaitedInVain(VainWaits::Time now) { vain_.Note(name_, now); }

 private:
  const std::string name_;
  VainWaits& vain_;  ///< Of the registry, which outlives its files.
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
