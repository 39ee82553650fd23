#pragma once
// How far each chain of windows came, and what a crash leaves to be looked up. See
// state_store.h for what holds for every call.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "state/runs.h"

namespace dxt {

/// Whose cursor: one chain of windows.
struct ChainKey {
  std::string pipeline;  ///< "<project>/<pipeline>".
  std::string stream;
  std::string lane = "sync";
};

/// One committed, or about to be committed, window of a chain.
struct Checkpoint {
  int64_t window_seq = 0;
  std::string load_id, run, cursor_before, cursor_after, read_from;
  /// Of an intent: the load leaves the rows from cursor_before up to read_from out.
  bool leaves_gap = false;
  int64_t rows = 0, rows_deleted = 0;
  std::string mode, schema_hash, package_hash, fingerprint, target, target_ident,
      committed_at;
  std::string cursor_type;  ///< Of the watermark field, as ToString(FieldType) writes it.
};

/// What a user asked of a chain's cursor, waiting for the next commit.
struct Directive {
  enum class Kind : uint8_t { kReset, kAccept, kSet };
  Kind kind = Kind::kReset;
  std::string value;  ///< Of kSet.
  std::string made_at;
};

/// Rows that no run reads, since somebody had one begin above the cursor.
struct CursorGap {
  std::string after;  ///< Loaded up to here.
  std::string up_to;  ///< And read again above here.
  std::string load_id, run;
};

/// A chain with all that is stored of it.
struct ChainRecord {
  ChainKey key;
  std::optional<Checkpoint> checkpoint;
  std::optional<Directive> directive;
  std::vector<CursorGap> gaps;  ///< Oldest first.
  std::string updated_at;
};

class CursorStore {
 public:
  virtual ~CursorStore() = default;
  virtual arrow::Result<std::optional<Checkpoint>> Load(const ChainKey& key) = 0;
  /// Replaces the checkpoint, uses the chain's directive up and settles the intent of
  /// `checkpoint.load_id` and the rows that it left out or replayed (dead_letters.h), in
  /// one transaction. A load that read from the beginning leaves the chain no gap.
  virtual arrow::Status Save(const Lease& lease, const ChainKey& key,
                             const Checkpoint& checkpoint, std::string_view now) = 0;
  /// By pipeline ("" = all), stream, lane.
  virtual arrow::Result<std::vector<ChainRecord>> List(std::string_view pipeline) = 0;
  virtual arrow::Result<std::optional<Directive>> GetDirective(const ChainKey& key) = 0;
  virtual arrow::Status SetDirective(const ChainKey& key, const Directive& directive) = 0;
};

/// Loads that are about to be committed: what a crash leaves to be looked up.
class IntentStore {
 public:
  virtual ~IntentStore() = default;
  /// The gap that the load leaves shows once it is settled by a checkpoint.
  virtual arrow::Status Record(const Lease& lease, const ChainKey& key,
                               const Checkpoint& intended) = 0;
  virtual arrow::Result<std::optional<Checkpoint>> Pending(const ChainKey& key) = 0;
  virtual arrow::Status Clear(const Lease& lease, const ChainKey& key,
                              std::string_view load_id) = 0;
};

struct PackageRecord {
  ChainKey key;
  std::string load_id;
  std::string path;  ///< Absolute folder.
  std::string created_at;
};

/// Where sealed packages were made. Their manifests on disk are the truth; this says
/// where to look.
class PackageIndex {
 public:
  virtual ~PackageIndex() = default;
  virtual arrow::Status Record(const Lease& lease, const PackageRecord& package) = 0;
  /// Oldest first; by pipeline ("" = all).
  virtual arrow::Result<std::vector<PackageRecord>> List(std::string_view pipeline) = 0;
  virtual arrow::Result<std::optional<PackageRecord>> Get(std::string_view load_id) = 0;
  /// Forgets the record; its files are the caller's. A missing one is OK.
  virtual arrow::Status Remove(std::string_view load_id) = 0;
};

}  // namespace dxt
