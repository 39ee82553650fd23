#include "connectors/postgres/table_plan.h"

#include <algorithm>

#include "base/error.h"
#include "base/spelling.h"
#include "connectors/sql/column_names.h"
#include "connectors/sql/identifier.h"
#include "connectors/sql/keyed.h"

namespace dxt::postgres {
namespace {

constexpr std::string_view kTimeType = "timestamp with time zone";

bool IsTime(std::string_view type) { return type.starts_with("timestamp"); }

/// Whether it holds microseconds, which keep versions apart.
bool IsExactTime(std::string_view type) {
  return IsTime(type) && (type.find('(') == type.npos || type.find("(6)") != type.npos);
}

/// A type that a document names goes into DDL as it is, so only what a type's name can
/// consist of is let through.
arrow::Status CheckTypeText(const std::string& column, const std::string& type) {
  const bool plain = !type.empty() && std::all_of(type.begin(), type.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_ .,()[]\"").find(c) != std::string_view::npos ||
           static_cast<unsigned char>(c) >= 0x80;
  });
  if (plain) return arrow::Status::OK();
  return MakeError(ErrorClass::kConfig, "type.invalid",
                   "The target type '" + type + "' of column '" + column +
                       "' is not the name of a PostgreSQL type",
                   "Write it as in CREATE TABLE: varchar(20), numeric(10,2), text[]");
}

class Planner {
 public:
  Planner(const TableSpec& wanted, const TargetTable& existing, const UserTypes& types)
      : wanted_(wanted), existing_(existing), types_(types) {}

  arrow::Result<TablePlan> Plan() {
    ARROW_RETURN_NOT_OK(sql::CheckColumnNames(wanted_, sql::NameCase::kMatters));
    ARROW_RETURN_NOT_OK(sql::CheckKeys(wanted_));
    if (existing_.is_view) {
      return MakeError(ErrorClass::kUnsupported, "target.is_view",
                       "The target " + existing_.reference + " is a view",
                       "Name a table, or another target");
    }
    plan_.create = !existing_.exists;
    bool fresh = plan_.create;
    if (!plan_.create && wanted_.mode == LoadMode::kReplace) {
      ARROW_ASSIGN_OR_RAISE(const auto strategy,
                            ChooseStrategy(wanted_, existing_, &plan_.strategy_reason));
      plan_.strategy = ReplaceStrategyName(strategy);
      fresh = strategy == ReplaceStrategy::kRecreate;
    }
    for (const auto& column : wanted_.columns) {
      ARROW_ASSIGN_OR_RAISE(auto planned, fresh ? NewColumn(column) : OldColumn(column));
      plan_.columns.push_back(std::move(planned));
    }
    if (fresh) {
      ARROW_ASSIGN_OR_RAISE(const auto parts, sql::SplitReference(existing_.reference));
      for (const auto& part : parts) ARROW_RETURN_NOT_OK(CheckName(part));
      Create();
    } else {
      ARROW_RETURN_NOT_OK(CheckRequired());
      ARROW_RETURN_NOT_OK(CheckTimeColumns());
      ARROW_RETURN_NOT_OK(sql::CheckHistoryKeys(wanted_, existing_));
      if (!missing_.empty()) return Missing();
    }
    ARROW_RETURN_NOT_OK(Describe());
    return std::move(plan_);
  }

 private:
  /// The declared type of a new column: the document's, the source's own where this is
  /// the same system, else what the type map says.
  arrow::Result<std::string> NewType(const WantedColumn& column) const {
    if (!column.native_override.empty()) {
      ARROW_RETURN_NOT_OK(CheckTypeText(column.name, column.native_override));
      return column.native_override;
    }
    const NativeType& native = column.field.native;
    if (native.system == kSystem && !native.type.empty()) {
      const PgType type = ParseType(native.type);
      const bool known = type.built_in()
                             ? RawSafe(type)
                             : types_.contains(native.type) || types_.contains(type.name);
      const bool reads_as_itself = ReadAs(type, false, 0) == column.field.type;
      if (known && reads_as_itself) return native.type;
    }
    return NewColumnType(column.field);
  }

  /// The server would cut a longer name without a word, and never find it again.
  static arrow::Status CheckName(const std::string& name) {
    constexpr size_t kLongest = 63;
    if (name.size() <= kLongest) return arrow::Status::OK();
    return MakeError(ErrorClass::kConfig, "target.name_too_long",
                     "The name '" + name + "' has " + std::to_string(name.size()) +
                         " bytes; PostgreSQL keeps 63",
                     "Give the column another `target.name`, or the table another name");
  }

  arrow::Result<TablePlan::Column> NewColumn(const WantedColumn& column) const {
    ARROW_RETURN_NOT_OK(CheckName(column.name));
    TablePlan::Column planned;
    planned.name = column.name;
    planned.created = true;
    planned.nullable = column.nullable;
    ARROW_ASSIGN_OR_RAISE(planned.native, NewType(column));
    return Finish(std::move(planned), column);
  }

