#pragma once
// What is written, and how it becomes visible: contracts.md §3 and §6.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "connectors/sdk/config.h"
#include "connectors/sdk/types.h"

namespace dxt {

enum class LoadMode : uint8_t {
  kAppend,
  kReplace,
  kUpsert,
  kMirror,
  kInsertOnly,    ///< Rows whose key is there already are left as they are.
  kDeleteInsert,  ///< The target's rows with a key of the load go, its rows come.
  kHistory        ///< "scd2": a row that changed is closed, and a new version opened.
};
enum class ReplaceStrategy : uint8_t { kAuto, kSwap, kRewrite, kRecreate };
enum class Guarantee : uint8_t { kExactlyOnceTxn, kExactlyOnceIdempotent, kAtLeastOnce };

std::string_view LoadModeName(LoadMode mode);
/// Whether the mode finds rows of the target by key, so that TableSpec::keys are needed.
constexpr bool IsKeyed(LoadMode mode) {
  return mode != LoadMode::kAppend && mode != LoadMode::kReplace;
}
/// Whether every load of the mode stands for the whole source; one of kHistory may.
constexpr bool IsWhole(LoadMode mode) {
  return mode == LoadMode::kReplace || mode == LoadMode::kMirror;
}
std::string_view ReplaceStrategyName(ReplaceStrategy strategy);
std::string_view GuaranteeName(Guarantee guarantee);

/// Who writes what, across runs. Equal identities share one chain of windows.
struct StreamIdentity {
  std::string pipeline;  ///< "<project>/<pipeline>".
  std::string stream;    ///< Stream id.
  std::string lane = "sync";
  std::string target;  ///< Reference of the target table or path.
  /// Hash of source connection, source, watermark field, target and keys.
  std::string fingerprint;
};

/// One committed window: a row of `_dxt_loads`.
struct LoadRecord {
  int64_t window_seq = 0;
  std::string load_id;  ///< ULID, made before the first write, kept over all attempts.
  std::string run;
  std::string cursor_before;  ///< "" = none.
  std::string cursor_after;
  std::string read_from;
  bool leaves_gap = false;  ///< Rows from cursor_before up to read_from are left out.
  int64_t rows = 0;
  int64_t rows_deleted = 0;
  std::string mode;
  std::string schema_hash;
  std::string package_hash;
  std::string fingerprint;
  std::string target;
  std::string target_ident;  ///< Filled in by the destination (PostgreSQL: OID).
  std::string committed_at;  ///< Filled in by the destination.
  /// Of the watermark field: the state store's alone; "" = none, or not known.
  std::string cursor_type;
};

/// Who asks for ownership.
struct Owner {
  std::string run;
  std::string text;  ///< "host/boot/pid/run", shown to whoever waits.
  /// Where set: asked with the lanes of the stream before this owner's fence stands among
  /// them, and while nobody else can add one; its error is Acquire's. Called once or
  /// more, and does not ask the target for anything itself.
  std::function<arrow::Status(const std::vector<std::string>& lanes)> admits = nullptr;
};

struct Ownership {
  int64_t epoch = 0;
  std::optional<LoadRecord> last;  ///< Read after the fence was bumped.
};

/// A column of an existing target.
struct TargetColumn {
  std::string name;
  NativeType native;  ///< As the catalogue declares it, with modifiers.
  bool nullable = true;
  bool has_default = false;
  bool generated = false;  ///< Computed or identity ALWAYS: cannot be written.
  ValueDomain domain;
};

/// What stands at a target reference now.
struct TargetTable {
  bool exists = false;
  std::string reference;  ///< Fully qualified and quoted, or absolute path.
  std::string ident;      ///< OID or the like; "" where the system has none.
  std::string file;       ///< Of a file or folder: equal for the same one; else "".
  std::vector<TargetColumn> columns;
  std::vector<std::vector<std::string>> unique_keys;  ///< Usable for upserts.
  bool empty = true;
  bool is_view = false;
  /// Names of its triggers, where the system lets them decide how a replace is done.
  std::vector<std::string> triggers;
  bool container_exists = true;  ///< The schema or database that would hold it.
  /// What hangs on the table and would be lost with it, for people: the reasons why
  /// `replace` must keep the table and rewrite its rows.
  std::vector<std::string> attachments;
  /// Foreign keys of other tables that point here, for people: `replace` is refused.
  std::vector<std::string> referenced_by;

