#include "state/sqlite/connection.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include "base/error.h"
#include "state/sqlite/migrations.h"

namespace dxt {
namespace {

/// "dxts": set by migration 2, so that another program's file is not taken for ours.
constexpr int64_t kApplicationId = 0x64787473;

std::string RestoreHint(const std::string& path) {
  return "Restore a backup: `mkdir damaged && mv " + path +
         "* damaged/`, then `install -m 0600 BACKUP " + path +
         "` (docs/how-to/back-up-and-restore.md); or move it away and start again: "
         "cursors of targets that keep a ledger are read from there";
}

}  // namespace

int64_t StateDatabase::Row::Integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string StateDatabase::Row::Text(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

bool StateDatabase::Row::IsNull(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

arrow::Result<int64_t> StateDatabase::Transaction::Run(std::string_view sql,
                                                       const Values& values,
                                                       const RowCallback& on_row) {
  return connection_.Step(sql, values, on_row);
}

arrow::Result<std::unique_ptr<StateDatabase::Connection>> StateDatabase::Connection::Open(
    const std::string& path, Kind kind) {
  std::unique_ptr<Connection> connection(new Connection(path));
  if (kind == Kind::kWriter && path != kInMemory) {
    // SQLite gives its log the mode of the file, and the file one that others can read.
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0) close(fd);
  }
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
  if (kind == Kind::kWriter) flags |= SQLITE_OPEN_CREATE;
  if (sqlite3_open_v2(path.c_str(), &connection->handle_, flags, nullptr) != SQLITE_OK) {
    return connection->Failure("open");
  }
  sqlite3_extended_result_codes(connection->handle_, 1);
  // The process lock leaves only a person's own look at the file to wait for.
  sqlite3_busy_timeout(connection->handle_, 5000);
  ARROW_RETURN_NOT_OK(connection->Script(
      "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0"));
  if (kind == Kind::kReader) {
    ARROW_RETURN_NOT_OK(connection->Script("PRAGMA query_only = ON"));
    return connection;
  }
  if (kind == Kind::kFolder) {
    ARROW_RETURN_NOT_OK(connection->Script("PRAGMA synchronous = FULL"));
    return connection;
  }
  // EXTRA: the first journal, from before the log, must not come back after a loss of
  // power. secure_delete: what is erased of a run's input is not to lie about in free
  // pages.
  ARROW_RETURN_NOT_OK(connection->Script(
      "PRAGMA synchronous = EXTRA; PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON; "
      "PRAGMA secure_delete = ON; PRAGMA journal_size_limit = 67108864"));
  const auto count = [](void* counter, sqlite3*, const char*, int pages) {
    *static_cast<int*>(counter) = pages;
    return SQLITE_OK;
  };
  // In place of SQLite's own, which would fold the log in the midst of a commit.
  sqlite3_wal_hook(connection->handle_, count, &connection->log_pages_);
  return connection;
}

StateDatabase::Connection::~Connection() {
  for (auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close_v2(handle_);
}

arrow::Status StateDatabase::Connection::Failure(std::string_view doing) const {
  const int extended = handle_ ? sqlite3_extended_errcode(handle_) : SQLITE_NOMEM;
  const int code = extended & 0xff;
  ErrorInfo info;
  info.error_class = ErrorClass::kTransient;
  info.code = "state.io";
  info.vendor_code = std::to_string(extended);
  info.hint = "Check that the folder can be written and that the disk is sound";
  if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) {
    info.error_class = ErrorClass::kConfig;
    info.code = "state.corrupt";
    info.hint = RestoreHint(path_);
  } else if (code == SQLITE_FULL) {
    info.code = "state.disk_full";
    info.hint = "Free some disk space; nothing was changed, and it can be tried again";
  } else if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
    info.code = "state.busy";
    info.hint = "Another program has the file open and locked: close it";
  } else if (code == SQLITE_CONSTRAINT) {
    info.error_class = ErrorClass::kInternal;
    info.code = "state.constraint";
    info.hint = "Please report it with this message";
  } else if (extended == SQLITE_IOERR_FSYNC || extended == SQLITE_IOERR_DIR_FSYNC) {
    info.code = "state.sync_failed";
    info.hint = "The disk could not make a change durable: check it, then restart dxtd";
  }
  const char* reason = handle_ ? sqlite3_errmsg(handle_) : "out of memory";
  return MakeError(std::move(info), "cannot " + std::string(doing) +
                                        " the state database " + path_ + ": " + reason);
}

arrow::Status StateDatabase::Connection::Script(const char* sql) {
  if (sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return Failure("use");
  }
  return arrow::Status::OK();
}

arrow::Status StateDatabase::Connection::Fold() {
  const int code = sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_PASSIVE,
                                             nullptr, nullptr);
  // Busy: another connection is at it.
  if (code == SQLITE_OK || code == SQLITE_BUSY) return arrow::Status::OK();
  return Failure("fold the log into");
}

