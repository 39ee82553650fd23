#include "connectors/sqlite/table_plan.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "connectors/sql/column_names.h"
#include "connectors/sql/identifier.h"
#include "connectors/sql/keyed.h"
#include "connectors/sqlite/types.h"

namespace dxt::sqlite {
namespace {

constexpr char kTimeType[] = "TIMESTAMPTZ";

bool IsInteger(const FieldType& type) {
  return type.dtype >= DType::kInt8 && type.dtype <= DType::kUint64;
}
bool IsReal(const FieldType& type) {
  return type.dtype == DType::kFloat32 || type.dtype == DType::kFloat64;
}

/// A declared type is pasted into DDL, so it may only look like one.
arrow::Status CheckDeclared(const std::string& declared) {
  const bool plain = std::all_of(declared.begin(), declared.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == ' ' || c == '(' || c == ')' || c == ',';
  });
  if (plain && !declared.empty()) return arrow::Status::OK();
  return MakeError(ErrorClass::kConfig, "target.native_type",
                   "'" + declared + "' is not a type name that SQLite can be given");
}

/// `declared` column given `wanted` values: exactly what arrives, where the column holds
/// it.
ValueDomain DomainFor(const std::string& declared, const FieldType& wanted) {
  const auto type = TypeOfDeclared(declared);
  if (!type) return DomainOf(wanted);
  const bool as_it_is =
      (IsInteger(*type) && IsInteger(wanted)) || (IsReal(*type) && IsReal(wanted));
  return DomainOf(as_it_is ? wanted : *type);
}

/// The declared type of a new column: the source's own where it is SQLite and still says
/// the same.
std::string DeclaredFor(const WantedColumn& column) {
  const auto& native = column.field.native;
  if (native.system == "sqlite" && CheckDeclared(native.type).ok()) {
    const auto type = TypeOfDeclared(native.type);
    if (type && *type == column.field.type) return native.type;
  }
  return DeclaredType(column.field.type);
}

arrow::Result<TablePlan::Column> PlanColumn(const TableSpec& wanted,
                                            const WantedColumn& column,
                                            const TargetTable& existing, bool create) {
  TablePlan::Column planned;
  planned.name = column.name;
  if (create) {
    planned.native = column.native_override;
    if (planned.native.empty()) planned.native = DeclaredFor(column);
    ARROW_RETURN_NOT_OK(CheckDeclared(planned.native));
    planned.domain = DomainFor(planned.native, column.field.type);
    const bool key = std::find(wanted.keys.begin(), wanted.keys.end(), column.name) !=
                     wanted.keys.end();
    planned.nullable = column.nullable && (wanted.null_keys || !key);
    planned.created = true;
    return planned;
  }
  const auto* found = existing.Find(column.name);
  if (!found) {
    return MakeError(
        ErrorClass::kConfig, "target.column_missing",
        "The target " + existing.reference + " has no column '" + column.name + "'",
        "ALTER TABLE " + existing.reference + " ADD COLUMN " +
            sql::QuoteIdentifier(column.name) + " " + DeclaredFor(column));
  }
  if (found->generated) {
    return MakeError(ErrorClass::kConfig, "target.column_generated",
                     "The column '" + column.name + "' of " + existing.reference +
                         " is computed by SQLite and cannot be written",
                     "Leave it out of the stream with `exclude`");
  }
  planned.native = found->native.type;
  planned.nullable = found->nullable;
  planned.domain = DomainFor(planned.native, column.field.type);
  return planned;
}

arrow::Status CheckRest(const TableSpec& wanted, const TargetTable& existing) {
  for (const auto& column : existing.columns) {
    if (column.nullable || column.has_default || column.generated) continue;
    if (sql::IsTimeColumn(wanted, column.name)) continue;
    const bool given =
        std::any_of(wanted.columns.begin(), wanted.columns.end(),
                    [&](const WantedColumn& other) { return other.name == column.name; });
    if (given) continue;
    return MakeError(ErrorClass::kConfig, "target.column_required",
                     "The target " + existing.reference +
                         " needs a value for its column '" + column.name +
                         "' (NOT NULL without default), which the stream lacks");
  }
  return arrow::Status::OK();
}

std::string CreateTable(const TableSpec& wanted, const std::string& reference,
                        const std::vector<TablePlan::Column>& columns) {
  std::string ddl = "CREATE TABLE " + reference + " (";
  for (size_t i = 0; i < columns.size(); ++i) {
    if (i > 0) ddl += ", ";
    ddl += sql::QuoteIdentifier(columns[i].name) + " " + columns[i].native;
    if (!columns[i].nullable) ddl += " NOT NULL";
  }
  for (const auto& time : wanted.TimeColumns()) {
    ddl += ", " + sql::QuoteIdentifier(time.name) + " " + kTimeType +
           (time.nullable ? "" : " NOT NULL");
  }
  const auto keys = wanted.PrimaryKey();
  for (size_t i = 0; i < keys.size(); ++i) {
    ddl += (i == 0 ? ", PRIMARY KEY (" : ", ") + sql::QuoteIdentifier(keys[i]);
  }
  return ddl + (keys.empty() ? ")" : "))");
}

/// Of a table of versions: one of a key is open.
std::string OneOpenIndex(const TableSpec& wanted, const std::string& table) {
  return "CREATE UNIQUE INDEX IF NOT EXISTS " +
         sql::QuoteIdentifier("_dxt_open_" + table) + " ON " +
         sql::QuoteIdentifier(table) + " (" + sql::QuotedNames(wanted.keys) + ") WHERE " +
         sql::QuoteIdentifier(wanted.history.valid_to) + " IS NULL";
}

arrow::Status PlanReplace(const TableSpec& wanted, const TargetTable& existing,
                          TablePlan* plan) {
  if (wanted.strategy == ReplaceStrategy::kSwap) {
    plan->strategy = kSwap;
    plan->strategy_reason =
        "asked for: triggers are set aside while the rows are exchanged";
    return arrow::Status::OK();
  }
  if (!existing.triggers.empty()) {
    return MakeError(
        ErrorClass::kConfig, "sqlite.triggers",
        "The target " + existing.reference + " has the trigger '" +
            existing.triggers.front() +
            "', which would run for every deleted and inserted row",
        "Set replace_strategy: swap to exchange the rows without running triggers");
  }
  plan->strategy = "rewrite";
  plan->strategy_reason = "one transaction deletes the old rows and inserts the new";
  return arrow::Status::OK();
}

}  // namespace

