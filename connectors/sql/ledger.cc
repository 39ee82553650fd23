#include "connectors/sql/ledger.h"

#include <set>

#include "base/error.h"

namespace dxt::sql {
namespace {

const std::vector<std::string>& FenceColumns() {
  static const std::vector<std::string> columns = {"pipeline", "stream", "lane",
                                                   "epoch",    "owner",  "renewed_at"};
  return columns;
}

}  // namespace

const std::vector<std::string>& LedgerSql::LoadColumns() {
  static const std::vector<std::string> columns = {
      "pipeline",     "stream",        "lane",         "window_seq",   "load_id",
      "run",          "epoch",         "target",       "target_ident", "fingerprint",
      "mode",         "cursor_before", "cursor_after", "read_from",    "rows",
      "rows_deleted", "schema_hash",   "package_hash", "committed_at"};
  return columns;
}

LedgerSql::LedgerSql(std::string container, std::string timestamp_type, std::string clock,
                     std::string prefix)
    : container_(std::move(container)),
      timestamp_type_(std::move(timestamp_type)),
      clock_(std::move(clock)),
      prefix_(std::move(prefix)) {}

std::string LedgerSql::loads_table() const {
  const std::string name = QuoteIdentifier(prefix_ + "loads");
  return container_.empty() ? name : QuoteIdentifier(container_) + "." + name;
}

std::string LedgerSql::fence_table() const {
  const std::string name = QuoteIdentifier(prefix_ + "fence");
  return container_.empty() ? name : QuoteIdentifier(container_) + "." + name;
}

std::string LedgerSql::keys_table() const {
  const std::string name = QuoteIdentifier(prefix_ + "keys");
  return container_.empty() ? name : QuoteIdentifier(container_) + "." + name;
}

std::string LedgerSql::CreateKeys(bool indexed) const {
  return "CREATE TABLE IF NOT EXISTS " + keys_table() +
         " (pipeline TEXT NOT NULL, stream TEXT NOT NULL, key TEXT NOT NULL" +
         (indexed ? ", PRIMARY KEY (pipeline, stream, key))" : ")");
}

std::vector<std::string> LedgerSql::Create() const {
  return {
      "CREATE TABLE IF NOT EXISTS " + fence_table() +
          " (pipeline TEXT NOT NULL, stream TEXT NOT NULL, lane TEXT NOT NULL, "
          "epoch BIGINT NOT NULL, owner TEXT NOT NULL, renewed_at " +
          timestamp_type_ + " NOT NULL, PRIMARY KEY (pipeline, stream, lane))",
      "CREATE TABLE IF NOT EXISTS " + loads_table() +
          " (pipeline TEXT NOT NULL, stream TEXT NOT NULL, lane TEXT NOT NULL, "
          "window_seq BIGINT NOT NULL, load_id TEXT NOT NULL UNIQUE, run TEXT NOT NULL, "
          "epoch BIGINT NOT NULL, target TEXT NOT NULL, target_ident TEXT NOT NULL, "
          "fingerprint TEXT NOT NULL, mode TEXT NOT NULL, cursor_before TEXT, "
          "cursor_after TEXT, read_from TEXT, \"rows\" BIGINT NOT NULL, "
          "rows_deleted BIGINT NOT NULL, schema_hash TEXT NOT NULL, package_hash TEXT, "
          "committed_at " +
          timestamp_type_ +
          " NOT NULL, PRIMARY KEY (pipeline, stream, lane, window_seq))"};
}

std::string LedgerSql::SelectNewest() const {
  return "SELECT " + QuotedNames(LoadColumns()) + " FROM " + loads_table() +
         " WHERE pipeline = $1 AND stream = $2 AND lane = $3 "
         "ORDER BY window_seq DESC LIMIT 1";
}

std::string LedgerSql::SelectLanes() const {
  // A fence that somebody removed does not hide what its lane has loaded.
  const std::string own = " WHERE pipeline = $1 AND stream = $2";
  return "SELECT lane FROM " + fence_table() + own + " UNION SELECT lane FROM " +
         loads_table() + own + " ORDER BY lane";
}

std::string LedgerSql::SelectByLoadId() const {
  return "SELECT window_seq FROM " + loads_table() + " WHERE load_id = $1";
}

std::string LedgerSql::SelectOtherPipeline() const {
  return "SELECT 1 FROM " + loads_table() +
         " WHERE target = $1 AND pipeline <> $2 LIMIT 1";
}

std::string LedgerSql::BumpFence() const {
  return "INSERT INTO " + fence_table() +
         " AS f (pipeline, stream, lane, epoch, owner, renewed_at) VALUES ($1, $2, $3, "
         "1, $4, " +
         clock_ +
         ") ON CONFLICT (pipeline, stream, lane) DO UPDATE SET epoch = f.epoch + 1, "
         "owner = excluded.owner, renewed_at = excluded.renewed_at RETURNING epoch";
}

std::string LedgerSql::CheckFence() const {
  return "UPDATE " + fence_table() + " SET renewed_at = " + clock_ +
         ", owner = $5 WHERE pipeline = $1 AND stream = $2 AND lane = $3 AND epoch = $4";
}

arrow::Result<bool> LedgerSql::IsWhole(
    const std::vector<std::pair<std::string, std::string>>& found) const {
  const auto check = [&](const std::string& bare, const std::string& table,
                         const std::vector<std::string>& wanted) -> arrow::Result<bool> {
    std::set<std::string> columns;
    for (const auto& [of, column] : found) {
      if (of == bare) columns.insert(column);
    }
    if (columns.empty()) return false;
    for (const auto& column : wanted) {
      if (!columns.contains(column)) return Damaged(table, column);
    }
    return true;
  };
  ARROW_ASSIGN_OR_RAISE(const bool loads,
                        check(prefix_ + "loads", loads_table(), LoadColumns()));
  ARROW_ASSIGN_OR_RAISE(const bool fence,
                        check(prefix_ + "fence", fence_table(), FenceColumns()));
  return loads && fence;
}

arrow::Status LedgerSql::Damaged(const std::string& table,
                                 const std::string& column) const {
  return MakeError(
      ErrorClass::kConfig, "state.ledger_damaged",
      "The table " + table +
          ", by which dxt knows what it has loaded, was altered: it "
          "has no column '" +
          column + "'. Nothing was changed",
      "Restore it from a backup, or run DROP TABLE " + loads_table() + "; DROP TABLE " +
          fence_table() +
          "; the next run then goes on where the state folder and the target agree, and "
          "else says what dxtctl state set STREAM VALUE is needed for");
}

std::string LedgerSql::InsertLoad() const {
  const size_t bound = LoadColumns().size() - 1;
  std::string sql =
      "INSERT INTO " + loads_table() + " (" + QuotedNames(LoadColumns()) + ") VALUES (";
  for (size_t i = 1; i <= bound; ++i) sql += "$" + std::to_string(i) + ", ";
  return sql + clock_ + ")";
}

std::string LedgerSql::Prune() const {
  const std::string loads = loads_table();
  return "DELETE FROM " + loads +
         " WHERE pipeline = $1 AND stream = $2 AND lane = $3 AND window_seq <= "
         "(SELECT max(window_seq) - 1000 FROM " +
         loads + " WHERE pipeline = $1 AND stream = $2 AND lane = $3)";
}

}  // namespace dxt::sql
