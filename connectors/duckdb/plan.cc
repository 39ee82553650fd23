#include "connectors/duckdb/plan.h"

#include <algorithm>

#include "base/error.h"
#include "base/spelling.h"
#include "connectors/duckdb/types.h"
#include "connectors/sql/column_names.h"
#include "connectors/sql/identifier.h"
#include "connectors/sql/keyed.h"

namespace dxt::duckdb {
namespace {

constexpr char kTimeType[] = "TIMESTAMP WITH TIME ZONE";

bool IsTime(std::string_view type) { return type.starts_with("TIMESTAMP"); }

/// Whether it holds microseconds, which keep versions apart, and no more.
bool IsExactTime(std::string_view type) {
  return type == "TIMESTAMP" || type == kTimeType;
}

bool Holds(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Columns that the stream does not fill must be able to do without.
arrow::Status CheckUnfilled(const TableSpec& wanted, const TargetTable& existing) {
  std::vector<std::string> names;
  for (const auto& column : wanted.columns) names.push_back(column.name);
  for (const auto& column : existing.columns) {
    if (column.nullable || column.has_default || column.generated) continue;
    if (sql::IsTimeColumn(wanted, column.name)) continue;
    if (sql::MatchName(names, column.name) >= 0) continue;
    return MakeError(ErrorClass::kConfig, "target.column_required",
                     "The target " + existing.reference +
                         " needs a value for its column '" + column.name +
                         "', which the stream does not have",
                     "Add the field to the stream, or give the column a default");
  }
  return arrow::Status::OK();
}

const TargetColumn* FindColumn(const TargetTable& existing, const std::string& name) {
  std::vector<std::string> names;
  for (const auto& column : existing.columns) names.push_back(column.name);
  const int at = sql::MatchName(names, name);
  return at < 0 ? nullptr : &existing.columns[static_cast<size_t>(at)];
}

arrow::Result<TablePlan::Column> ExistingColumn(const WantedColumn& wanted,
                                                const TargetTable& existing) {
  const TargetColumn* found = FindColumn(existing, wanted.name);
  if (!found) {
    return MakeError(
        ErrorClass::kConfig, "target.column_missing",
        "The target " + existing.reference + " has no column '" + wanted.name + "'",
        "ALTER TABLE " + existing.reference + " ADD COLUMN " +
            sql::QuoteIdentifier(wanted.name) + " " +
            NewColumnType(wanted.field).ValueOr("VARCHAR") +
            ", or leave the field out with exclude");
  }
  if (found->generated) {
    return MakeError(ErrorClass::kConfig, "target.column_generated",
                     "Column '" + found->name + "' of " + existing.reference +
                         " is generated and cannot be written",
                     "Leave it out with exclude");
  }
  if (!CanStore(found->native.type)) {
    return MakeError(ErrorClass::kUnsupported, "duckdb.type_not_written",
                     "Column '" + found->name + "' of " + existing.reference + " is " +
                         found->native.type + ", which dxt reads but does not write",
                     "Make it JSON or VARCHAR, or leave it out with exclude");
  }
  TablePlan::Column planned;
  planned.name = wanted.name;
  planned.native = found->native.type;
  planned.domain = DomainOf(planned.native, wanted.field);
  planned.nullable = found->nullable;
  return planned;
}

arrow::Result<TablePlan::Column> NewColumn(const WantedColumn& wanted, bool is_key) {
  TablePlan::Column planned;
  planned.name = wanted.name;
  if (!wanted.native_override.empty()) {
    planned.native = CanonicalType(wanted.native_override);
    if (!CanStore(planned.native)) {
      return MakeError(ErrorClass::kUnsupported, "duckdb.type_not_written",
                       "target.dtype " + wanted.native_override + " of field '" +
                           wanted.name + "' is not written by dxt",
                       "Use JSON or VARCHAR");
    }
  } else {
    ARROW_ASSIGN_OR_RAISE(planned.native, NewColumnType(wanted.field));
  }
  planned.domain = DomainOf(planned.native, wanted.field);
  planned.nullable = wanted.nullable && !is_key;
  planned.created = true;
  return planned;
}

void Describe(const TableSpec& wanted, const TargetTable& existing, TablePlan& plan) {
  if (plan.create) {
    plan.strategy = "create";
    plan.ddl.push_back(CreateTableSql(existing.reference, plan, wanted.PrimaryKey(),
                                      wanted.TimeColumns()));
  }
  if (wanted.mode == LoadMode::kMirror) plan.strategy_reason = MirrorText(wanted.mirror);
  if (wanted.mode == LoadMode::kHistory) {
    plan.strategy_reason = HistoryText(wanted.history);
  }
  if (plan.create) return;
  switch (wanted.mode) {
    case LoadMode::kUpsert:
      plan.strategy = "merge";
      return;
    case LoadMode::kMirror:
      plan.strategy = "delete and merge";
      return;
    case LoadMode::kInsertOnly:
      plan.strategy = "insert_only by anti-join";
      return;
    case LoadMode::kDeleteInsert:
      plan.strategy = "delete and insert";
      return;
    case LoadMode::kHistory:
      plan.strategy = "close and insert";
      return;
    case LoadMode::kAppend:
      plan.strategy = "append";
      return;
    case LoadMode::kReplace:
      break;
  }
  switch (wanted.strategy) {
    case ReplaceStrategy::kRewrite:
      plan.strategy = "rewrite";
      plan.strategy_reason = "DELETE and INSERT in one transaction, as asked";
      plan.ddl.push_back("DELETE FROM " + existing.reference);
      return;
    case ReplaceStrategy::kRecreate:
      plan.strategy = "recreate";
      plan.strategy_reason =
          "a new table without the indexes and comments of the old one";
      plan.ddl.push_back("DROP TABLE " + existing.reference);
      plan.ddl.push_back(CreateTableSql(existing.reference, plan, wanted.keys, {}));
      return;
    case ReplaceStrategy::kAuto:
    case ReplaceStrategy::kSwap:
      plan.strategy = "swap";
      plan.strategy_reason =
          "a new table takes the old one's place, definition, indexes and comments in "
          "one "
          "transaction";
      return;
  }
}

}  // namespace

std::string CreateTableSql(const std::string& reference, const TablePlan& plan,
                           const std::vector<std::string>& keys,
                           const std::vector<TimeColumn>& times) {
  std::string text = "CREATE TABLE " + reference + " (";
  for (size_t i = 0; i < plan.columns.size(); ++i) {
    const auto& column = plan.columns[i];
    text += (i > 0 ? ", " : "") + sql::QuoteIdentifier(column.name) + " " + column.native;
    if (!column.nullable) text += " NOT NULL";
  }
  for (const auto& time : times) {
    text += ", " + sql::QuoteIdentifier(time.name) + " " + kTimeType +
            (time.nullable ? "" : " NOT NULL");
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    text += (i == 0 ? ", PRIMARY KEY (" : ", ") + sql::QuoteIdentifier(keys[i]);
  }
  return text + (keys.empty() ? ")" : "))");
}

arrow::Result<TablePlan> PlanDuckdbTable(const TableSpec& wanted,
                                         const TargetTable& existing) {
  if (existing.is_view) {
    return MakeError(ErrorClass::kConfig, "target.is_view",
                     "The target " + existing.reference + " is a view", "Name a table");
  }
  ARROW_RETURN_NOT_OK(sql::CheckColumnNames(wanted, sql::NameCase::kFolded));
  ARROW_RETURN_NOT_OK(sql::CheckKeys(wanted));
  TablePlan plan;
  plan.create = !existing.exists;
  const bool anew = plan.create || (wanted.mode == LoadMode::kReplace &&
                                    wanted.strategy == ReplaceStrategy::kRecreate);
  for (const auto& column : wanted.columns) {
    TablePlan::Column planned;
    if (anew) {
      ARROW_ASSIGN_OR_RAISE(
          planned,
          NewColumn(column, !wanted.null_keys && Holds(wanted.keys, column.name)));
    } else {
      ARROW_ASSIGN_OR_RAISE(planned, ExistingColumn(column, existing));
    }
    plan.columns.push_back(std::move(planned));
  }
  if (!anew) {
    ARROW_RETURN_NOT_OK(CheckUnfilled(wanted, existing));
    const bool exact = wanted.mode == LoadMode::kHistory;
    for (const auto& time : wanted.TimeColumns()) {
      ARROW_RETURN_NOT_OK(sql::CheckTimeColumn(existing, time,
                                               FindColumn(existing, time.name), kTimeType,
                                               exact ? IsExactTime : IsTime));
    }
    ARROW_RETURN_NOT_OK(sql::CheckHistoryKeys(wanted, existing));
  }
  Describe(wanted, existing, plan);
  return plan;
}

}  // namespace dxt::duckdb
