#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <arrow/result.h>

#include "connectors/file/target.h"
#include "connectors/sdk/destination.h"

namespace dxt::file {

/// One committed window and what makes its rows visible. The row is written before the
/// files are moved: once it is there the load is committed, and whoever comes next
/// finishes the moves.
struct LedgerRow {
  LoadRecord record;
  StreamIdentity identity;
  int64_t epoch = 0;
  /// Relative to the target's base folder.
  std::vector<std::pair<std::string, std::string>> moves;
  std::vector<std::string> removes;
  /// Ident of the file that a move replaces; another one there now is not touched.
  std::string base_ident;
};

/// The rows and fences beside one target: `_dxt/<stream>/<window_seq>.json` in a folder,
/// `_dxt/<file>/<stream>/…` beside a file. Chains of other pipelines with the same stream
/// id get a suffix. While a load is under way `<load_id>.open` marks its staged files.
class Ledger {
 public:
  explicit Ledger(const Target& target) : target_(target) {}

  arrow::Result<std::optional<LedgerRow>> Newest(const StreamIdentity& identity) const;
  /// Among the newest rows: a load that is asked for again is one of the last.
  arrow::Result<std::optional<LedgerRow>> Find(const StreamIdentity& identity,
                                               std::string_view load_id) const;
  /// The lanes of a stream that have a fence.
  arrow::Result<std::vector<std::string>> Lanes(const StreamIdentity& identity) const;
  /// True when another pipeline has a row for this target.
  arrow::Result<bool> HasOtherPipeline(const StreamIdentity& identity) const;
  /// Raises the fence and returns its epoch; makes the folders.
  arrow::Result<int64_t> Bump(const StreamIdentity& identity, const Owner& owner,
                              const std::string& now) const;
  arrow::Result<int64_t> Epoch(const StreamIdentity& identity) const;
  /// Removes what the first owner of a chain has made, who gives it up without a row; and
  /// the folders of the ledger, and up to `made`, that are empty then. What a second
  /// owner ever had stays: the first might still be at work, and would pass for a third.
  /// The caller was the owner of `epoch` and holds the target's lock.
  arrow::Status GiveUp(const StreamIdentity& identity, int64_t epoch,
                       const std::string& made) const;
  arrow::Status MarkOpen(const StreamIdentity& identity,
                         const std::string& load_id) const;
  void UnmarkOpen(const StreamIdentity& identity, const std::string& load_id) const;
  /// Creates the row exclusively: false when that window exists.
  arrow::Result<bool> Insert(const LedgerRow& row) const;
  /// As Insert, into a copy of this ledger below `folder` (the new folder of a replace).
  arrow::Status CopyInto(const std::string& folder, const LedgerRow& row) const;
  /// Moves and removes what a row asks for, then drops its mark.
  arrow::Status Apply(const LedgerRow& row) const;
  /// Finishes whatever a dead owner left half moved, in every chain, and removes what it
  /// was about to put there. The caller holds the target's lock.
  arrow::Status RollForward() const;
  /// Whether there is anything of that kind; writes nothing and needs no lock.
  arrow::Result<bool> HasUnfinished() const;
  /// Removes staged files of loads of this chain that were never committed.
  arrow::Status Sweep(const StreamIdentity& identity) const;

  /// The target's rows as they are: files in place, and those of a commit that was
  /// recorded but not moved yet.
  arrow::Result<TargetFiles> Files() const;

 private:
  arrow::Result<std::string> ChainFolder(const StreamIdentity& identity) const;
  arrow::Result<std::vector<std::string>> Chains() const;
  arrow::Result<std::vector<std::string>> RowPaths(const std::string& chain) const;
  arrow::Result<LedgerRow> Read(const std::string& path) const;
  /// Rows that are recorded, but whose files may not all be in place.
  arrow::Result<std::vector<LedgerRow>> Unfinished() const;

  /// What a load has staged and not moved, for good: its mark may go after that.
  arrow::Status RemoveStaged(std::string_view load_id) const;
  /// Rows and fences that a killed process did not get to link or rename.
  arrow::Status RemoveHalfWritten() const;

  const Target& target_;
};

}  // namespace dxt::file
