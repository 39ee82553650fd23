#pragma once
// A range that is loaded in a lane of its own, beside the regular runs (contracts 3.2).
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/result.h>

#include "connectors/sdk/destination.h"
#include "connectors/sdk/types.h"
#include "engine/plan/documents.h"
#include "engine/run/observer.h"

namespace dxt {

/// A backfill's lane as the target knows it.
struct Lane {
  std::string name;  ///< "backfill/<from>..<to>"
  std::optional<LoadRecord> last;
  bool given_up = false;  ///< Somebody asked with `state reset` to begin it anew.
};

/// What is known when a backfill begins.
struct BackfillInputs {
  const StreamConfig* config = nullptr;
  LoadMode mode = LoadMode::kAppend;
  FieldType type;  ///< Of the cursor.
  StreamIdentity identity;
  std::string run;           ///< Who asks.
  std::string from, to;      ///< As written.
  std::vector<Lane> others;  ///< The stream's backfills, without this one.
  Lane own;
  std::string regular;  ///< Up to where the regular runs have loaded; "" = nothing.
  bool allow_duplicates = false;
  bool cursor_loaded = false;  ///< The cursor is a column of the target.
  bool cursor_is_key = false;  ///< … and one of its keys.
  bool target_empty = false;   ///< Or missing.
};

/// Where the lane goes on.
struct BackfillDecision {
  std::string begin, end;  ///< Canonical; the end is exclusive.
  bool resumed = false;    ///< `begin` was loaded already: only what is above is read.
  bool done = false;       ///< The whole range was loaded before.
  bool lost = false;       ///< The target was emptied since.
  FieldType type;          ///< Of the cursor.
  /// Lanes of other ranges that were looked at, whether they overlap or not.
  std::vector<std::string> known;

  /// Nothing is left to be loaded.
  bool Complete() const { return done && resumed; }
};

/// Takes "backfill/<from>..<to>" apart; nullopt for another lane.
std::optional<std::pair<std::string, std::string>> RangeOfLane(std::string_view lane);

/// Decides, or refuses (kConfig): "backfill.range", "backfill.mode", "backfill.cursor",
/// "backfill.overlap", "backfill.duplicates", "backfill.ahead", "state.changed".
arrow::Result<BackfillDecision> DecideBackfill(const BackfillInputs& inputs);

/// Of two overlapping ranges that begin at one moment neither sees the other when it
/// decides: refuses ("backfill.overlap") when one of `lanes` is of a range that has come
/// since and overlaps. `identity`: the lane that is about to be added to them.
arrow::Status CheckNewLanes(const BackfillDecision& decision,
                            const StreamIdentity& identity,
                            const std::vector<std::string>& lanes);

}  // namespace dxt
