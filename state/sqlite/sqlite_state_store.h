#pragma once
#include <filesystem>
#include <memory>

#include "state/state_store.h"

namespace dxt {

/// The state store in `state.db` of a state folder. Holds the folder's `dxtd.lock` as
/// long as it lives. Safe from any thread.
class SqliteStateStore : public StateStore {
 public:
  /// `folder` exists. Blocks until no other process holds the lock; one that dies gives
  /// it back at once. Runs that the last owner left unfinished are then `interrupted`.
  static arrow::Result<std::unique_ptr<SqliteStateStore>> Make(
      const std::filesystem::path& folder);
};

}  // namespace dxt
