#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "connectors/sdk/destination.h"

namespace dxt::sqlite {

class ColumnBinder;
class Connection;
class Statement;

/// One window on its way into a table. Append and replace insert into the table inside
/// the transaction that Commit ends. Modes with keys fill a temporary table first, which
/// locks nothing, and apply it inside Commit's transaction. Used under the Destination's
/// lock.
class Window {
 public:
  Window(Connection* connection, WriteSpec spec);
  ~Window();

  arrow::Status Append(const arrow::RecordBatch& batch);
  /// All rows are in; leaves the transaction (append, replace) or the stage (keys).
  arrow::Status Finish();
  /// Begins the transaction if there is none yet.
  arrow::Status Open();
  /// Inside the transaction: what remains to be done before the ledger row, and the
  /// guards. `last` is the chain's newest load.
  arrow::Status Apply(const CommitGuards& guards, const std::optional<LoadRecord>& last,
                      CommitResult* result);
  /// Drops the transaction and the stage.
  void Abandon() noexcept;

  const WriteSpec& spec() const { return spec_; }
  int64_t rows() const { return rows_; }
  int64_t bytes() const { return bytes_; }

 private:
  bool keyed() const { return IsKeyed(spec_.table.mode); }
  arrow::Status PrepareTable();
  arrow::Status ClearTable();
  arrow::Status PrepareInsert(const std::string& table);
  arrow::Status OpenStage();
  arrow::Status CheckKeys(const arrow::RecordBatch& batch);
  arrow::Status Refuse(const arrow::RecordBatch& batch, int column, int64_t row);
  arrow::Status ApplyKeyed(const CommitGuards& guards,
                           const std::optional<LoadRecord>& last, CommitResult* result);
  arrow::Status IndexStage();
  arrow::Status Deduplicate(int64_t* dropped);
  arrow::Status Merge(CommitResult* result);
  /// Mirror: deletes or marks what the stage does not have, in one statement.
  arrow::Status DeleteUnseen(const CommitGuards& guards,
                             const std::optional<LoadRecord>& last, CommitResult* result);
  /// Makes `_dxt_keys` hold the keys of this load and no others of the stream.
  arrow::Status TrackKeys();
  arrow::Status DeleteSeen(CommitResult* result);
  /// scd2: closes the versions that hold no longer and opens those that hold now.
  arrow::Status KeepVersions(const CommitGuards& guards, CommitResult* result);
  arrow::Status RefuseTwoOpen();
  /// The moment of this load, behind that of each version of the target.
  arrow::Result<std::string> Moment();
  /// SQL: some value of the version _dxt_t is not that of row _dxt_s; "" where there is
  /// nothing but keys.
  std::string Differs() const;
  /// Runs a statement with $1 the moment; how many rows it changed.
  arrow::Result<int64_t> ExecuteAt(const std::string& moment, const std::string& sql);
  /// Runs a statement with $1 the pipeline and $2 the stream.
  arrow::Status ExecuteForStream(const std::string& sql);
  arrow::Result<int64_t> Number(const std::string& sql, bool for_stream);
  /// Row _dxt_s of the stage has the key of row _dxt_t of the target.
  std::string SameKey() const;
  /// SQL: the target's row is no later version than the incoming one.
  std::string NotOlder(const std::string& target, const std::string& incoming) const;
  std::string Stage() const;
  std::string ColumnList(const std::string& prefix) const;

  Connection* connection_;
  WriteSpec spec_;
  std::string table_;  ///< Quoted.
  bool open_ = false;  ///< The transaction is begun and the table is ready.
  bool staged_ = false;
  std::unique_ptr<Statement> insert_;
  std::vector<std::unique_ptr<ColumnBinder>> binders_;
  std::vector<int> keys_;  ///< Columns that may not be NULL: upsert keys, the rowid.
  std::vector<std::string> set_aside_;  ///< CREATE TRIGGER statements to run again.
  int64_t rows_ = 0, bytes_ = 0, rows_before_ = 0;
};

}  // namespace dxt::sqlite
