// The modes that find rows of the target by key: what happens between the stage and the
// target, inside the load's transaction.
#include <algorithm>

#include "base/error.h"
#include "connectors/postgres/load.h"
#include "connectors/postgres/load_ledger.h"
#include "connectors/postgres/table_plan.h"
#include "connectors/sdk/guards.h"
#include "connectors/sql/identifier.h"
#include "connectors/sql/keyed.h"
#include "connectors/sql/ledger.h"

namespace dxt::postgres {
namespace {

/// Key texts of the target's rows that the load has.
constexpr std::string_view kSeen = "pg_temp.\"_dxt_seen\"";

/// The text by which `_dxt_keys` names a row of the target. It is always made of the
/// target's own values, so that equal values written in two ways are one key.
std::string KeyText(const std::vector<std::string>& keys) {
  std::vector<std::string> values;
  for (const auto& key : keys) values.push_back("t." + key);
  return "pg_catalog.jsonb_build_array(" + sql::Joined(values) + ")::text";
}

/// What versions are ordered by: strings bytewise, as watermarks are.
std::string Ordered(const WriteSpec& spec, const std::string& sql) {
  for (const auto& column : spec.plan.columns) {
    if (column.name != spec.dedup_column) continue;
    const bool text = column.domain.deliver.dtype == DType::kString;
    return text ? sql + "::text COLLATE \"C\"" : sql;
  }
  return sql;
}

}  // namespace

std::string Load::NotOlder(const std::string& incoming) const {
  const std::string column = sql::QuoteIdentifier(spec_.dedup_column);
  return "(t." + column + " IS NULL OR " + Ordered(spec_, "t." + column) +
         " <= " + Ordered(spec_, incoming + column) + ")";
}

Load::KeyedSql Load::Keyed() const {
  KeyedSql sql;
  std::vector<std::string> values, same;
  const std::string equals = spec_.null_keys_match ? " IS NOT DISTINCT FROM " : " = ";
  for (const auto& column : columns_) {
    values.push_back(column.Value("s."));
    if (column.key) {
      sql.keys.push_back(column.quoted);
      sql.key_values.push_back(column.Value("s."));
      same.push_back("t." + column.quoted + equals + column.Value("s."));
    } else {
      sql.sets.push_back(column.quoted);
    }
  }
  sql.same = sql::Joined(same, " AND ");
  std::vector<std::string> order = sql.key_values;
  for (const auto& column : columns_) {
    if (spec_.dedup_column.empty() ||
        column.quoted != sql::QuoteIdentifier(spec_.dedup_column)) {
      continue;
    }
    order.push_back(Ordered(spec_, column.Value("s.")) + " DESC NULLS LAST");
  }
  order.push_back("s." + std::string(kOrdinal) + " DESC");
  sql.latest = "SELECT DISTINCT ON (" + sql::Joined(sql.key_values) + ") " +
               sql::Joined(values) + " FROM " + stage_ + " AS s ORDER BY " +
               sql::Joined(order);
  sql.insert = "INSERT INTO " + target_ + " AS t (" + ColumnList() + ") ";
  return sql;
}

arrow::Status Load::RefuseDuplicates(std::stop_token stop) {
  if (!spec_.duplicate_keys_fail) return arrow::Status::OK();
  std::vector<std::string> keys, texts;
  for (const auto& column : columns_) {
    if (!column.key) continue;
    keys.push_back(column.Value(""));
    texts.push_back("coalesce(" + column.quoted + "::text, 'NULL')");
  }
  ARROW_ASSIGN_OR_RAISE(
      auto rows, connection_->Run("SELECT min(concat_ws(', ', " + sql::Joined(texts) +
                                      ")), count(*) FROM " + stage_ + " GROUP BY " +
                                      sql::Joined(keys) + " HAVING count(*) > 1 LIMIT 10",
                                  doing_, stop));
  if (rows.rows() == 0) return arrow::Status::OK();
  std::vector<std::string> found;
  for (int i = 0; i < rows.rows(); ++i) {
    found.push_back("(" + rows.Text(i, 0) + ") " + rows.Text(i, 1) + " times");
  }
  return MakeError(
      ErrorClass::kData, "load.duplicate_key",
      "Keys come more than once for " + spec_.target.reference + ": " +
          sql::Joined(found),
      "Remove the duplicates at the source, or set `on_duplicate_key: last`");
}

arrow::Result<CommitResult> Load::ApplyKeyed(const CommitGuards& guards,
                                             const std::optional<LoadRecord>& last,
                                             std::stop_token stop) {
  ARROW_RETURN_NOT_OK(RefuseDuplicates(stop));
  const KeyedSql sql = Keyed();
  CommitResult result;
  if (spec_.table.mode == LoadMode::kDeleteInsert) {
    ARROW_RETURN_NOT_OK(DeleteInsert(sql, &result, stop));
    return result;
  }
  if (spec_.table.mode == LoadMode::kInsertOnly && !spec_.plan.create) {
    ARROW_RETURN_NOT_OK(InsertMissing(sql, &result, stop));
    return result;
  }
  if (spec_.table.mode == LoadMode::kHistory) {
    ARROW_RETURN_NOT_OK(KeepVersions(sql, guards, &result, stop));
    return result;
  }
  const bool mirror = spec_.table.mode == LoadMode::kMirror;
  // Before the new rows come, which may have what is unique in those that go.
  if (mirror) ARROW_RETURN_NOT_OK(DeleteUnseen(sql, guards, last, &result, stop));
  ARROW_ASSIGN_OR_RAISE(result.rows_written, Upsert(sql, stop));
  result.rows_deduplicated = rows() - result.rows_written;
  if (mirror && spec_.table.mirror.scope == MirrorScope::kTracked) {
    ARROW_RETURN_NOT_OK(TrackKeys(sql, stop));
  }
  return result;
}

arrow::Result<int64_t> Load::Upsert(const KeyedSql& sql, std::stop_token stop) {
  std::vector<std::string> cleared;
  if (const std::string& soft = spec_.table.mirror.soft_delete_column; !soft.empty()) {
    cleared.push_back(sql::QuoteIdentifier(soft) + " = NULL");
  }
  if (spec_.plan.create) {
    ARROW_ASSIGN_OR_RAISE(const int64_t rows, Count(sql.insert + sql.latest, stop));
    const auto key =
        NewTableSql(target_, spec_.plan.columns, spec_.table.PrimaryKey()).add_key;
    if (!key.empty()) ARROW_RETURN_NOT_OK(Run(key, stop));
    return rows;
  }
  std::vector<std::string> assigned = cleared;
  if (!spec_.null_keys_match && HasUniqueKey(spec_.target, spec_.table.keys)) {
    for (const auto& set : sql.sets) assigned.push_back(set + " = excluded." + set);
    // With nothing but keys an update of the key to itself still counts the row.
    if (assigned.empty())
      assigned.push_back(sql.keys.front() + " = excluded." + sql.keys.front());
    return Count(sql.insert + sql.latest + " ON CONFLICT (" + sql::Joined(sql.keys) +
                     ") DO UPDATE SET " + sql::Joined(assigned) +
                     (spec_.keep_newer ? " WHERE " + NotOlder("excluded.") : ""),
                 stop);
  }
  ARROW_RETURN_NOT_OK(LockTarget("SHARE ROW EXCLUSIVE", stop));
  ARROW_ASSIGN_OR_RAISE(const int64_t rows, MakeLatest(sql, stop));
  for (const auto& set : sql.sets) assigned.push_back(set + " = s." + set);
  const std::string source = " FROM " + std::string(kLatest) + " AS s WHERE ";
  if (!assigned.empty()) {
    ARROW_RETURN_NOT_OK(Run("UPDATE " + target_ + " AS t SET " + sql::Joined(assigned) +
                                source + SameAsLatest(sql) +
                                (spec_.keep_newer ? " AND " + NotOlder("s.") : ""),
                            stop));
  }
  ARROW_RETURN_NOT_OK(Run(InsertUnknown(sql), stop));
  return rows;
}

arrow::Result<int64_t> Load::MakeLatest(const KeyedSql& sql, std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(const int64_t rows,
                        Count("CREATE TEMPORARY TABLE \"_dxt_last\" ON COMMIT DROP AS "
                              "SELECT * FROM (" +
                                  sql.latest + ") AS q (" + ColumnList() + ")",
                              stop));
  ARROW_RETURN_NOT_OK(Run("ANALYZE " + std::string(kLatest), stop));
  return rows;
}

std::string Load::SameAsLatest(const KeyedSql& sql) const {
  const std::string equals = spec_.null_keys_match ? " IS NOT DISTINCT FROM " : " = ";
  std::vector<std::string> matches;
  for (const auto& key : sql.keys) matches.push_back("t." + key + equals + "s." + key);
  return sql::Joined(matches, " AND ");
}

std::string Load::InsertUnknown(const KeyedSql& sql) const {
  std::vector<std::string> order;
  for (const auto& key : sql.keys) order.push_back("s." + key);
  return sql.insert + "SELECT " + ColumnList() + " FROM " + std::string(kLatest) +
         " AS s WHERE NOT EXISTS (SELECT 1 FROM " + target_ + " AS t WHERE " +
         SameAsLatest(sql) + ") ORDER BY " + sql::Joined(order);
}

arrow::Status Load::InsertMissing(const KeyedSql& sql, CommitResult* result,
                                  std::stop_token stop) {
  const bool unique =
      !spec_.null_keys_match && HasUniqueKey(spec_.target, spec_.table.keys);
  if (!unique) ARROW_RETURN_NOT_OK(LockTarget("SHARE ROW EXCLUSIVE", stop));
  ARROW_ASSIGN_OR_RAISE(const int64_t keys, MakeLatest(sql, stop));
  result->rows_deduplicated = rows() - keys;
  // A row with the key may be inserted by another at this moment; its writer was first.
  const std::string conflict =
      unique ? " ON CONFLICT (" + sql::Joined(sql.keys) + ") DO NOTHING" : "";
  ARROW_ASSIGN_OR_RAISE(result->rows_written, Count(InsertUnknown(sql) + conflict, stop));
  return arrow::Status::OK();
}

arrow::Status Load::DeleteInsert(const KeyedSql& sql, CommitResult* result,
                                 std::stop_token stop) {
  if (!spec_.plan.create) {
    ARROW_RETURN_NOT_OK(LockTarget("SHARE ROW EXCLUSIVE", stop));
    ARROW_ASSIGN_OR_RAISE(
        result->rows_deleted,
        Count("DELETE FROM " + target_ + " AS t WHERE EXISTS (SELECT 1 FROM " + stage_ +
                  " AS s WHERE " + sql.same + ")",
              stop));
  }
  ARROW_ASSIGN_OR_RAISE(result->rows_written, Count(InsertFromStage(target_), stop));
  return arrow::Status::OK();
}

arrow::Status Load::DeleteUnseen(const KeyedSql& sql, const CommitGuards& guards,
                                 const std::optional<LoadRecord>& last,
                                 CommitResult* result, std::stop_token stop) {
  const MirrorSpec& mirror = spec_.table.mirror;
  const bool tracked = mirror.scope == MirrorScope::kTracked;
  LoadLedger ledger(*connection_, schema_);
  const std::string& keys = ledger.keys_table();
  Parameters chain;
  if (tracked) {
    ARROW_RETURN_NOT_OK(ledger.EnsureKeys(stop));
    chain = {spec_.identity.pipeline, spec_.identity.stream};
    if (spec_.forget_keys || spec_.plan.create) {
      return connection_
          ->Query("DELETE FROM " + keys + " WHERE pipeline = $1 AND stream = $2", chain,
                  doing_, stop)
          .status();
    }
  }
  if (spec_.plan.create) return arrow::Status::OK();
  ARROW_RETURN_NOT_OK(LockTarget("SHARE ROW EXCLUSIVE", stop));
  const std::string soft = mirror.soft_delete_column.empty()
                               ? ""
                               : sql::QuoteIdentifier(mirror.soft_delete_column);
  const std::string live = soft.empty() ? "" : " WHERE " + soft + " IS NULL";
  int64_t before = 0;
  if (tracked) {
    ARROW_ASSIGN_OR_RAISE(auto counted,
                          connection_->Query("SELECT count(*) FROM " + keys +
                                                 " WHERE pipeline = $1 AND stream = $2",
                                             chain, doing_, stop));
    before = counted.Int(0, 0);
    if (before == 0 && last && last->rows > 0) {
      result->warnings.push_back(sql::TrackingLost(keys));
    }
  } else {
    ARROW_ASSIGN_OR_RAISE(before,
                          RowsBefore(*connection_, target_ + " AS t" + live, last, stop));
  }
  std::string unseen = (soft.empty() ? "" : "t." + soft + " IS NULL AND ") +
                       "NOT EXISTS (SELECT 1 FROM " + stage_ + " AS s WHERE " + sql.same +
                       ")";
  if (tracked) {
    unseen +=
        " AND EXISTS (SELECT 1 FROM " + keys +
        " AS k WHERE k.pipeline = $1 AND k.stream = $2 AND k.key = " + KeyText(sql.keys) +
        ")";
  }
  ARROW_ASSIGN_OR_RAISE(
      auto deleted,
      connection_->Query((soft.empty() ? "DELETE FROM " + target_ + " AS t"
                                       : "UPDATE " + target_ + " AS t SET " + soft +
                                             " = pg_catalog.statement_timestamp()") +
                             " WHERE " + unseen,
                         chain, doing_, stop));
  result->rows_deleted = deleted.affected();
  return CheckDeletes(guards, rows(), before, result->rows_deleted);
}

arrow::Status Load::TrackKeys(const KeyedSql& sql, std::stop_token stop) {
  ARROW_RETURN_NOT_OK(Run(
      "CREATE TEMPORARY TABLE \"_dxt_seen\" ON COMMIT DROP AS SELECT " +
          KeyText(sql.keys) + " AS key FROM " + target_ +
          " AS t WHERE EXISTS (SELECT 1 FROM " + stage_ + " AS s WHERE " + sql.same + ")",
      stop));
  ARROW_RETURN_NOT_OK(Run("ANALYZE " + std::string(kSeen), stop));
  LoadLedger ledger(*connection_, schema_);
  const std::string& keys = ledger.keys_table();
  const Parameters chain = {spec_.identity.pipeline, spec_.identity.stream};
  ARROW_RETURN_NOT_OK(
      connection_
          ->Query("DELETE FROM " + keys +
                      " AS k WHERE k.pipeline = $1 AND k.stream = $2 AND NOT EXISTS "
                      "(SELECT 1 FROM " +
                      std::string(kSeen) + " AS s WHERE s.key = k.key)",
                  chain, doing_, stop)
          .status());
  return connection_
      ->Query("INSERT INTO " + keys +
                  " (pipeline, stream, key) SELECT $1, $2, s.key FROM " +
                  std::string(kSeen) + " AS s ON CONFLICT DO NOTHING",
              chain, doing_, stop)
      .status();
}

arrow::Result<int64_t> RowsBefore(Connection& connection, const std::string& rows,
                                  const std::optional<LoadRecord>& last,
                                  std::stop_token stop) {
  constexpr int64_t kExactUpTo = 1000000;
  ARROW_ASSIGN_OR_RAISE(
      auto counted,
      connection.Run("SELECT count(*) FROM (SELECT 1 FROM " + rows + " LIMIT " +
                         std::to_string(kExactUpTo + 1) + ") AS q",
                     "Counting the target's rows", stop));
  const int64_t before = counted.Int(0, 0);
  const bool whole = last && (last->mode == LoadModeName(LoadMode::kReplace) ||
                              last->mode == LoadModeName(LoadMode::kMirror));
  return before > kExactUpTo && whole ? std::max(before, last->rows) : before;
}

}  // namespace dxt::postgres