  const TargetColumn* Find(std::string_view name) const;
};

/// A column as the stream wants it at the target.
struct WantedColumn {
  std::string name;             ///< Target name.
  Field field;                  ///< Type and native type as they arrive.
  std::string native_override;  ///< `target.dtype`: used verbatim in new tables.
  bool nullable = true;
};

/// Which rows of the target a mirror may delete.
enum class MirrorScope : uint8_t {
  kUnset,
  kDestination,  ///< All.
  kTracked       ///< Those whose keys its own loads left in `_dxt_keys`.
};

struct MirrorSpec {
  MirrorScope scope = MirrorScope::kUnset;
  /// Where the time of the deletion is set, in place of deleting; "" = rows go.
  std::string soft_delete_column;
};
/// What such a mirror deletes, for plans.
std::string MirrorText(const MirrorSpec& mirror);

/// A table of versions: each holds from `valid_from` on, up to `valid_to`, which is NULL
/// in the version of a key that holds now.
struct HistorySpec {
  std::string valid_from, valid_to;  ///< Columns of the target.
  bool closes_unseen = false;  ///< Also versions whose key does not come are closed.
  /// Columns that dxt makes up anew for each load, which is no change of the row.
  std::vector<std::string> unwatched;
};
/// What such a load closes, for plans.
std::string HistoryText(const HistorySpec& history);

/// A column of the target that no field fills: the load sets times in it.
struct TimeColumn {
  std::string name;
  std::string key;  ///< Of the document that names it.
  bool nullable = true;
};

struct TableSpec {
  std::string reference;
  std::vector<WantedColumn> columns;
  std::vector<std::string> keys;  ///< Target names of `upsert_keys` or the primary key.
  bool null_keys = false;         ///< `null_key: match`: keys may be NULL.
  LoadMode mode = LoadMode::kAppend;
  ReplaceStrategy strategy = ReplaceStrategy::kAuto;
  MirrorSpec mirror;    ///< Of kMirror.
  HistorySpec history;  ///< Of kHistory.
  ConfigValue options;  ///< `load.options`.

