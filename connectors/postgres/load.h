#pragma once
// One window on its way into a table: an open transaction that holds its rows.
#include <cstdint>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "connectors/postgres/connection.h"
#include "connectors/postgres/encoder.h"
#include "connectors/sdk/destination.h"

namespace dxt::postgres {

/// A column between the stage and the target.
struct LoadColumn {
  std::string quoted;
  std::string staged;  ///< Its type in a staging table.
  std::string cast;    ///< "::type" from text, by the target's own input function, or "".
  bool key = false;

  /// The column of a stage as the target wants it.
  std::string Value(const std::string& alias) const { return alias + quoted + cast; }
};

/// How the rows get from the stage into the target; decided when the load begins.
enum class LoadPath : uint8_t {
  kDirect,    ///< COPY straight into the target: append, or a table made here.
  kInsert,    ///< Staged because some values need a cast, then INSERT.
  kUpsert,    ///< Staged, then merged by key.
  kRewrite,   ///< Staged, then TRUNCATE and INSERT.
  kSwap,      ///< COPY into a new table that takes the target's place.
  kRecreate,  ///< The same with the document's columns instead of the target's.
};

/// Lives from OpenWriter to Commit or Discard. Destroying it rolls everything back.
class Load {
 public:
  /// `text_types`: user types whose binary input is their text (enums, citext).
  static arrow::Result<std::unique_ptr<Load>> Begin(
      ConnectionPool& pool, const WriteSpec& spec,
      const std::set<std::string>& text_types, std::stop_token stop);
  ~Load();

  arrow::Status Append(const arrow::RecordBatch& batch, std::stop_token stop);
  /// Ends the COPY; builds keys and indexes of a new table. The rows stay invisible.
  arrow::Status Finish(std::stop_token stop);
  /// Makes the rows visible within the transaction: merge, truncate and insert, or swap.
  arrow::Result<CommitResult> Apply(std::stop_token stop);

  Connection& connection() { return *connection_; }
  const std::string& schema() const { return schema_; }
  int64_t rows() const { return encoder_->rows(); }
  int64_t bytes() const { return encoder_->bytes(); }
  /// Gives the connection back after a COMMIT.
  void Release();
  /// Rolls back; the connection is kept where it is still good.
  void Abandon() noexcept;

 private:
  Load(ConnectionPool& pool, WriteSpec spec) : pool_(pool), spec_(std::move(spec)) {}

  arrow::Status PlanColumns(const std::set<std::string>& text_types);
  void ChoosePath();
  arrow::Status MakeTables(std::stop_token stop);
  arrow::Status MakeStage(std::stop_token stop);
  arrow::Status StartCopy(std::stop_token stop);
  arrow::Status Run(const std::string& sql, std::stop_token stop);
  arrow::Result<int64_t> Count(const std::string& sql, std::stop_token stop);
  arrow::Status RefuseNullKeys() const;
  arrow::Status RefuseDuplicates(std::stop_token stop);
  /// LOCK TABLE with a short lock_timeout, again and again, without losing the rows.
  arrow::Status LockTarget(std::string_view mode, std::stop_token stop);
  arrow::Result<CommitResult> Upsert(std::stop_token stop);
  arrow::Status Swap(std::stop_token stop);
  /// INSERT of all staged rows into `table`.
  std::string InsertFromStage(const std::string& table) const;
  std::string ColumnList() const;

  ConnectionPool& pool_;
  const WriteSpec spec_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<CopyEncoder> encoder_;
  std::string schema_, name_, target_;  ///< Bare names, and both quoted.
  std::string stage_;  ///< Temporary table, quoted; "" when there is none.
  std::string fresh_;  ///< The table that will take the target's place.
  std::string doing_;
  LoadPath path_ = LoadPath::kDirect;
  std::vector<LoadColumn> columns_;
  std::vector<std::string> after_swap_;
  std::string fingerprint_;  ///< Of the target's catalogue entry, when it is swapped.
};

}  // namespace dxt::postgres