TargetTable TargetOf(const TableEntry& table) {
  TargetTable target;
  target.exists = true;
  target.reference = sql::QuoteIdentifier(table.name);
  target.is_view = table.is_view;
  target.unique_keys = table.unique_keys;
  target.triggers = table.triggers;
  for (const auto& entry : table.columns) {
    TargetColumn column;
    column.name = entry.name;
    column.native = {"sqlite", entry.declared};
    column.nullable = !entry.not_null;
    column.has_default = entry.has_default || entry.name == table.rowid_alias;
    column.generated = entry.generated;
    column.domain = DomainOf(TypeOfDeclared(entry.declared).value_or(FieldType{}));
    target.columns.push_back(std::move(column));
  }
  return target;
}

arrow::Result<TablePlan> PlanTable(const TableSpec& wanted, const TargetTable& existing) {
  if (existing.is_view) {
    return MakeError(ErrorClass::kConfig, "sqlite.is_view",
                     "The target " + existing.reference + " is a view",
                     "Name a table as the target");
  }
  ARROW_RETURN_NOT_OK(sql::CheckColumnNames(wanted, sql::NameCase::kFolded));
  ARROW_RETURN_NOT_OK(sql::CheckKeys(wanted));
  TablePlan plan;
  const bool recreate = existing.exists && wanted.mode == LoadMode::kReplace &&
                        wanted.strategy == ReplaceStrategy::kRecreate;
  plan.create = !existing.exists;
  for (const auto& column : wanted.columns) {
    ARROW_ASSIGN_OR_RAISE(auto planned,
                          PlanColumn(wanted, column, existing, plan.create || recreate));
    plan.columns.push_back(std::move(planned));
  }
  if (plan.create || recreate) {
    if (recreate) plan.ddl.push_back("DROP TABLE " + existing.reference);
    plan.ddl.push_back(CreateTable(wanted, existing.reference, plan.columns));
    if (wanted.mode == LoadMode::kHistory) {
      ARROW_ASSIGN_OR_RAISE(const auto name, TableOfReference(existing.reference));
      plan.ddl.push_back(OneOpenIndex(wanted, name));
    }
  } else {
    ARROW_RETURN_NOT_OK(CheckRest(wanted, existing));
    for (const auto& time : wanted.TimeColumns()) {
      ARROW_RETURN_NOT_OK(sql::CheckTimeColumn(
          existing, time, existing.Find(time.name), kTimeType, [](std::string_view type) {
            return AffinityOf(type) == AffinityOf(kTimeType);
          }));
    }
    ARROW_RETURN_NOT_OK(sql::CheckHistoryKeys(wanted, existing));
  }
  if (recreate) {
    plan.strategy = kRecreate;
    plan.strategy_reason =
        "asked for: the table is dropped with its indexes and triggers";
  } else if (wanted.mode == LoadMode::kDeleteInsert) {
    plan.strategy = plan.create ? "create" : "delete and insert";
  } else if (wanted.mode == LoadMode::kHistory) {
    plan.strategy = plan.create ? "create" : "close and insert";
    plan.strategy_reason = HistoryText(wanted.history);
  } else if (IsKeyed(wanted.mode)) {
    const std::set<std::string> keys(wanted.keys.begin(), wanted.keys.end());
    bool indexed = plan.create;
    for (const auto& unique : existing.unique_keys) {
      indexed = indexed || (unique.size() == keys.size() &&
                            std::set<std::string>(unique.begin(), unique.end()) == keys);
    }
    // To an index no NULL is equal to another.
    indexed = indexed && !wanted.null_keys;
    plan.strategy = std::string(LoadModeName(wanted.mode)) + " " +
                    (indexed                                ? kByIndex
                     : wanted.mode != LoadMode::kInsertOnly ? "by update and insert"
                                                            : "by anti-join");
    if (!indexed) {
      plan.strategy_reason = wanted.null_keys ? "NULL keys match each other"
                                              : "no unique index has exactly the keys";
    }
    if (wanted.mode == LoadMode::kMirror) {
      plan.strategy_reason += (indexed ? "" : "; ") + MirrorText(wanted.mirror);
    }
  } else if (plan.create) {
    plan.strategy = "create";
  } else if (wanted.mode == LoadMode::kReplace) {
    ARROW_RETURN_NOT_OK(PlanReplace(wanted, existing, &plan));
  } else {
    plan.strategy = "append";
  }
  return plan;
}

}  // namespace dxt::sqlite
