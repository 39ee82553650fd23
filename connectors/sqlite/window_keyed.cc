// The modes that find rows of the target by key: what happens between the stage and the
// target, inside Commit's transaction.
#include <algorithm>

#include <arrow/api.h>

#include "base/error.h"
#include "connectors/sdk/guards.h"
#include "connectors/sql/identifier.h"
#include "connectors/sql/keyed.h"
#include "connectors/sql/ledger.h"
#include "connectors/sqlite/connection.h"
#include "connectors/sqlite/encode.h"
#include "connectors/sqlite/table_plan.h"
#include "connectors/sqlite/window.h"

namespace dxt::sqlite {
namespace {

using sql::QuotedNames;
using sql::QuoteIdentifier;

constexpr char kSeenKeys[] = "temp._dxt_seen";

/// The text by which `_dxt_keys` names row _dxt_t of the target: type and value of each
/// key, so that no two keys have one text.
std::string KeyText(const std::vector<std::string>& keys) {
  std::string text;
  for (const auto& key : keys) {
    const std::string value = "_dxt_t." + QuoteIdentifier(key);
    text += (text.empty() ? "" : " || ',' || ") + ("CASE typeof(" + value) +
            ") WHEN 'text' THEN 't' || hex(" + value + ") ELSE quote(" + value + ") END";
  }
  return text;
}

std::string KeysTable() { return sql::LedgerSql("", "", "").keys_table(); }

}  // namespace

std::string Window::SameKey() const {
  // The stage's column stands first: its collation, bytewise, decides what is equal.
  std::string same;
  for (const auto& key : spec_.table.keys) {
    same += (same.empty() ? "_dxt_s." : " AND _dxt_s.") + QuoteIdentifier(key) +
            (spec_.null_keys_match ? " IS _dxt_t." : " = _dxt_t.") + QuoteIdentifier(key);
  }
  return same;
}

arrow::Status Window::ApplyKeyed(const CommitGuards& guards,
                                 const std::optional<LoadRecord>& last,
                                 CommitResult* result) {
  ARROW_RETURN_NOT_OK(IndexStage());
  const LoadMode mode = spec_.table.mode;
  if (mode != LoadMode::kDeleteInsert || spec_.duplicate_keys_fail) {
    ARROW_RETURN_NOT_OK(Deduplicate(&result->rows_deduplicated));
  }
  result->rows_written -= result->rows_deduplicated;
  if (mode == LoadMode::kHistory) {
    ARROW_RETURN_NOT_OK(KeepVersions(guards, result));
    return connection_->Execute("DROP TABLE " + Stage());
  }
  // Before the new rows come, which may have what is unique in those that go.
  if (mode == LoadMode::kMirror) ARROW_RETURN_NOT_OK(DeleteUnseen(guards, last, result));
  if (mode == LoadMode::kDeleteInsert) ARROW_RETURN_NOT_OK(DeleteSeen(result));
  ARROW_RETURN_NOT_OK(Merge(result));
  if (mode == LoadMode::kMirror && spec_.table.mirror.scope == MirrorScope::kTracked) {
    ARROW_RETURN_NOT_OK(TrackKeys());
  }
  return connection_->Execute("DROP TABLE " + Stage());
}

arrow::Status Window::IndexStage() {
  return connection_->Execute("CREATE INDEX temp." +
                              QuoteIdentifier("_dxt_k_" + spec_.load_id) + " ON " +
                              QuoteIdentifier("_dxt_s_" + spec_.load_id) + " (" +
                              QuotedNames(spec_.table.keys) + ")");
}

arrow::Status Window::Deduplicate(int64_t* dropped) {
  const std::string keys = QuotedNames(spec_.table.keys);
  ARROW_ASSIGN_OR_RAISE(
      auto twice,
      connection_->Prepare("SELECT " + keys + ", count(*) FROM " + Stage() +
                           " GROUP BY " + keys + " HAVING count(*) > 1 LIMIT 1"));
  ARROW_ASSIGN_OR_RAISE(const bool found, twice.Step());
  if (!found) return arrow::Status::OK();
  if (spec_.duplicate_keys_fail) {
    std::string key;
    for (size_t i = 0; i < spec_.table.keys.size(); ++i) {
      key += (i > 0 ? ", " : "") + spec_.table.keys[i] + " = " +
             twice.Text(static_cast<int>(i));
    }
    return MakeError(ErrorClass::kData, "load.duplicate_key",
                     "Several rows of the load have the key " + key,
                     "Set on_duplicate_key: last, or choose other upsert_keys");
  }
  twice.Reset();
  std::string order = "_dxt_row DESC";
  if (!spec_.dedup_column.empty()) {
    const auto field = spec_.schema->GetFieldByName(spec_.dedup_column);
    // A decimal's text does not sort as its number; all other texts are of fixed width.
    const bool decimal = field && arrow::is_decimal(field->type()->id());
    order = QuoteIdentifier(spec_.dedup_column) +
            (decimal ? " COLLATE dxt_decimal" : "") + " DESC, " + order;
  }
  ARROW_RETURN_NOT_OK(connection_->Execute(
      "DELETE FROM " + Stage() +
      " WHERE _dxt_row IN (SELECT r FROM (SELECT _dxt_row AS r, "
      "row_number() OVER (PARTITION BY " +
      keys + " ORDER BY " + order + ") AS n FROM " + Stage() + ") WHERE n > 1)"));
  *dropped = connection_->Changes();
  return arrow::Status::OK();
}

std::string Window::NotOlder(const std::string& target,
                             const std::string& incoming) const {
  const auto field = spec_.schema->GetFieldByName(spec_.dedup_column);
  const bool decimal = field && arrow::is_decimal(field->type()->id());
  const std::string column = QuoteIdentifier(spec_.dedup_column);
  return "(" + target + column + " IS NULL OR " + target + column + " <= " + incoming +
         column + " COLLATE " + (decimal ? "dxt_decimal" : "BINARY") + ")";
}

arrow::Status Window::Merge(CommitResult* result) {
  const LoadMode mode = spec_.table.mode;
  const std::string keys = QuotedNames(spec_.table.keys);
  const bool indexed = spec_.plan.strategy.ends_with(kByIndex);
  std::vector<std::string> rest;
  for (const auto& name : spec_.schema->field_names()) {
    if (std::find(spec_.table.keys.begin(), spec_.table.keys.end(), name) ==
        spec_.table.keys.end()) {
      rest.push_back(name);
    }
  }
  const auto assignments = [&](const std::string& from) {
    std::string text;
    if (const std::string& soft = spec_.table.mirror.soft_delete_column; !soft.empty()) {
      text = QuoteIdentifier(soft) + " = NULL";
    }
    for (const auto& name : rest) {
      text += (text.empty() ? "" : ", ") + QuoteIdentifier(name) + " = " + from +
              QuoteIdentifier(name);
    }
    return text;
  };
  const std::string insert = "INSERT INTO " + table_ + " (" + ColumnList("") +
                             ") SELECT " + ColumnList("_dxt_s.") + " FROM " + Stage() +
                             " AS _dxt_s WHERE ";
  if (mode == LoadMode::kDeleteInsert) {
    return connection_->Execute(insert + "1 ORDER BY _dxt_s._dxt_row");
  }
  const bool updates = mode != LoadMode::kInsertOnly && !assignments("").empty();
  if (indexed) {
    const std::string not_older =
        spec_.keep_newer ? " WHERE " + NotOlder(table_ + ".", "excluded.") : "";
    // Not "true", which is the name of a column where there is one.
    ARROW_RETURN_NOT_OK(connection_->Execute(
        insert + "1 ORDER BY " + keys + " ON CONFLICT (" + keys + ") DO " +
        (updates ? "UPDATE SET " + assignments("excluded.") + not_older : "NOTHING")));
    if (mode == LoadMode::kInsertOnly) result->rows_written = connection_->Changes();
    return arrow::Status::OK();
  }
  if (updates) {
    ARROW_RETURN_NOT_OK(connection_->Execute(
        "UPDATE " + table_ + " AS _dxt_t SET " + assignments("_dxt_s.") + " FROM " +
        Stage() + " AS _dxt_s WHERE " + SameKey() +
        (spec_.keep_newer ? " AND " + NotOlder("_dxt_t.", "_dxt_s.") : "")));
  }
  std::string unknown =
      "NOT EXISTS (SELECT 1 FROM " + table_ + " AS _dxt_t WHERE " + SameKey() + ")";
  if (!spec_.null_keys_match) {
    std::string known;
    for (const auto& key : spec_.table.keys) {
      known += (known.empty() ? "" : " AND ") + QuoteIdentifier(key) + " IS NOT NULL";
    }
    unknown = "(" + QuotedNames(spec_.table.keys, "_dxt_s.") + ") NOT IN (SELECT " +
              keys + " FROM " + table_ + " WHERE " + known + ")";
  }
  ARROW_RETURN_NOT_OK(connection_->Execute(insert + unknown + " ORDER BY " + keys));
  if (mode == LoadMode::kInsertOnly) result->rows_written = connection_->Changes();
  return arrow::Status::OK();
}

arrow::Status Window::DeleteSeen(CommitResult* result) {
  ARROW_RETURN_NOT_OK(connection_->Execute(
      "DELETE FROM " + table_ + " AS _dxt_t WHERE EXISTS (SELECT 1 FROM " + Stage() +
      " AS _dxt_s WHERE " + SameKey() + ")"));
  result->rows_deleted = connection_->Changes();
  return arrow::Status::OK();
}

arrow::Status Window::ExecuteForStream(const std::string& sql) {
  ARROW_ASSIGN_OR_RAISE(auto statement, connection_->Prepare(sql));
  ARROW_RETURN_NOT_OK(statement.BindText(1, spec_.identity.pipeline));
  ARROW_RETURN_NOT_OK(statement.BindText(2, spec_.identity.stream));
  return statement.Step().status();
}

arrow::Result<int64_t> Window::Number(const std::string& sql, bool for_stream) {
  ARROW_ASSIGN_OR_RAISE(auto statement, connection_->Prepare(sql));
  if (for_stream) {
    ARROW_RETURN_NOT_OK(statement.BindText(1, spec_.identity.pipeline));
    ARROW_RETURN_NOT_OK(statement.BindText(2, spec_.identity.stream));
  }
  ARROW_RETURN_NOT_OK(statement.Step());
  return statement.Integer(0);
}

arrow::Status Window::DeleteUnseen(const CommitGuards& guards,
                                   const std::optional<LoadRecord>& last,
                                   CommitResult* result) {
  const MirrorSpec& mirror = spec_.table.mirror;
  const bool tracked = mirror.scope == MirrorScope::kTracked;
  const std::string of_stream = " WHERE pipeline = $1 AND stream = $2";
  if (tracked) {
    ARROW_RETURN_NOT_OK(
        connection_->Execute(sql::LedgerSql("", "", "").CreateKeys(/*indexed=*/true)));
    if (spec_.forget_keys || spec_.plan.create) {
      return ExecuteForStream("DELETE FROM " + KeysTable() + of_stream);
    }
  }
  if (spec_.plan.create) return arrow::Status::OK();
  const std::string soft =
      mirror.soft_delete_column.empty() ? "" : QuoteIdentifier(mirror.soft_delete_column);
  int64_t before = 0;
  if (tracked) {
    ARROW_ASSIGN_OR_RAISE(before,
                          Number("SELECT count(*) FROM " + KeysTable() + of_stream,
                                 /*for_stream=*/true));
    if (before == 0 && last && last->rows > 0) {
      result->warnings.push_back(sql::TrackingLost(KeysTable()));
    }
  } else {
    ARROW_ASSIGN_OR_RAISE(before,
                          Number("SELECT count(*) FROM " + table_ +
                                     (soft.empty() ? "" : " WHERE " + soft + " IS NULL"),
                                 /*for_stream=*/false));
  }
  std::string unseen = " WHERE NOT EXISTS (SELECT 1 FROM " + Stage() +
                       " AS _dxt_s WHERE " + SameKey() + ")";
  if (!soft.empty()) unseen += " AND _dxt_t." + soft + " IS NULL";
  if (tracked) {
    unseen += " AND EXISTS (SELECT 1 FROM " + KeysTable() +
              " AS _dxt_k WHERE _dxt_k.pipeline = $1 AND _dxt_k.stream = $2 AND "
              "_dxt_k.key = " +
              KeyText(spec_.table.keys) + ")";
  }
  // As loads write timestamps: of fixed width, with six digits and an offset.
  const std::string statement =
      (soft.empty() ? "DELETE FROM " + table_ + " AS _dxt_t"
                    : "UPDATE " + table_ + " AS _dxt_t SET " + soft +
                          " = strftime('%Y-%m-%d %H:%M:%f', 'now') || '000+00:00'") +
      unseen;
  ARROW_RETURN_NOT_OK(tracked ? ExecuteForStream(statement)
                              : connection_->Execute(statement));
  result->rows_deleted = connection_->Changes();
  return CheckDeletes(guards, rows_, before, result->rows_deleted);
}

arrow::Status Window::TrackKeys() {
  const std::string seen = kSeenKeys;
  ARROW_RETURN_NOT_OK(connection_->Execute("CREATE TABLE " + seen +
                                           " (key TEXT PRIMARY KEY) WITHOUT ROWID"));
  ARROW_RETURN_NOT_OK(connection_->Execute(
      "INSERT OR IGNORE INTO " + seen + " SELECT " + KeyText(spec_.table.keys) +
      " FROM " + table_ + " AS _dxt_t WHERE EXISTS (SELECT 1 FROM " + Stage() +
      " AS _dxt_s WHERE " + SameKey() + ")"));
  ARROW_RETURN_NOT_OK(ExecuteForStream(
      "DELETE FROM " + KeysTable() +
      " AS _dxt_k WHERE pipeline = $1 AND stream = $2 AND " +
      "NOT EXISTS (SELECT 1 FROM " + seen + " AS _dxt_n WHERE _dxt_n.key = _dxt_k.key)"));
  ARROW_RETURN_NOT_OK(
      ExecuteForStream("INSERT OR IGNORE INTO " + KeysTable() +
                       " (pipeline, stream, key) SELECT $1, $2, key FROM " + seen));
  return connection_->Execute("DROP TABLE " + seen);
}

}  // namespace dxt::sqlite