  /// Keys that a new table is to prove unique: those of kDeleteInsert name groups of
  /// rows, those of kHistory many versions of one.
  std::vector<std::string> PrimaryKey() const;
  /// In the order of a new table, behind `columns`.
  std::vector<TimeColumn> TimeColumns() const;
};

/// What would be done to the target table. Shown by `plan`, carried out by the Writer.
struct TablePlan {
  struct Column {
    std::string name;
    std::string native;  ///< Declared type at the target.
    ValueDomain domain;
    bool nullable = true;
    bool created = false;
    /// Both ends declare the same native type and this connector can take the source's
    /// raw bytes for it (ColumnRead::raw).
    bool accepts_raw = false;
  };
  bool create = false;           ///< The table does not exist.
  std::vector<std::string> ddl;  ///< In order; for people and for the Writer.
  std::vector<Column> columns;   ///< One per wanted column, in its order.
  std::string strategy;  ///< "create", "append", "upsert by unique index", "swap" …
  std::string strategy_reason;
  std::vector<std::string> notes;
};

struct WriteSpec {
  StreamIdentity identity;
  TableSpec table;
  TargetTable target;
  TablePlan plan;
  /// Schema of the batches: names are target names, types are `domain.deliver` (binary
  /// for raw columns).
  std::shared_ptr<arrow::Schema> schema;
  std::vector<bool> raw;  ///< Per column: values are the system's own bytes.
  std::string load_id;
  int64_t epoch = 0;
  int64_t window_seq = 0;
  /// Upsert: column of `schema` by which the latest of equal keys wins (largest value),
  /// before arrival order. Empty = arrival order alone.
  std::string dedup_column;
  bool duplicate_keys_fail = false;  ///< `on_duplicate_key: fail`.
  bool null_keys_match = false;      ///< `null_key: match`; else a NULL key fails.
  /// Tracked mirror: what `_dxt_keys` holds is not of this target; forget it and delete
  /// nothing.
  bool forget_keys = false;
  /// Upsert, kHistory: a row of the target whose `dedup_column` is larger stays as it is.
  bool keep_newer = false;
  int64_t batch_rows = 10000;
  int writers = 1;  ///< That share the window; at most what MostWriters allows.
};

/// What a finished writer left behind, stored before Commit. kHeld receipts live only in
/// the Destination that made them; kStaged ones can be committed by any process.
struct WriteReceipt {
  enum class Kind : uint8_t { kHeld, kStaged };
  Kind kind = Kind::kHeld;
  int64_t rows = 0;
  int64_t bytes = 0;
  std::string handle;  ///< Opaque: a transaction, a staging table, a list of files.
};

/// Limits tested inside Commit, after Finish; a breach is kGuard and changes nothing.
struct CommitGuards {
  double max_shrink = 1.0;  ///< Largest part of the target's rows that may vanish.
  bool allow_empty = true;
};

/// What whoever reads the result of a load that succeeded should know.
struct LoadWarning {
  std::string code;
  std::string message;
};

struct CommitResult {
  int64_t rows_written = 0;  ///< Handed to the target after de-duplication.
  int64_t rows_deleted = 0;
  int64_t rows_deduplicated = 0;
  std::string target_ident;
  bool already = false;  ///< This load_id was committed before; nothing was done.
  std::vector<LoadWarning> warnings;
};

/// Open -> Append* -> Finish | Abort. Used by one thread at a time.
class Writer {
 public:
  virtual ~Writer() = default;
  virtual arrow::Status Append(const arrow::RecordBatch& batch, std::stop_token stop) = 0;
  /// Where the next batch's first row stands in the order of the source, in which the
  /// last of equal keys wins. Told before each batch of a window or before none: then
  /// rows stand as they arrive. Heeded by connectors with kManyWriters.
  virtual void Place(int64_t ordinal);
  /// Loads sealed Parquet files instead of batches (kReadsParquet). Default:
  /// kUnsupported.
  virtual arrow::Status AppendFiles(std::span<const std::string> paths,
                                    std::stop_token stop);
  /// Makes the rows durable or held in an open transaction; invisible to readers either
  /// way.
  virtual arrow::Result<WriteReceipt> Finish(std::stop_token stop) = 0;
  /// Leaves nothing behind. Safe after any failure and when called twice.
  virtual void Abort() noexcept = 0;
};

/// An open connection to a system that can be written. One per stream and run; one thread
/// at a time, except that Writers may run on threads of their own. Destroying it rolls
/// back whatever was not committed.
class Destination {
 public:
  virtual ~Destination() = default;
  virtual arrow::Status Check(std::stop_token stop) = 0;
  /// Reads the catalogue; a missing table is `exists = false`, not an error.
  virtual arrow::Result<TargetTable> Describe(const std::string& reference,
                                              std::stop_token stop) = 0;
  /// Compares wanted and existing; pure. Refuses (kConfig, kUnsupported) what cannot be
  /// loaded whatever the rows are: missing columns, keys without a column, views.
  virtual arrow::Result<TablePlan> PlanTable(const TableSpec& wanted,
                                             const TargetTable& existing) const = 0;
  /// Exact number of rows; nullopt when that would need a full read of files.
  virtual arrow::Result<std::optional<int64_t>> CountRows(const std::string& reference,
                                                          std::stop_token stop) = 0;
  /// MAX(column) as CursorText writes it, nullopt when there is no non-NULL value.
  virtual arrow::Result<std::optional<std::string>> MaxCursor(
      const std::string& reference, const std::string& column, const FieldType& type,
      std::stop_token stop) = 0;
  /// The newest load of this chain. Writes nothing, creates nothing.
  virtual arrow::Result<std::optional<LoadRecord>> Peek(const StreamIdentity& identity,
                                                        std::stop_token stop) = 0;
  /// The lanes of a stream that were ever taken over, "sync" among them. Default: none,
  /// for targets that keep no ledger.
  virtual arrow::Result<std::vector<std::string>> Lanes(const StreamIdentity& identity,
                                                        std::stop_token stop);
  /// True when a pipeline other than `identity.pipeline` has a load of the same target.
  virtual arrow::Result<bool> SharedTarget(const StreamIdentity& identity,
                                           std::stop_token stop) = 0;
  /// Bumps the fences of all identities in one transaction, making the metadata tables
  /// first where they are missing, then reads their newest loads.
  virtual arrow::Result<std::vector<Ownership>> Acquire(
      std::span<const StreamIdentity> identities, const Owner& owner,
      std::stop_token stop) = 0;
  /// How many writers this window may have at a time; their receipts are committed
  /// together. Without kManyWriters it is one.
  virtual int MostWriters(const WriteSpec& spec) const;
  virtual arrow::Result<std::unique_ptr<Writer>> OpenWriter(const WriteSpec& spec,
                                                            std::stop_token stop) = 0;
  /// In one transaction of the target: the data becomes visible, `record` becomes a row
  /// of the ledger, and last of all the fence is checked. kFenced: another owner came.
  /// kData "load.stale": `cursor_before` is not the chain's. A failure after the commit
  /// was sent carries `outcome_unknown`: never repeat, Acquire and Resolve.
  virtual arrow::Result<CommitResult> Commit(const WriteSpec& spec,
                                             const LoadRecord& record,
                                             std::span<const WriteReceipt> receipts,
                                             const CommitGuards& guards,
                                             std::stop_token stop) = 0;
  /// Drops what receipts hold without committing.
  virtual void Discard(std::span<const WriteReceipt> receipts) noexcept = 0;
  /// Was this load committed? Call after Acquire.
  virtual arrow::Result<bool> Resolve(const StreamIdentity& identity,
                                      std::string_view load_id, std::stop_token stop) = 0;
  /// Makes visible what owners of any lane have committed and did not get to show, for
  /// whoever has nothing to commit. Default: a commit is all there is to it.
  virtual arrow::Status Settle(const StreamIdentity& identity, std::stop_token stop);
  /// What an administrator runs so that this connection's role can load the table, and
  /// record that it did, without a right to create anything. Reads only. Default: none,
  /// for targets without rights of their own.
  virtual arrow::Result<std::vector<std::string>> AdministratorSql(
      const TableSpec& wanted, const TargetTable& existing, const TablePlan& plan,
      std::stop_token stop);
  /// Removes staging objects of dead owners of this stream, by name `_dxt_s_<load_id>`.
  virtual arrow::Status Sweep(const StreamIdentity& identity, std::stop_token stop) = 0;
};

}  // namespace dxt