void StateDatabase::Connection::RollBack() {
  if (in_transaction()) sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
}

bool StateDatabase::Connection::in_transaction() const {
  return sqlite3_get_autocommit(handle_) == 0;
}

arrow::Result<int64_t> StateDatabase::Connection::Pragma(const char* sql) {
  int64_t value = 0;
  ARROW_RETURN_NOT_OK(
      Step(sql, {}, [&](const Row& row) { value = row.Integer(0); }).status());
  return value;
}

arrow::Status StateDatabase::Connection::Check() {
  std::string verdict;
  ARROW_RETURN_NOT_OK(Step("PRAGMA quick_check(1)", {}, [&](const Row& row) {
                        verdict = row.Text(0);
                      }).status());
  if (verdict == "ok") return arrow::Status::OK();
  return MakeError(ErrorClass::kConfig, "state.corrupt",
                   "the state database " + path_ + " is damaged: " + verdict,
                   RestoreHint(path_));
}

arrow::Status StateDatabase::Connection::Migrate() {
  ARROW_ASSIGN_OR_RAISE(const int64_t application, Pragma("PRAGMA application_id"));
  if (application != 0 && application != kApplicationId) {
    return MakeError(ErrorClass::kConfig, "state.not_ours",
                     path_ + " is a database of another program",
                     "Name another state folder");
  }
  ARROW_ASSIGN_OR_RAISE(int64_t version, Pragma("PRAGMA user_version"));
  const auto migrations = StateMigrations();
  const auto newest = static_cast<int64_t>(migrations.size());
  if (version > newest) {
    return MakeError(
        ErrorClass::kConfig, "state.newer",
        "the state database " + path_ + " was written by a newer dxt (schema " +
            std::to_string(version) + ", this one knows " + std::to_string(newest) + ")",
        "Use that version of dxt, restore the backup made before the upgrade, or use "
        "another state folder");
  }
  for (; version < newest; ++version) {
    const std::string sql = "BEGIN IMMEDIATE;" + std::string(migrations[version]) +
                            "PRAGMA user_version = " + std::to_string(version + 1) +
                            "; COMMIT";
    const auto status = Script(sql.c_str());
    if (!status.ok()) {
      RollBack();
      return status;
    }
  }
  return arrow::Status::OK();
}

arrow::Result<sqlite3_stmt*> StateDatabase::Connection::Statement(std::string_view sql) {
  const auto found = statements_.find(sql);
  if (found != statements_.end()) return found->second;
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                         SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) {
    return Failure("use");
  }
  statements_.emplace(sql, statement);
  return statement;
}

arrow::Result<int64_t> StateDatabase::Connection::Step(std::string_view sql,
                                                       const Values& values,
                                                       const RowCallback& on_row) {
  ARROW_ASSIGN_OR_RAISE(sqlite3_stmt * statement, Statement(sql));
  for (size_t i = 0; i < values.size(); ++i) {
    const int at = static_cast<int>(i) + 1;
    if (const auto* number = std::get_if<int64_t>(&values[i])) {
      sqlite3_bind_int64(statement, at, *number);
    } else if (const auto* text = std::get_if<std::string_view>(&values[i])) {
      // A null pointer would bind NULL; an empty view may hold one.
      sqlite3_bind_text(statement, at, text->empty() ? "" : text->data(),
                        static_cast<int>(text->size()), SQLITE_STATIC);
    } else if (const auto* blob = std::get_if<Blob>(&values[i])) {
      sqlite3_bind_blob(statement, at, blob->bytes.empty() ? "" : blob->bytes.data(),
                        static_cast<int>(blob->bytes.size()), SQLITE_STATIC);
    } else {
      sqlite3_bind_null(statement, at);
    }
  }
  int code = SQLITE_ROW;
  while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    if (on_row) on_row(Row(statement));
  }
  const arrow::Status status = code == SQLITE_DONE ? arrow::Status::OK() : Failure("use");
  const int64_t changed = sqlite3_changes64(handle_);
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  if (!status.ok()) return status;
  return changed;
}

}  // namespace dxt
