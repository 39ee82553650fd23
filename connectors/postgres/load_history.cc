// scd2: a table of versions, inside the load's transaction.
#include <algorithm>

#include "connectors/postgres/load.h"
#include "connectors/postgres/table_plan.h"
#include "connectors/sdk/guards.h"
#include "connectors/sql/identifier.h"
#include "connectors/sql/keyed.h"

namespace dxt::postgres {

arrow::Status Load::KeepVersions(const KeyedSql& sql, const CommitGuards& guards,
                                 CommitResult* result, std::stop_token stop) {
  const HistorySpec& history = spec_.table.history;
  const std::string to = sql::QuoteIdentifier(history.valid_to);
  const bool known = !spec_.plan.create;
  if (known) ARROW_RETURN_NOT_OK(LockTarget("SHARE ROW EXCLUSIVE", stop));
  ARROW_ASSIGN_OR_RAISE(const int64_t keys, MakeLatest(sql, stop));
  result->rows_deduplicated = rows() - keys;
  if (known) ARROW_RETURN_NOT_OK(RefuseTwoOpen(sql, stop));
  ARROW_ASSIGN_OR_RAISE(const std::string moment, Moment(sql, stop));
  if (known && history.closes_unseen) {
    ARROW_ASSIGN_OR_RAISE(result->rows_deleted, CloseUnseen(sql, moment, guards, stop));
  }
  const std::string differs = DiffersFromLatest();
  if (known && !differs.empty()) {
    ARROW_RETURN_NOT_OK(
        connection_
            ->Query("UPDATE " + target_ + " AS t SET " + to + " = $1::timestamptz FROM " +
                        std::string(kLatest) + " AS s WHERE t." + to + " IS NULL AND " +
                        SameAsLatest(sql) + " AND (" + differs + ")" +
                        (spec_.keep_newer ? " AND " + NotOlder("s.") : ""),
                    {moment}, doing_, stop)
            .status());
  }
  std::vector<std::string> order;
  for (const auto& key : sql.keys) order.push_back("s." + key);
  ARROW_ASSIGN_OR_RAISE(
      auto opened,
      connection_->Query(
          "INSERT INTO " + target_ + " AS t (" + ColumnList() + ", " +
              sql::QuoteIdentifier(history.valid_from) + ") SELECT " + ColumnList() +
              ", $1::timestamptz FROM " + std::string(kLatest) +
              " AS s WHERE NOT EXISTS (SELECT 1 FROM " + target_ + " AS t WHERE t." + to +
              " IS NULL AND " + SameAsLatest(sql) + ") ORDER BY " + sql::Joined(order),
          {moment}, doing_, stop));
  result->rows_written = opened.affected();
  if (known) return arrow::Status::OK();
  const auto table = NewTableSql(target_, ColumnsToCreate(spec_.table, spec_.plan),
                                 spec_.table.PrimaryKey());
  if (!table.add_key.empty()) ARROW_RETURN_NOT_OK(Run(table.add_key, stop));
  return Run(OneOpenSql(target_, spec_.table), stop);
}

arrow::Status Load::RefuseTwoOpen(const KeyedSql& sql, std::stop_token stop) {
  std::vector<std::string> keys, texts;
  for (const auto& key : sql.keys) {
    keys.push_back("s." + key);
    texts.push_back("coalesce(s." + key + "::text, 'NULL')");
  }
  const std::string to = sql::QuoteIdentifier(spec_.table.history.valid_to);
  ARROW_ASSIGN_OR_RAISE(
      auto found,
      connection_->Run("SELECT concat_ws(', ', " + sql::Joined(texts) + ") FROM " +
                           target_ + " AS t JOIN " + std::string(kLatest) + " AS s ON " +
                           SameAsLatest(sql) + " WHERE t." + to + " IS NULL GROUP BY " +
                           sql::Joined(keys) + " HAVING count(*) > 1 LIMIT 10",
                       doing_, stop));
  if (found.rows() == 0) return arrow::Status::OK();
  std::vector<std::string> shown;
  for (int i = 0; i < found.rows(); ++i) {
    shown.push_back("(" + found.Text(i, 0) + ")");
  }
  return sql::TwoOpen(target_, spec_.table.history, shown);
}

arrow::Result<std::string> Load::Moment(const KeyedSql& sql, std::stop_token stop) {
  const HistorySpec& history = spec_.table.history;
  std::string moment = "pg_catalog.statement_timestamp()";
  if (!spec_.plan.create) {
    const std::string from = "t." + sql::QuoteIdentifier(history.valid_from);
    const std::string to = "t." + sql::QuoteIdentifier(history.valid_to);
    // Only versions of keys that come can be closed where the others stay.
    const std::string which =
        history.closes_unseen ? ""
                              : " WHERE EXISTS (SELECT 1 FROM " + std::string(kLatest) +
                                    " AS s WHERE " + SameAsLatest(sql) + ")";
    moment = "greatest(" + moment + ", (SELECT max(greatest(" + from + "::timestamptz, " +
             to + "::timestamptz)) FROM " + target_ + " AS t" + which +
             ") + interval '1 microsecond')";
  }
  ARROW_ASSIGN_OR_RAISE(
      auto rows,
      connection_->Run("SELECT q.m::text, q.m > pg_catalog.statement_timestamp() + "
                       "interval '1 day' FROM (SELECT " +
                           moment + " AS m) AS q",
                       doing_, stop));
  std::string text = rows.Text(0, 0);
  if (rows.Text(0, 1) == "t") return sql::VersionAhead(target_, history, text);
  return text;
}

std::string Load::DiffersFromLatest() const {
  const auto& unwatched = spec_.table.history.unwatched;
  std::vector<std::string> differs;
  for (size_t i = 0; i < columns_.size(); ++i) {
    const LoadColumn& column = columns_[i];
    if (column.key || std::find(unwatched.begin(), unwatched.end(),
                                spec_.plan.columns[i].name) != unwatched.end()) {
      continue;
    }
    differs.push_back("t." + column.quoted + column.exactly + " IS DISTINCT FROM s." +
                      column.quoted + column.exactly);
  }
  return sql::Joined(differs, " OR ");
}

arrow::Result<int64_t> Load::CloseUnseen(const KeyedSql& sql, const std::string& moment,
                                         const CommitGuards& guards,
                                         std::stop_token stop) {
  const std::string to = sql::QuoteIdentifier(spec_.table.history.valid_to);
  ARROW_ASSIGN_OR_RAISE(auto counted,
                        connection_->Run("SELECT count(*) FROM " + target_ +
                                             " AS t WHERE t." + to + " IS NULL",
                                         doing_, stop));
  const int64_t before = counted.Int(0, 0);
  ARROW_ASSIGN_OR_RAISE(
      auto closed,
      connection_->Query(
          "UPDATE " + target_ + " AS t SET " + to + " = $1::timestamptz WHERE t." + to +
              " IS NULL AND NOT EXISTS (SELECT 1 FROM " + std::string(kLatest) +
              " AS s WHERE " + SameAsLatest(sql) + ")",
          {moment}, doing_, stop));
  ARROW_RETURN_NOT_OK(CheckDeletes(guards, rows(), before, closed.affected()));
  return closed.affected();
}

}  // namespace dxt::postgres
