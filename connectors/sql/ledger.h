#pragma once
// The statements of the write protocol (contracts 3.2), one text for every SQL target.
#include <string>
#include <utility>
#include <vector>

#include <arrow/result.h>

#include "connectors/sql/identifier.h"

namespace dxt::sql {

/// Statement texts over `_dxt_loads` and `_dxt_fence` in one container (a PostgreSQL
/// schema,
/// "" for the main database of SQLite and DuckDB). Parameters are $1, $2 … in the order
/// named; SQLite and DuckDB read them as numbered parameters too.
class LedgerSql {
 public:
  /// `clock` is the target's own wall clock as SQL text in RFC 3339 or timestamptz.
  LedgerSql(std::string container, std::string timestamp_type, std::string clock,
            std::string prefix = "_dxt_");

  /// CREATE TABLE IF NOT EXISTS for both tables.
  std::vector<std::string> Create() const;
  std::string loads_table() const;
  std::string fence_table() const;
  /// The keys that tracked mirrors loaded: (pipeline, stream, key).
  std::string keys_table() const;
  /// CREATE TABLE IF NOT EXISTS for it. `indexed`: with a primary key.
  std::string CreateKeys(bool indexed) const;
  /// $1 pipeline, $2 stream, $3 lane: the newest load; columns as in LoadColumns().
  std::string SelectNewest() const;
  /// $1 pipeline, $2 stream: its lanes.
  std::string SelectLanes() const;
  /// $1 load_id: the window_seq of that load.
  std::string SelectByLoadId() const;
  /// $1 target, $2 pipeline: 1 row if another pipeline loaded this target.
  std::string SelectOtherPipeline() const;
  /// $1 pipeline, $2 stream, $3 lane, $4 owner: inserts or increments; RETURNING epoch.
  std::string BumpFence() const;
  /// $1 pipeline, $2 stream, $3 lane, $4 epoch, $5 owner: touches the fence if it is
  /// still ours; no row changed = fenced.
  std::string CheckFence() const;
  /// The columns of the tables called `loads` and `fence`, as the catalogue has them:
  /// bare names of table and column. False when one of the tables is missing; kConfig
  /// "state.ledger_damaged" when one that is there has lost a column, and how to repair
  /// it.
  arrow::Result<bool> IsWhole(
      const std::vector<std::pair<std::string, std::string>>& found) const;
  /// All columns of LoadColumns() but committed_at, in that order.
  std::string InsertLoad() const;
  /// $1 pipeline, $2 stream, $3 lane: keeps the newest 1,000 rows.
  std::string Prune() const;

  /// pipeline, stream, lane, window_seq, load_id, run, epoch, target, target_ident,
  /// fingerprint, mode, cursor_before, cursor_after, read_from, rows, rows_deleted,
  /// schema_hash, package_hash, committed_at
  static const std::vector<std::string>& LoadColumns();

 private:
  arrow::Status Damaged(const std::string& table, const std::string& column) const;

  std::string container_, timestamp_type_, clock_, prefix_;
};

}  // namespace dxt::sql