  arrow::Result<TablePlan::Column> OldColumn(const WantedColumn& column) {
    const TargetColumn* target = existing_.Find(column.name);
    if (!target) {
      ARROW_ASSIGN_OR_RAISE(const auto type, NewType(column));
      missing_.push_back("ADD COLUMN " + sql::QuoteIdentifier(column.name) + " " + type);
      missing_names_.push_back(column.name);
      return TablePlan::Column{};
    }
    if (target->generated) {
      return MakeError(ErrorClass::kConfig, "target.column_generated",
                       "Column '" + column.name + "' of " + existing_.reference +
                           " is generated by the server and cannot be written",
                       "Leave it out with `exclude`");
    }
    TablePlan::Column planned;
    planned.name = column.name;
    planned.native = target->native.type;
    planned.nullable = target->nullable;
    return Finish(std::move(planned), column);
  }

  arrow::Result<TablePlan::Column> Finish(TablePlan::Column planned,
                                          const WantedColumn& column) const {
    const PgType type = ParseType(planned.native);
    const bool same = column.field.native.system == kSystem &&
                      column.field.native.type == planned.native;
    const auto refused = [&](const arrow::Status& why) {
      ErrorInfo more;
      more.column = column.name;
      return Annotate(Prefix(why, "Column '" + column.name + "'"), more);
    };
    if (RoundsSilently(type) && !same) {
      return refused(MakeError(ErrorClass::kUnsupported, "type.refused",
                               "It is " + planned.native +
                                   " at the target, where the server would round values "
                                   "of " +
                                   ToString(column.field.type) + " without saying so",
                               "Load into a column of another type, such as text"));
    }
    auto domain = DomainOf(type, planned.native, column.field.type);
    if (!domain.ok()) return refused(domain.status());
    planned.domain = *std::move(domain);
    planned.accepts_raw = same && RawSafe(type);
    return planned;
  }

  arrow::Status CheckRequired() const {
    for (const auto& column : existing_.columns) {
      if (column.nullable || column.has_default || column.generated) continue;
      if (sql::IsTimeColumn(wanted_, column.name)) continue;
      const bool given =
          std::any_of(wanted_.columns.begin(), wanted_.columns.end(),
                      [&](const auto& wanted) { return wanted.name == column.name; });
      if (given) continue;
      return MakeError(ErrorClass::kConfig, "target.column_required",
                       "The target " + existing_.reference +
                           " needs a value for its column '" + column.name +
                           "', which the stream does not have",
                       "Add a field for it, or give the column a default");
    }
    return arrow::Status::OK();
  }

  /// Columns in which the load sets times must be there and hold them.
  arrow::Status CheckTimeColumns() {
    for (const auto& time : wanted_.TimeColumns()) {
      const TargetColumn* column = existing_.Find(time.name);
      if (!column) {
        missing_.push_back("ADD COLUMN " + sql::QuoteIdentifier(time.name) + " " +
                           std::string(kTimeType));
        missing_names_.push_back(time.name);
        continue;
      }
      const bool exact = wanted_.mode == LoadMode::kHistory;
      ARROW_RETURN_NOT_OK(sql::CheckTimeColumn(existing_, time, column, kTimeType,
                                               exact ? IsExactTime : IsTime));
    }
    return arrow::Status::OK();
  }

  arrow::Status Missing() const {
    std::vector<std::string> names;
    for (const auto& column : existing_.columns) names.push_back(column.name);
    const std::string nearest = NearestSpelling(missing_names_.front(), names);
    ErrorInfo info;
    info.error_class = ErrorClass::kConfig;
    info.code = "schema.column_missing";
    info.column = missing_names_.front();
    info.hint = "Run: ALTER TABLE " + existing_.reference + " " + sql::Joined(missing_) +
                ";" +
                (nearest.empty() ? "" : " Or did you mean the column '" + nearest + "'?");
    return MakeError(std::move(info), "The target " + existing_.reference +
                                          " has no column " +
                                          sql::Joined(missing_names_));
  }

  void Create() {
    const auto parts = sql::SplitReference(existing_.reference);
    if (!parts.ok()) return;
    if (!existing_.container_exists) {
      plan_.ddl.push_back("CREATE SCHEMA IF NOT EXISTS " +
                          sql::QuoteIdentifier(parts->front()));
    }
    const std::string quoted = sql::QuoteReference(*parts);
    if (existing_.exists) plan_.ddl.push_back("DROP TABLE " + quoted);
    const NewTable table =
        NewTableSql(quoted, ColumnsToCreate(wanted_, plan_), wanted_.PrimaryKey());
    plan_.ddl.push_back(table.create);
    if (!table.add_key.empty()) plan_.ddl.push_back(table.add_key);
    if (wanted_.mode == LoadMode::kHistory) {
      plan_.ddl.push_back(OneOpenSql(quoted, wanted_));
    }
  }

