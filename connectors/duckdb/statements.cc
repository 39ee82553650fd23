#include "connectors/duckdb/statements.h"

#include <algorithm>
#include <utility>

#include "base/spelling.h"
#include "connectors/duckdb/types.h"
#include "connectors/sql/identifier.h"

namespace dxt::duckdb {
namespace {

/// Names and values of the planned columns as they are read from the temporary table.
std::pair<std::vector<std::string>, std::vector<std::string>> StagedColumns(
    const WriteSpec& spec) {
  std::vector<std::string> names, values;
  for (const auto& column : spec.plan.columns) {
    names.push_back(sql::QuoteIdentifier(column.name));
    values.push_back(
        Filled(StoreCast(column.native, column.domain.deliver), names.back()));
  }
  return {std::move(names), std::move(values)};
}

std::vector<std::string> QuotedKeys(const WriteSpec& spec) {
  std::vector<std::string> keys;
  for (const auto& key : spec.table.keys) keys.push_back(sql::QuoteIdentifier(key));
  return keys;
}

/// Row t of the target and row s of the stage have one key.
std::string SameKey(const WriteSpec& spec) {
  const std::string equals = spec.null_keys_match ? " IS NOT DISTINCT FROM " : " = ";
  std::string condition;
  for (const auto& key : QuotedKeys(spec)) {
    condition += (condition.empty() ? "t." : " AND t.") + key + equals + "s." + key;
  }
  return condition;
}

/// ` AND` row t of the target is no later version than row s.
std::string NotOlder(const WriteSpec& spec) {
  const std::string column = sql::QuoteIdentifier(spec.dedup_column);
  return " AND (t." + column + " IS NULL OR t." + column + " <= s." + column + ")";
}

/// Version t of the target holds now.
std::string IsOpen(const WriteSpec& spec) {
  return "t." + sql::QuoteIdentifier(spec.table.history.valid_to) + " IS NULL";
}

std::string CloseSql(const WriteSpec& spec, const std::string& fill) {
  return "UPDATE " + fill + " AS t SET " +
         sql::QuoteIdentifier(spec.table.history.valid_to) + " = CAST($1 AS TIMESTAMPTZ)";
}

/// The stage's keys as the target holds them, as s.
std::string StagedKeys(const WriteSpec& spec, const std::string& stage) {
  const auto [names, values] = StagedColumns(spec);
  const auto keys = QuotedKeys(spec);
  std::vector<std::string> items;
  for (size_t i = 0; i < names.size(); ++i) {
    if (std::find(keys.begin(), keys.end(), names[i]) == keys.end()) continue;
    items.push_back(values[i] + " AS " + names[i]);
  }
  return "(SELECT " + sql::Joined(items) + " FROM " + stage + ") AS s";
}

/// The text by which `_dxt_keys` names row t of the target: each key's length and text,
/// so that no two keys have one text.
std::string KeyText(const WriteSpec& spec) {
  std::string text;
  for (const auto& key : QuotedKeys(spec)) {
    const std::string value = "CAST(t." + key + " AS VARCHAR)";
    text += (text.empty() ? "" : " || ',' || ") + ("CASE WHEN t." + key) +
            " IS NULL THEN 'n' ELSE CAST(length(" + value + ") AS VARCHAR) || ':' || " +
            value + " END";
  }
  return text;
}

std::string Deduplicated(const WriteSpec& spec, const std::string& stage) {
  const auto [names, values] = StagedColumns(spec);
  std::vector<std::string> items;
  for (size_t i = 0; i < names.size(); ++i)
    items.push_back(values[i] + " AS " + names[i]);
  std::string order;
  if (!spec.dedup_column.empty()) {
    order = sql::QuoteIdentifier(spec.dedup_column) + " DESC NULLS LAST, ";
  }
  const Places places = PlacesOf(spec, stage);
  return "SELECT " + sql::Joined(items) +
         " FROM (SELECT *, row_number() OVER (PARTITION BY " +
         sql::QuotedNames(spec.table.keys) + " ORDER BY " + order + places.column +
         " DESC) AS _dxt_n FROM " + places.from + ") WHERE _dxt_n = 1";
}

}  // namespace

Places PlacesOf(const WriteSpec& spec, const std::string& stage) {
  const bool shadowed = std::any_of(
      spec.plan.columns.begin(), spec.plan.columns.end(),
      [](const auto& column) { return MatchName({column.name}, "rowid") >= 0; });
  if (!shadowed) return {stage, "rowid"};
  return {"(SELECT *, row_number() OVER () - 1 AS _dxt_row FROM " + stage + ")",
          "_dxt_row"};
}

std::string Filled(const std::string& pattern, const std::string& sql) {
  const size_t at = pattern.find("{}");
  return pattern.substr(0, at) + sql + pattern.substr(at + 2);
}

std::string Infinite(const std::string& sql, const FieldType& type) {
  const bool time = type.dtype == DType::kDate || type.dtype == DType::kTimestamp ||
                    type.dtype == DType::kTimestampTz;
  if (!time) return sql;
  const std::string least = "CAST('-infinity' AS " + StagedType(type) + ")";
  return "CASE WHEN " + sql + " < " + least + " THEN " + least + " ELSE " + sql + " END";
}

std::string CreateStageSql(const WriteSpec& spec, const std::string& name) {
  std::vector<std::string> items;
  for (const auto& column : spec.plan.columns) {
    items.push_back(sql::QuoteIdentifier(column.name) + " " +
                    StagedType(column.domain.deliver));
  }
  return "CREATE TEMPORARY TABLE " + sql::QuoteIdentifier(name) + " (" +
         sql::Joined(items) + ")";
}

std::string InsertAllSql(const WriteSpec& spec, const std::string& stage,
                         const std::string& fill) {
  const auto [names, values] = StagedColumns(spec);
  return "INSERT INTO " + fill + " (" + sql::Joined(names) + ") SELECT " +
         sql::Joined(values) + " FROM " + stage;
}

std::string InsertLatestSql(const WriteSpec& spec, const std::string& stage,
                            const std::string& fill) {
  return "INSERT INTO " + fill + " (" + sql::Joined(StagedColumns(spec).first) + ") " +
         Deduplicated(spec, stage);
}

std::string MergeSql(const WriteSpec& spec, const std::string& stage,
                     const std::string& fill) {
  const auto names = StagedColumns(spec).first;
  const auto keys = QuotedKeys(spec);
  std::vector<std::string> updates, inserts;
  if (const std::string& soft = spec.table.mirror.soft_delete_column; !soft.empty()) {
    updates.push_back(sql::QuoteIdentifier(soft) + " = NULL");
  }
  for (const auto& name : names) {
    inserts.push_back("s." + name);
    if (std::find(keys.begin(), keys.end(), name) != keys.end()) continue;
    updates.push_back(name + " = s." + name);
  }
  std::string statement = "MERGE INTO " + fill + " AS t USING (" +
                          Deduplicated(spec, stage) + ") AS s ON " + SameKey(spec);
  const std::string not_older = spec.keep_newer ? NotOlder(spec) : "";
  if (!updates.empty()) {
    statement += " WHEN MATCHED" + not_older + " THEN UPDATE SET " + sql::Joined(updates);
  }
  return statement + " WHEN NOT MATCHED THEN INSERT (" + sql::Joined(names) +
         ") VALUES (" + sql::Joined(inserts) + ")";
}

std::string InsertMissingSql(const WriteSpec& spec, const std::string& stage,
                             const std::string& fill) {
  const auto names = StagedColumns(spec).first;
  return "INSERT INTO " + fill + " (" + sql::Joined(names) + ") SELECT " +
         sql::Joined(names) + " FROM (" + Deduplicated(spec, stage) +
         ") AS s WHERE NOT EXISTS (SELECT 1 FROM " + fill + " AS t WHERE " +
         SameKey(spec) + ")";
}

std::string DeleteSeenSql(const WriteSpec& spec, const std::string& stage,
                          const std::string& fill) {
  return "DELETE FROM " + fill + " AS t WHERE EXISTS (SELECT 1 FROM " +
         StagedKeys(spec, stage) + " WHERE " + SameKey(spec) + ")";
}

std::string DeleteUnseenSql(const WriteSpec& spec, const std::string& stage,
                            const std::string& fill, const std::string& keys) {
  const std::string& soft = spec.table.mirror.soft_delete_column;
  const std::string marked = soft.empty() ? "" : "t." + sql::QuoteIdentifier(soft);
  std::string condition = "NOT EXISTS (SELECT 1 FROM " + StagedKeys(spec, stage) +
                          " WHERE " + SameKey(spec) + ")";
  if (!soft.empty()) condition += " AND " + marked + " IS NULL";
  if (!keys.empty()) {
    condition +=
        " AND EXISTS (SELECT 1 FROM " + keys +
        " AS k WHERE k.pipeline = $1 AND k.stream = $2 AND k.key = " + KeyText(spec) +
        ")";
  }
  if (soft.empty()) return "DELETE FROM " + fill + " AS t WHERE " + condition;
  return "UPDATE " + fill + " AS t SET " + sql::QuoteIdentifier(soft) +
         " = current_timestamp WHERE " + condition;
}

std::string SeenKeysSql(const WriteSpec& spec, const std::string& stage,
                        const std::string& fill) {
  return "SELECT DISTINCT " + KeyText(spec) + " AS key FROM " + fill +
         " AS t WHERE EXISTS (SELECT 1 FROM " + StagedKeys(spec, stage) + " WHERE " +
         SameKey(spec) + ")";
}

std::string CreateLatestSql(const WriteSpec& spec, const std::string& stage,
                            const std::string& latest) {
  return "CREATE TEMPORARY TABLE " + latest + " AS " + Deduplicated(spec, stage);
}

std::string MomentSql(const WriteSpec& spec, const std::string& fill) {
  const std::string from = sql::QuoteIdentifier(spec.table.history.valid_from);
  const std::string to = sql::QuoteIdentifier(spec.table.history.valid_to);
  const std::string from_time = "CAST(" + from + " AS TIMESTAMPTZ)";
  return "SELECT CAST(m AS VARCHAR), CAST(m > current_timestamp + INTERVAL 1 DAY AS "
         "INTEGER) FROM (SELECT greatest(current_timestamp, coalesce((SELECT "
         "max(greatest(" +
         from_time + ", coalesce(CAST(" + to + " AS TIMESTAMPTZ), " + from_time +
         "))) FROM " + fill + ") + INTERVAL 1 MICROSECOND, current_timestamp)) AS m)";
}

std::string TwoOpenSql(const WriteSpec& spec, const std::string& latest,
                       const std::string& fill) {
  std::vector<std::string> keys, texts;
  for (const auto& key : QuotedKeys(spec)) {
    keys.push_back("s." + key);
    texts.push_back("coalesce(CAST(s." + key + " AS VARCHAR), 'NULL')");
  }
  return "SELECT concat_ws(', ', " + sql::Joined(texts) + ") FROM " + fill +
         " AS t JOIN " + latest + " AS s ON " + SameKey(spec) + " WHERE " + IsOpen(spec) +
         " GROUP BY " + sql::Joined(keys) + " HAVING count(*) > 1 LIMIT 10";
}

std::string CloseChangedSql(const WriteSpec& spec, const std::string& latest,
                            const std::string& fill) {
  const auto keys = QuotedKeys(spec);
  const auto& unwatched = spec.table.history.unwatched;
  std::string differs;
  for (const auto& column : spec.plan.columns) {
    const std::string name = sql::QuoteIdentifier(column.name);
    if (std::find(keys.begin(), keys.end(), name) != keys.end()) continue;
    if (std::find(unwatched.begin(), unwatched.end(), column.name) != unwatched.end()) {
      continue;
    }
    differs += (differs.empty() ? "t." : " OR t.") + name + " IS DISTINCT FROM s." + name;
  }
  if (differs.empty()) return "";
  return CloseSql(spec, fill) + " FROM " + latest + " AS s WHERE " + IsOpen(spec) +
         " AND " + SameKey(spec) + " AND (" + differs + ")" +
         (spec.keep_newer ? NotOlder(spec) : "");
}

std::string CloseUnseenSql(const WriteSpec& spec, const std::string& latest,
                           const std::string& fill) {
  return CloseSql(spec, fill) + " WHERE " + IsOpen(spec) +
         " AND NOT EXISTS (SELECT 1 FROM " + latest + " AS s WHERE " + SameKey(spec) +
         ")";
}

std::string OpenMissingSql(const WriteSpec& spec, const std::string& latest,
                           const std::string& fill) {
  const auto names = StagedColumns(spec).first;
  return "INSERT INTO " + fill + " (" + sql::Joined(names) + ", " +
         sql::QuoteIdentifier(spec.table.history.valid_from) + ") SELECT " +
         sql::Joined(names) + ", CAST($1 AS TIMESTAMPTZ) FROM " + latest +
         " AS s WHERE NOT EXISTS (SELECT 1 FROM " + fill + " AS t WHERE " + IsOpen(spec) +
         " AND " + SameKey(spec) + ")";
}

std::string CountKeysSql(const WriteSpec& spec, const std::string& stage) {
  return "SELECT CAST(count(*) AS BIGINT) FROM (SELECT DISTINCT " +
         sql::QuotedNames(spec.table.keys) + " FROM " + stage + ")";
}

}  // namespace dxt::duckdb
