#include "connectors/sqlite/window.h"

#include <sqlite3.h>

#include <algorithm>

#include <arrow/api.h>

#include "base/error.h"
#include "connectors/sdk/guards.h"
#include "connectors/sql/identifier.h"
#include "connectors/sqlite/catalogue.h"
#include "connectors/sqlite/connection.h"
#include "connectors/sqlite/encode.h"
#include "connectors/sqlite/table_plan.h"
#include "connectors/sqlite/types.h"

namespace dxt::sqlite {
namespace {

using sql::QuotedNames;
using sql::QuoteIdentifier;

arrow::Status Changed(const std::string& table) {
  return MakeError(ErrorClass::kTransient, "sqlite.target_changed",
                   "The target " + table +
                       " was changed by another program after the plan "
                       "was made",
                   "Run again");
}

}  // namespace

Window::Window(Connection* connection, WriteSpec spec)
    : connection_(connection), spec_(std::move(spec)), table_(spec_.target.reference) {}

Window::~Window() { Abandon(); }

std::string Window::Stage() const {
  return "temp." + QuoteIdentifier("_dxt_s_" + spec_.load_id);
}

std::string Window::ColumnList(const std::string& prefix) const {
  return QuotedNames(spec_.schema->field_names(), prefix);
}

arrow::Status Window::Open() {
  if (open_) return arrow::Status::OK();
  ARROW_RETURN_NOT_OK(connection_->BeginWrite());
  open_ = true;
  return PrepareTable();
}

arrow::Status Window::PrepareTable() {
  ARROW_ASSIGN_OR_RAISE(const auto name, TableOfReference(table_));
  ARROW_ASSIGN_OR_RAISE(auto entry, ReadTable(*connection_, name));
  if (!entry && !spec_.plan.create) return Changed(table_);
  const bool recreate = spec_.plan.strategy == kRecreate;
  if (entry && !recreate) {
    for (const auto& column : spec_.plan.columns) {
      const auto* found = entry->Find(column.name);
      if (!found || found->declared != column.native) return Changed(table_);
    }
  }
  if (entry && spec_.table.mode == LoadMode::kReplace) ARROW_RETURN_NOT_OK(ClearTable());
  if (!entry || recreate) {
    for (const auto& statement : spec_.plan.ddl) {
      ARROW_RETURN_NOT_OK(connection_->Execute(statement));
    }
    ARROW_ASSIGN_OR_RAISE(entry, ReadTable(*connection_, name));
  }
  if (keyed()) return arrow::Status::OK();
  // SQLite would give a NULL rowid a number of its own.
  const int alias = spec_.schema->GetFieldIndex(entry->rowid_alias);
  if (alias >= 0) keys_.push_back(alias);
  return PrepareInsert(table_);
}

arrow::Status Window::ClearTable() {
  if (spec_.plan.strategy == kSwap) {
    ARROW_ASSIGN_OR_RAISE(
        auto triggers,
        connection_->Prepare("SELECT name, sql FROM sqlite_schema WHERE type = "
                             "'trigger' AND tbl_name = $1 COLLATE NOCASE"));
    ARROW_ASSIGN_OR_RAISE(const auto name, TableOfReference(table_));
    ARROW_RETURN_NOT_OK(triggers.BindText(1, name));
    std::vector<std::string> names;
    while (true) {
      ARROW_ASSIGN_OR_RAISE(const bool more, triggers.Step());
      if (!more) break;
      names.push_back(triggers.Text(0));
      set_aside_.push_back(triggers.Text(1));
    }
    triggers.Reset();
    for (const auto& trigger : names) {
      ARROW_RETURN_NOT_OK(
          connection_->Execute("DROP TRIGGER " + QuoteIdentifier(trigger)));
    }
  }
  ARROW_RETURN_NOT_OK(connection_->Execute("DELETE FROM " + table_));
  rows_before_ = connection_->Changes();
  return arrow::Status::OK();
}

arrow::Status Window::PrepareInsert(const std::string& table) {
  std::string text = "INSERT INTO " + table + " (" + ColumnList("") + ") VALUES (";
  binders_.clear();
  for (int i = 0; i < spec_.schema->num_fields(); ++i) {
    text += i > 0 ? ", ?" : "?";
    const auto& column = spec_.plan.columns[i];
    ARROW_ASSIGN_OR_RAISE(auto binder, ColumnBinder::Make(*spec_.schema->field(i)->type(),
                                                          column.domain.deliver,
                                                          AffinityOf(column.native)));
    binders_.push_back(std::move(binder));
  }
  ARROW_ASSIGN_OR_RAISE(auto insert, connection_->Prepare(text + ")"));
  insert_ = std::make_unique<Statement>(std::move(insert));
  return arrow::Status::OK();
}

arrow::Status Window::OpenStage() {
  if (staged_) return arrow::Status::OK();
  staged_ = true;
  ARROW_RETURN_NOT_OK(connection_->Execute("BEGIN"));
  // The rows' order, under a name that no column has: a column may be called rowid.
  std::string ddl = "CREATE TABLE " + Stage() + " (_dxt_row INTEGER PRIMARY KEY";
  for (const auto& column : spec_.plan.columns) {
    ddl += ", " + QuoteIdentifier(column.name) + " " + column.native;
  }
  ARROW_RETURN_NOT_OK(connection_->Execute(ddl + ")"));
  for (const auto& key : spec_.table.keys) {
    keys_.push_back(spec_.schema->GetFieldIndex(key));
  }
  return PrepareInsert(Stage());
}

arrow::Status Window::Append(const arrow::RecordBatch& batch) {
  if (!batch.schema()->Equals(*spec_.schema, /*check_metadata=*/false)) {
    return MakeError(
        ErrorClass::kInternal, "sqlite.schema",
        "A batch has another schema than its writer: " + batch.schema()->ToString());
  }
  ARROW_RETURN_NOT_OK(keyed() ? OpenStage() : Open());
  ARROW_RETURN_NOT_OK(CheckKeys(batch));
  for (int i = 0; i < batch.num_columns(); ++i) binders_[i]->Use(*batch.column(i));
  sqlite3_stmt* insert = insert_->handle();
  const int columns = batch.num_columns();
  for (int64_t row = 0; row < batch.num_rows(); ++row) {
    for (int i = 0; i < columns; ++i) {
      if (!binders_[i]->Bind(insert, i + 1, row)) return Refuse(batch, i, row);
    }
    const int code = sqlite3_step(insert);
    if (code != SQLITE_DONE) {
      ErrorInfo where;
      where.key = "{\"row\":" + std::to_string(rows_ + 1) + "}";
      auto failure = Annotate(connection_->Failure(code), where);
      sqlite3_reset(insert);
      return failure;
    }
    sqlite3_reset(insert);
    ++rows_;
  }
  for (const auto& column : batch.columns()) {
    for (const auto& buffer : column->data()->buffers) {
      if (buffer) bytes_ += buffer->size();
    }
  }
  return arrow::Status::OK();
}

arrow::Status Window::CheckKeys(const arrow::RecordBatch& batch) {
  for (const int key : keys_) {
    const auto& column = *batch.column(key);
    if (spec_.null_keys_match || column.null_count() == 0) continue;
    constexpr int kShown = 10;
    std::string rows;
    int shown = 0;
    for (int64_t row = 0; row < column.length() && shown < kShown; ++row) {
      if (!column.IsNull(row)) continue;
      rows += (shown++ > 0 ? ", " : "") + std::to_string(rows_ + row + 1);
    }
    ErrorInfo info;
    info.error_class = ErrorClass::kData;
    info.code = "load.null_key";
    info.column = spec_.schema->field(key)->name();
    info.hint = "Filter such rows out, or choose other keys";
    return MakeError(std::move(info), "The key column '" +
                                          spec_.schema->field(key)->name() +
                                          "' has no value in the load's row " + rows);
  }
  return arrow::Status::OK();
}

arrow::Status Window::Refuse(const arrow::RecordBatch& batch, int column, int64_t row) {
  std::string value;
  if (const auto scalar = batch.column(column)->GetScalar(row); scalar.ok()) {
    value = (*scalar)->ToString().substr(0, 60);
  }
  const auto& planned = spec_.plan.columns[column];
  ErrorInfo info;
  info.error_class = ErrorClass::kData;
  info.code = "sqlite.inexact";
  info.column = planned.name;
  info.key = "{\"row\":" + std::to_string(rows_ + 1) + "}";
  info.hint =
      "Use a column that keeps the text, e.g. " + DeclaredType(planned.domain.deliver);
  return MakeError(std::move(info), "The column '" + planned.name + "' of " + table_ +
                                        ", declared '" + planned.native +
                                        "', would store " + value + " as another value");
}

arrow::Status Window::Finish() {
  if (!keyed()) {
    ARROW_RETURN_NOT_OK(Open());
    insert_.reset();
    for (const auto& trigger : set_aside_)
      ARROW_RETURN_NOT_OK(connection_->Execute(trigger));
    set_aside_.clear();
    return arrow::Status::OK();
  }
  ARROW_RETURN_NOT_OK(OpenStage());
  insert_.reset();
  return connection_->Execute("COMMIT");
}

arrow::Status Window::Apply(const CommitGuards& guards,
                            const std::optional<LoadRecord>& last, CommitResult* result) {
  result->rows_written = rows_;
  if (keyed()) return ApplyKeyed(guards, last, result);
  if (spec_.table.mode != LoadMode::kReplace) return arrow::Status::OK();
  result->rows_deleted = rows_before_;
  return CheckGuards(guards, rows_before_, rows_);
}

void Window::Abandon() noexcept {
  insert_.reset();
  binders_.clear();
  connection_->Rollback();
  if (staged_) {
    // Fails when the rollback removed it already.
    (void)connection_->Execute("DROP TABLE IF EXISTS " + Stage());
  }
  open_ = staged_ = false;
}

}  // namespace dxt::sqlite