  arrow::Status Describe() {
    if (!plan_.strategy.empty()) return arrow::Status::OK();
    if (plan_.create) {
      plan_.strategy = "create";
      plan_.strategy_reason = "the table does not exist";
    } else if (wanted_.mode == LoadMode::kDeleteInsert) {
      plan_.strategy = "delete and insert";
    } else if (wanted_.mode == LoadMode::kHistory) {
      plan_.strategy = "close and insert";
    } else if (IsKeyed(wanted_.mode)) {
      const bool unique = HasUniqueKey(existing_, wanted_.keys);
      const bool updates = wanted_.mode != LoadMode::kInsertOnly;
      plan_.strategy =
          std::string(LoadModeName(wanted_.mode)) + (unique    ? " by unique index"
                                                     : updates ? " by update and insert"
                                                               : " by anti-join");
      plan_.strategy_reason = unique ? "the keys are a unique index"
                                     : "no unique index is on exactly the keys";
    } else {
      plan_.strategy = "append";
    }
    if (wanted_.mode == LoadMode::kMirror) {
      plan_.strategy_reason += "; " + MirrorText(wanted_.mirror);
    }
    if (wanted_.mode == LoadMode::kHistory) {
      plan_.strategy_reason += (plan_.create ? "; " : "") + HistoryText(wanted_.history);
    }
    return arrow::Status::OK();
  }

  const TableSpec& wanted_;
  const TargetTable& existing_;
  const UserTypes& types_;
  TablePlan plan_;
  std::vector<std::string> missing_, missing_names_;
};

}  // namespace

arrow::Result<TablePlan> MakeTablePlan(const TableSpec& wanted,
                                       const TargetTable& existing,
                                       const UserTypes& types) {
  return Planner(wanted, existing, types).Plan();
}

std::vector<TablePlan::Column> ColumnsToCreate(const TableSpec& wanted,
                                               const TablePlan& plan) {
  auto columns = plan.columns;
  for (const auto& time : wanted.TimeColumns()) {
    TablePlan::Column column;
    column.name = time.name;
    column.native = kTimeType;
    column.nullable = time.nullable;
    columns.push_back(std::move(column));
  }
  return columns;
}

std::string OneOpenSql(const std::string& quoted, const TableSpec& wanted) {
  return "CREATE UNIQUE INDEX ON " + quoted + " (" + sql::QuotedNames(wanted.keys) +
         ") WHERE " + sql::QuoteIdentifier(wanted.history.valid_to) + " IS NULL";
}

NewTable NewTableSql(const std::string& quoted,
                     const std::vector<TablePlan::Column>& columns,
                     const std::vector<std::string>& keys) {
  NewTable table;
  std::string body;
  bool nullable_key = false;
  for (const auto& column : columns) {
    const bool key = std::find(keys.begin(), keys.end(), column.name) != keys.end();
    nullable_key = nullable_key || (key && column.nullable);
    body += (body.empty() ? "\n  " : ",\n  ") + sql::QuoteIdentifier(column.name) + " " +
            column.native + (column.nullable ? "" : " NOT NULL");
  }
  table.create = "CREATE TABLE " + quoted + " (" + body + "\n)";
  // A primary key cannot hold NULL; keys that may (`null_key: match`) stay without one.
  if (keys.empty() || nullable_key) return table;
  std::vector<std::string> names;
  for (const auto& key : keys) names.push_back(sql::QuoteIdentifier(key));
  table.add_key =
      "ALTER TABLE " + quoted + " ADD PRIMARY KEY (" + sql::Joined(names) + ")";
  return table;
}

arrow::Result<ReplaceStrategy> ChooseStrategy(const TableSpec& wanted,
                                              const TargetTable& existing,
                                              std::string* reason) {
  if (!existing.referenced_by.empty()) {
    return MakeError(
        ErrorClass::kUnsupported, "target.referenced",
        "The target " + existing.reference + " cannot be replaced: " +
            sql::Joined(existing.referenced_by) + " points at its rows",
        "Use `mode: mirror`, which deletes only rows that are gone, or drop the foreign "
        "key before and make it after");
  }
  const std::string attached = sql::Joined(existing.attachments);
  switch (wanted.strategy) {
    case ReplaceStrategy::kRewrite:
      *reason = "the document asks for it";
      return ReplaceStrategy::kRewrite;
    case ReplaceStrategy::kSwap:
    case ReplaceStrategy::kRecreate:
      if (!attached.empty()) {
        return MakeError(
            ErrorClass::kUnsupported, "target.attached",
            "The target " + existing.reference +
                " cannot be exchanged for a new table, since these hang on it: " +
                attached,
            "Use `replace_strategy: auto` or `rewrite`");
      }
      *reason = "the document asks for it";
      return wanted.strategy;
    case ReplaceStrategy::kAuto:
      break;
  }
  if (!attached.empty()) {
    *reason = "these hang on the table: " + attached;
    return ReplaceStrategy::kRewrite;
  }
  *reason = "nothing hangs on the table that could not be carried over";
  return ReplaceStrategy::kSwap;
}

bool HasUniqueKey(const TargetTable& table, const std::vector<std::string>& keys) {
  std::vector<std::string> wanted = keys;
  std::sort(wanted.begin(), wanted.end());
  return std::any_of(table.unique_keys.begin(), table.unique_keys.end(),
                     [&](auto unique) {
                       std::sort(unique.begin(), unique.end());
                       return unique == wanted;
                     });
}

}  // namespace dxt::postgres
