#pragma once
// One window on its way into a table: an open transaction that holds its rows.
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "connectors/postgres/connection.h"
#include "connectors/postgres/encoder.h"
#include "connectors/postgres/owner.h"
#include "connectors/sdk/destination.h"

namespace dxt::postgres {

/// Number of the row in arrival order, in staging tables.
inline constexpr std::string_view kOrdinal = "\"_dxt_n\"";

/// The stage's rows without those that lost against another of their key.
inline constexpr std::string_view kLatest = "pg_temp.\"_dxt_last\"";

/// A column between the stage and the target.
struct LoadColumn {
  std::string quoted;
  std::string staged;  ///< Its type in a staging table.
  std::string cast;    ///< "::type" from text, by the target's own input function, or "".
  /// "::type COLLATE …" by which two values are told apart, or "".
  std::string exactly;
  bool key = false;

  /// The column of a stage as the target wants it.
  std::string Value(const std::string& alias) const { return alias + quoted + cast; }
};

/// How the rows get from the stage into the target; decided when the load begins.
enum class LoadPath : uint8_t {
  kDirect,    ///< COPY straight into the target: append, or a table made here.
  kInsert,    ///< Staged because some values need a cast, then INSERT.
  kKeyed,     ///< Staged, then applied by key.
  kRewrite,   ///< Staged, then TRUNCATE and INSERT.
  kSwap,      ///< COPY into a new table that takes the target's place.
  kRecreate,  ///< The same with the document's columns instead of the target's.
};

/// One of several writers of a load, with a transaction of its own. Used by one thread at
/// a time. Destroying it unfinished rolls its rows back.
class LoadPart {
 public:
  ~LoadPart();
  arrow::Status Append(const arrow::RecordBatch& batch, std::stop_token stop);
  void Place(int64_t ordinal) { encoder_->Number(ordinal); }
  /// Commits the rows to the load's table, which nobody reads yet.
  arrow::Status Finish(std::stop_token stop);
  int64_t rows() const { return encoder_->rows(); }
  int64_t bytes() const { return encoder_->bytes(); }
  bool broken() const { return connection_ && connection_->broken(); }

 private:
  friend class Load;
  LoadPart(ConnectionPool& pool, std::unique_ptr<Connection> connection,
           std::unique_ptr<CopyEncoder> encoder, std::string doing)
      : pool_(pool),
        connection_(std::move(connection)),
        encoder_(std::move(encoder)),
        doing_(std::move(doing)) {}

  ConnectionPool& pool_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<CopyEncoder> encoder_;
  const std::string doing_;
};

/// Lives from OpenWriter to Commit or Discard. Destroying it rolls everything back.
class Load {
 public:
  /// `text_types`: user types whose binary input is their text (enums, citext).
  static arrow::Result<std::unique_ptr<Load>> Begin(
      ConnectionPool& pool, const WriteSpec& spec,
      const std::set<std::string>& text_types, std::stop_token stop);
  /// A load whose rows come by LoadParts: into a new table `_dxt_s_…` of the target's
  /// schema, which is committed, empty and then filled, before Apply makes it the target.
  /// Destroying the load drops it; what a dead process leaves, DropStages finds.
  static arrow::Result<std::shared_ptr<Load>> BeginShared(
      ConnectionPool& pool, const WriteSpec& spec,
      const std::set<std::string>& text_types, std::stop_token stop);
  /// Whether the rows go straight into a table that nobody sees before the commit.
  static bool CanBeShared(ConnectionPool& pool, const WriteSpec& spec,
                          const std::set<std::string>& text_types);
  ~Load();

  arrow::Status Append(const arrow::RecordBatch& batch, std::stop_token stop);
  void Place(int64_t ordinal) { encoder_->Number(ordinal); }
  /// Ends the COPY; builds keys and indexes of a new table. The rows stay invisible.
  arrow::Status Finish(std::stop_token stop);
  /// The same for a shared load, when all its parts are finished: `rows` are there.
  arrow::Status FinishShared(int64_t rows, std::stop_token stop);
  /// Opens one more writer of a shared load.
  arrow::Result<std::unique_ptr<LoadPart>> BeginPart(std::stop_token stop);
  /// Makes the rows visible within the transaction: merge, truncate and insert, or swap.
  /// A mirror tests `guards` on what it deleted; `last` is the chain's newest load.
  arrow::Result<CommitResult> Apply(const CommitGuards& guards,
                                    const std::optional<LoadRecord>& last,
                                    std::stop_token stop);

  /// Why it failed: the same, or that a newcomer has ended its session. `part`: whose
  /// session it was, null for the load's own.
  arrow::Status Explain(const arrow::Status& failure, const LoadPart* part = nullptr);

  Connection& connection() { return *connection_; }
  const std::string& schema() const { return schema_; }
  int64_t rows() const { return shared_ ? rows_ : encoder_->rows(); }
  int64_t bytes() const { return encoder_->bytes(); }
  /// Gives the connection back after a COMMIT.
  void Release();
  /// Rolls back; the connection is kept where it is still good.
  void Abandon() noexcept;
  /// Whether it was committed nobody knows: a shared load's table is left to DropStages.
  void LeaveStage() { stage_stands_ = false; }

 private:
  Load(ConnectionPool& pool, WriteSpec spec) : pool_(pool), spec_(std::move(spec)) {}

