#pragma once
// Which cursor an incremental read starts from, and why: contracts 4.1 and 4.3.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "engine/plan/documents.h"
#include "engine/run/observer.h"
#include "engine/run/result.h"

namespace dxt {

/// What is known when a cursor must be chosen.
struct WatermarkInputs {
  const StreamConfig* config = nullptr;
  FieldType type;                    ///< Of the cursor.
  std::string fingerprint;           ///< Of the stream as it is now.
  std::optional<LoadRecord> last;    ///< Newest load of the chain (NewestLoad).
  std::optional<LoadRecord> stored;  ///< Checkpoint of the state store.
  std::optional<CursorDirective> directive;
  bool target_exists = false;
  bool target_empty = true;
  std::string target_ident;
  bool backfilled = false;        ///< Another lane of the stream loads this table.
  bool shared_target = false;     ///< Another pipeline loads this table.
  bool cursor_in_target = false;  ///< The cursor is loaded into a target column.
  bool cursor_exact = false;      ///< … which holds it without loss.
  std::optional<std::string> cli_value;
  bool allow_duplicates = false;
  bool full_refresh = false;
  /// MAX(cursor) of the target; asked only when needed.
  std::function<arrow::Result<std::optional<std::string>>()> target_max;
};

struct WatermarkDecision {
  std::optional<std::string> value;  ///< Lower bound of the read; nullopt = first load.
  bool inclusive = false;
  std::string source = "none";  ///< target | state | initial | cli | none
  std::string stored_before;    ///< The chain's cursor, for `cursor_before`.
  bool leaves_gap = false;      ///< Rows between stored_before and value are left out.
  bool accepted = false;        ///< Somebody accepted what changed: to be written down.
  std::vector<Warning> warnings;
};

/// Decides, or fails: kConfig "state.changed", "state.unknown_cursor",
/// "cursor.duplicates"; kGuard "state.target_behind", "state.ledger_changed".
arrow::Result<WatermarkDecision> DecideWatermark(const WatermarkInputs& inputs);

}  // namespace dxt
