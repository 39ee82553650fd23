#pragma once
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>

#include "state/state_store.h"

namespace dxt {

struct SqliteStateOptions {
  /// How long another owner of the folder is waited for; unset = until it is gone.
  std::optional<std::chrono::milliseconds> lock_wait;
};

/// The state store in `state.db` of a state folder. Holds the folder's `dxtd.lock` as
/// long as it lives. Safe from any thread.
class SqliteStateStore : public StateStore {
 public:
  /// `folder` exists. Takes the lock, checks the file, brings an older one up to date and
  /// marks what the last owner left unfinished as `interrupted`. kConfig: `state.in_use`
  /// naming the owner's PID, `state.corrupt`, `state.newer`, `state.not_ours`.
  static arrow::Result<std::unique_ptr<SqliteStateStore>> Make(
      const std::filesystem::path& folder, const SqliteStateOptions& options = {});
  /// Kept in memory and gone with the object: for simulations. Runs on the caller's
  /// thread.
  static arrow::Result<std::unique_ptr<SqliteStateStore>> MakeInMemory();

  /// Marks what has not ended as interrupted, as Make does: for a simulated restart.
  virtual arrow::Status Recover() = 0;
};

}  // namespace dxt
