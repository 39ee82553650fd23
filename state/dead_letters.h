#pragma once
// Rows that a load left out, kept with the reason until somebody answers for them. See
// state_store.h for what holds for every call.
//
// A letter is stored in step with the load that left it out, so that neither a kill nor a
// repeated load loses or doubles it:
//   1. Hold, before the load's intent is recorded: the letters are HELD, which no listing
//      shows. A crash from here on leaves them to be replaced by the chain's next Hold.
//   2. CursorStore::Save of that load id, in its one transaction, makes them STORED. A
//      crash between the target's commit and Save leaves the intent, whose load is looked
//      up in the target before anything else of its chain: committed = Save, and with it
//      this step; else the rows are read, and left out, again.
// Letters of an extract are held under the load id of its package before it is sealed,
// and settle when it is loaded. A replay is the same in reverse: HoldReplay names the
// load that carries the letters once more, and Save of that load makes them REPLAYED.
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "state/cursors.h"

namespace dxt {

struct AuditRecord;

/// Where a row was left out: on its way into a field, or from there into the target.
enum class RejectedAt : uint8_t { kExtract, kLoad };

struct NewDeadLetter {
  std::string code, field, message;
  std::string row_key;     ///< JSON; "" = the stream has no key.
  std::string row_json;    ///< "" = only counted.
  std::string row_schema;  ///< Of `row_json`.
};

struct DeadLetter {
  int64_t seq = 0;  ///< Grows; never used twice.
  std::string id;   ///< "<load id>-<n>"
  ChainKey key;
  std::string run, load_id;
  std::string state;  ///< STORED REPLAYED
  std::string code, field, message, row_key, row_json, row_schema;
  std::string at;        ///< When it was left out, or last tried.
  int64_t attempts = 1;  ///< The load that left it out, and replays that failed.
  std::string replayed_by, replayed_at;
};

/// Every condition that is set must hold.
struct DeadLetterQuery {
  std::string pipeline;  ///< "<project>/<pipeline>"
  std::string stream, code, run;
  std::string state;             ///< STORED or REPLAYED; "" = both.
  std::vector<std::string> ids;  ///< Empty = any.
  int64_t after = 0;             ///< Only those of a larger `seq`.
  int limit = 50;
};

struct RejectedCounts {
  int64_t rows = 0;
  int64_t letters = 0;  ///< Of the rows, those with a letter.
};

class DeadLetterStore {
 public:
  /// What all letters may hold together.
  static constexpr int64_t kMaxBytes = 512LL << 20;

  virtual ~DeadLetterStore() = default;
  /// Replaces what is held of the chain (kLoad) or of this load (kExtract). kData
  /// `dlq.full` when there is no room for the rows.
  virtual arrow::Status Hold(const Lease& lease, const ChainKey& key,
                             std::string_view load_id, RejectedAt at,
                             std::span<const NewDeadLetter> rows,
                             std::string_view now) = 0;
  /// Forgets what is held of extracts of the chain, but for these loads.
  virtual arrow::Status Forget(const Lease& lease, const ChainKey& key,
                               std::span<const std::string> but) = 0;
  /// What committed loads of the chain left out in a run.
  virtual arrow::Result<RejectedCounts> Counts(const ChainKey& key,
                                               std::string_view run) = 0;
  /// These letters go with load `load_id`: its Save makes them REPLAYED.
  virtual arrow::Status HoldReplay(const Lease& lease, std::string_view load_id,
                                   std::span<const std::string> ids) = 0;
  /// A replay left the letter out again, for this reason.
  virtual arrow::Status Refuse(const Lease& lease, std::string_view id,
                               const NewDeadLetter& why, std::string_view now) = 0;
  /// Oldest first.
  virtual arrow::Result<std::vector<DeadLetter>> List(const DeadLetterQuery& query) = 0;
  virtual arrow::Result<std::optional<DeadLetter>> Get(std::string_view id) = 0;
  /// Deletes letters that `query` finds, whatever its limit, with their rows; how many.
  virtual arrow::Result<int64_t> Drop(const DeadLetterQuery& query,
                                      const AuditRecord* audit = nullptr) = 0;
  /// Forgets replayed letters, counts of loads, and what is held of extracts, all from
  /// before `before`, slice by slice. A letter that waits is never forgotten.
  virtual arrow::Result<int64_t> Prune(std::string_view before) = 0;
};

}  // namespace dxt