  arrow::Status Prepare(const std::set<std::string>& text_types);
  arrow::Status BeginTransaction(Connection& connection, std::stop_token stop) const;
  arrow::Status PlanColumns(const std::set<std::string>& text_types);
  void ChoosePath();
  arrow::Status AddKey(const std::string& table, std::stop_token stop);
  arrow::Status MakeTables(std::stop_token stop);
  arrow::Status MakeStage(std::stop_token stop);
  arrow::Status StartCopy(std::stop_token stop);
  arrow::Status Run(const std::string& sql, std::stop_token stop);
  arrow::Result<int64_t> Count(const std::string& sql, std::stop_token stop);
  arrow::Status RefuseNullKeys() const;
  arrow::Status RefuseDuplicates(std::stop_token stop);
  /// LOCK TABLE with a short lock_timeout, again and again, without losing the rows.
  arrow::Status LockTarget(std::string_view mode, std::stop_token stop);
  struct KeyedSql {
    std::vector<std::string> keys, key_values, sets;
    std::string same;    ///< Row t of the target and row s of the stage have one key.
    std::string latest;  ///< One row of the stage a key: the one that wins.
    std::string insert;  ///< Up to the rows.
  };
  KeyedSql Keyed() const;
  arrow::Result<CommitResult> ApplyKeyed(const CommitGuards& guards,
                                         const std::optional<LoadRecord>& last,
                                         std::stop_token stop);
  /// How many keys were updated or inserted.
  arrow::Result<int64_t> Upsert(const KeyedSql& sql, std::stop_token stop);
  /// A temporary table of the rows that win; how many they are.
  arrow::Result<int64_t> MakeLatest(const KeyedSql& sql, std::stop_token stop);
  std::string SameAsLatest(const KeyedSql& sql) const;
  /// The target's row `t` is no later version than the incoming one.
  std::string NotOlder(const std::string& incoming) const;
  /// INSERT of the winning rows whose key the target does not have.
  std::string InsertUnknown(const KeyedSql& sql) const;
  arrow::Status InsertMissing(const KeyedSql& sql, CommitResult* result,
                              std::stop_token stop);
  arrow::Status DeleteInsert(const KeyedSql& sql, CommitResult* result,
                             std::stop_token stop);
  /// Mirror: deletes or marks what the stage does not have, in one statement.
  arrow::Status DeleteUnseen(const KeyedSql& sql, const CommitGuards& guards,
                             const std::optional<LoadRecord>& last, CommitResult* result,
                             std::stop_token stop);
  /// scd2: closes the versions that hold no longer and opens those that hold now.
  arrow::Status KeepVersions(const KeyedSql& sql, const CommitGuards& guards,
                             CommitResult* result, std::stop_token stop);
  arrow::Status RefuseTwoOpen(const KeyedSql& sql, std::stop_token stop);
  /// The moment of this load, behind that of each version that it may close.
  arrow::Result<std::string> Moment(const KeyedSql& sql, std::stop_token stop);
  /// Some value of the version `t` is not that of the winning row `s` of its key.
  std::string DiffersFromLatest() const;
  arrow::Result<int64_t> CloseUnseen(const KeyedSql& sql, const std::string& moment,
                                     const CommitGuards& guards, std::stop_token stop);
  /// Makes `_dxt_keys` hold the keys of this load and no others of the stream.
  arrow::Status TrackKeys(const KeyedSql& sql, std::stop_token stop);
  arrow::Status Swap(std::stop_token stop);
  /// INSERT of all staged rows into `table`.
  std::string InsertFromStage(const std::string& table) const;
  std::string ColumnList() const;

  ConnectionPool& pool_;
  const WriteSpec spec_;
  bool shared_ = false;
  bool stage_stands_ = false;  ///< A shared load's table is there, under its own name.
  int64_t rows_ = 0;           ///< Of all parts.
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<Heartbeat> heartbeat_;
  std::unique_ptr<CopyEncoder> encoder_;
  std::string schema_, name_, target_;  ///< Bare names, and both quoted.
  std::string stage_;  ///< Temporary table, quoted; "" when there is none.
  std::string fresh_;  ///< The table that will take the target's place.
  std::string doing_;
  LoadPath path_ = LoadPath::kDirect;
  std::vector<LoadColumn> columns_;
  std::vector<EncodedColumn> encoded_;
  std::vector<std::string> after_swap_;
  std::string fingerprint_;  ///< Of the target's catalogue entry, when it is swapped.
};

/// Drops a shared load's table, if it gets the lock within 2 s.
void DropStage(Connection& connection, const std::string& stage) noexcept;
/// Drops the tables of shared loads of a stream that an owner up to `epoch` began, and
/// that nobody will commit any more. One whose lock is held stays until the next time.
arrow::Status DropStages(Connection& connection, const std::string& schema,
                         const StreamIdentity& identity, int64_t epoch,
                         std::stop_token stop);

/// How many rows `rows` (SQL behind FROM) is, exactly up to a million; for more the
/// newest load of the whole also tells.
arrow::Result<int64_t> RowsBefore(Connection& connection, const std::string& rows,
                                  const std::optional<LoadRecord>& last,
                                  std::stop_token stop);

}  // namespace dxt::postgres
