#include "state/sqlite/database.h"

#include <utility>

#include <sqlite3.h>

#include "base/error.h"
#include "state/sqlite/migrations.h"

namespace dxt {

int64_t StateDatabase::Row::Integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string StateDatabase::Row::Text(int column) const {
  const auto* text =
      reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (text == nullptr) return {};
  return {text, static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

bool StateDatabase::Row::IsNull(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

arrow::Result<std::unique_ptr<StateDatabase>> StateDatabase::Open(
    const std::string& path) {
  std::unique_ptr<StateDatabase> database(new StateDatabase(path));
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  if (sqlite3_open_v2(path.c_str(), &database->connection_, flags, nullptr) !=
      SQLITE_OK) {
    return database->Failure("open");
  }
  ARROW_RETURN_NOT_OK(database->Configure());
  ARROW_RETURN_NOT_OK(database->Migrate());
  return database;
}

StateDatabase::~StateDatabase() {
  for (auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close_v2(connection_);
}

arrow::Status StateDatabase::Failure(std::string_view doing) const {
  const int code = connection_ ? sqlite3_errcode(connection_) : SQLITE_NOMEM;
  ErrorInfo info;
  info.error_class = ErrorClass::kTransient;
  info.code = "state.io";
  info.vendor_code = sqlite3_errstr(code);
  info.hint = "Check that the folder can be written and has free space";
  if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) {
    info.error_class = ErrorClass::kConfig;
    info.code = "state.corrupt";
    info.hint =
        "Move the file away and run again: cursors of targets that keep a ledger are "
        "read from there";
  } else if (code == SQLITE_FULL) {
    info.code = "state.disk_full";
    info.hint = "Free some disk space and run again";
  }
  const char* reason = connection_ ? sqlite3_errmsg(connection_) : "out of memory";
  return MakeError(std::move(info), "cannot " + std::string(doing) +
                                        " the state database " + path_ + ": " + reason);
}

arrow::Status StateDatabase::Script(const char* sql) {
  if (sqlite3_exec(connection_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return Failure("use");
  }
  return arrow::Status::OK();
}

arrow::Status StateDatabase::Configure() {
  // The process lock makes this the only connection but for a person's own look at the
  // file.
  sqlite3_busy_timeout(connection_, 5000);
  ARROW_RETURN_NOT_OK(Script("PRAGMA journal_mode = WAL"));
  ARROW_RETURN_NOT_OK(Script("PRAGMA synchronous = FULL"));
  ARROW_RETURN_NOT_OK(Script("PRAGMA foreign_keys = ON"));
  std::string verdict;
  ARROW_RETURN_NOT_OK(Step("PRAGMA quick_check(1)", {}, [&](const Row& row) {
                        verdict = row.Text(0);
                      }).status());
  if (verdict == "ok") return arrow::Status::OK();
  return MakeError(
      ErrorClass::kConfig, "state.corrupt",
      "the state database " + path_ + " is damaged: " + verdict,
      "Move the file away and run again: cursors of targets that keep a ledger "
      "are read from there");
}

arrow::Status StateDatabase::Migrate() {
  int64_t version = 0;
  ARROW_RETURN_NOT_OK(Step("PRAGMA user_version", {}, [&](const Row& row) {
                        version = row.Integer(0);
                      }).status());
  const auto migrations = StateMigrations();
  const auto newest = static_cast<int64_t>(migrations.size());
  if (version > newest) {
    return MakeError(
        ErrorClass::kConfig, "state.newer",
        "the state database " + path_ + " was written by a newer dxt (schema " +
            std::to_string(version) + ", this one knows " + std::to_string(newest) + ")",
        "Use that version of dxt, or another state folder");
  }
  for (; version < newest; ++version) {
    const std::string sql = "BEGIN IMMEDIATE;" + std::string(migrations[version]) +
                            "PRAGMA user_version = " + std::to_string(version + 1) +
                            "; COMMIT";
    const auto status = Script(sql.c_str());
    if (!status.ok()) {
      sqlite3_exec(connection_, "ROLLBACK", nullptr, nullptr, nullptr);
      return status;
    }
  }
  return arrow::Status::OK();
}

arrow::Result<sqlite3_stmt*> StateDatabase::Prepare(std::string_view sql) {
  const auto found = statements_.find(std::string(sql));
  if (found != statements_.end()) return found->second;
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(connection_, sql.data(), static_cast<int>(sql.size()),
                         SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) {
    return Failure("use");
  }
  statements_.emplace(sql, statement);
  return statement;
}

arrow::Result<int64_t> StateDatabase::Step(std::string_view sql,
                                           const std::vector<Value>& values,
                                           const RowCallback& on_row) {
  ARROW_ASSIGN_OR_RAISE(sqlite3_stmt * statement, Prepare(sql));
  for (size_t i = 0; i < values.size(); ++i) {
    const int at = static_cast<int>(i) + 1;
    if (const auto* number = std::get_if<int64_t>(&values[i])) {
      sqlite3_bind_int64(statement, at, *number);
    } else if (const auto* text = std::get_if<std::string_view>(&values[i])) {
      // A null pointer would bind NULL; an empty view may hold one.
      sqlite3_bind_text(statement, at, text->empty() ? "" : text->data(),
                        static_cast<int>(text->size()), SQLITE_TRANSIENT);
    } else {
      sqlite3_bind_null(statement, at);
    }
  }
  int code = SQLITE_ROW;
  while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    if (on_row) on_row(Row(statement));
  }
  const arrow::Status status =
      code == SQLITE_DONE ? arrow::Status::OK() : Failure("write to");
  const int64_t changed = sqlite3_changes64(connection_);
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  if (!status.ok()) return status;
  return changed;
}

arrow::Result<StateDatabase::Transaction> StateDatabase::Begin() {
  std::unique_lock lock(mutex_);
  ARROW_RETURN_NOT_OK(Step("BEGIN IMMEDIATE", {}, {}).status());
  return Transaction(this, std::move(lock));
}

StateDatabase::Transaction::Transaction(StateDatabase* database,
                                        std::unique_lock<std::mutex> lock)
    : database_(database), lock_(std::move(lock)) {}

StateDatabase::Transaction::Transaction(Transaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)), lock_(std::move(other.lock_)) {}

StateDatabase::Transaction::~Transaction() {
  if (database_ != nullptr) {
    sqlite3_exec(database_->connection_, "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

arrow::Result<int64_t> StateDatabase::Transaction::Run(std::string_view sql,
                                                       const std::vector<Value>& values,
                                                       const RowCallback& on_row) {
  return database_->Step(sql, values, on_row);
}

arrow::Status StateDatabase::Transaction::Commit() {
  ARROW_RETURN_NOT_OK(database_->Step("COMMIT", {}, {}).status());
  database_ = nullptr;
  lock_.unlock();
  return arrow::Status::OK();
}

}  // namespace dxt
