#include "connectors/sqlite/connection.h"

#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <thread>
#include <utility>

#include "base/error.h"
#include "connectors/sdk/patience.h"
#include "connectors/sqlite/collations.h"

namespace dxt::sqlite {
namespace {

using std::chrono::milliseconds;

/// How long to wait for another stream of this process. Its window ends by itself; the
/// limit only breaks a circle of streams that wait for each other over two files.
constexpr milliseconds kTurnWait = std::chrono::minutes(10);

arrow::Status CheckPath(const std::string& path, bool must_exist) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return MakeError(ErrorClass::kConfig, "sqlite.not_a_database",
                     "'" + path + "' is a folder, not a SQLite file");
  }
  if (std::filesystem::exists(path, error)) return arrow::Status::OK();
  if (must_exist) {
    return MakeError(
        ErrorClass::kConfig, "sqlite.file_missing",
        "The SQLite file '" + path + "' does not exist",
        "Check `path`; a relative one belongs to the folder of its document");
  }
  const auto folder = std::filesystem::path(path).parent_path();
  if (!folder.empty() && !std::filesystem::is_directory(folder, error)) {
    return MakeError(
        ErrorClass::kConfig, "sqlite.folder_missing",
        "The SQLite file '" + path + "' cannot be made: its folder does not exist",
        "mkdir -p " + folder.string());
  }
  return arrow::Status::OK();
}

std::string Seconds(milliseconds wait) {
  if (wait.count() % 1000 == 0) return std::to_string(wait.count() / 1000) + " s";
  return std::to_string(wait.count()) + " ms";
}

/// A full disk, quota or size limit, which SQLite calls an I/O error but for the first.
bool IsNoSpace(int error) { return error == ENOSPC || error == EDQUOT || error == EFBIG; }

/// The error number of the last call on the database file that failed.
int LastError(sqlite3* handle) {
  int error = 0;
  sqlite3_file_control(handle, nullptr, SQLITE_FCNTL_LAST_ERRNO, &error);
  return error;
}

struct Constraint {
  std::string_view code;
  std::string hint;
};

Constraint ConstraintOf(int extended) {
  const std::string rule =
      "Correct the rows at the source, or change the constraint of the target";
  switch (extended) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
      return {"sqlite.unique_violation",
              "Use `mode: upsert` with the key's columns, or remove the duplicates"};
    case SQLITE_CONSTRAINT_NOTNULL:
      return {"sqlite.not_null_violation",
              "Fill the column at the source, or make the target column nullable"};
    case SQLITE_CONSTRAINT_CHECK:
      return {"sqlite.check_violation", rule};
    case SQLITE_CONSTRAINT_DATATYPE:
      return {"sqlite.type_violation", rule};
    default:
      return {"sqlite.constraint_violation", rule};
  }
}

}  // namespace

Statement::Statement(Connection* connection, sqlite3_stmt* handle)
    : connection_(connection), handle_(handle) {}
Statement::Statement(Statement&& other) noexcept
    : connection_(other.connection_), handle_(std::exchange(other.handle_, nullptr)) {}
Statement::~Statement() { sqlite3_finalize(handle_); }

int Statement::IndexOf(int number) const {
  // "$1" is a name to SQLite: its index is the order of appearance, not its number.
  const std::string name = "$" + std::to_string(number);
  const int index = sqlite3_bind_parameter_index(handle_, name.c_str());
  return index > 0 ? index : number;
}

arrow::Status Statement::BindText(int number, std::string_view text) {
  const char* data = text.empty() ? "" : text.data();
  const int code = sqlite3_bind_text64(handle_, IndexOf(number), data, text.size(),
                                       SQLITE_TRANSIENT, SQLITE_UTF8);
  return code == SQLITE_OK ? arrow::Status::OK() : connection_->Failure(code);
}

arrow::Status Statement::BindInteger(int number, int64_t value) {
  const int code = sqlite3_bind_int64(handle_, IndexOf(number), value);
  return code == SQLITE_OK ? arrow::Status::OK() : connection_->Failure(code);
}

arrow::Status Statement::BindOptional(int number, std::string_view text) {
  if (!text.empty()) return BindText(number, text);
  const int code = sqlite3_bind_null(handle_, IndexOf(number));
  return code == SQLITE_OK ? arrow::Status::OK() : connection_->Failure(code);
}

arrow::Result<bool> Statement::Step() {
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return connection_->Failure(code);
}

void Statement::Reset() { sqlite3_reset(handle_); }

int64_t Statement::Integer(int column) const {
  return sqlite3_column_int64(handle_, column);
}

std::string Statement::Text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
  if (!text) return "";
  return std::string(text, static_cast<size_t>(sqlite3_column_bytes(handle_, column)));
}

bool Statement::IsNull(int column) const {
  return sqlite3_column_type(handle_, column) == SQLITE_NULL;
}

Connection::Connection(std::string path, milliseconds lock_wait)
    : path_(std::move(path)), lock_wait_(lock_wait) {}

Connection::~Connection() {
  Rollback();
  sqlite3_close_v2(handle_);
}

arrow::Result<std::unique_ptr<Connection>> Connection::Open(const std::string& path,
                                                            Mode mode,
                                                            FileRegistry& files,
                                                            milliseconds lock_wait,
                                                            std::stop_token stop) {
  ARROW_RETURN_NOT_OK(CheckPath(path, mode != Mode::kCreate));
  std::unique_ptr<Connection> connection(new Connection(path, lock_wait));
  connection->Watch(stop);
  if (mode != Mode::kRead) {
    const int create = mode == Mode::kCreate ? SQLITE_OPEN_CREATE : 0;
    ARROW_RETURN_NOT_OK(connection->Start(SQLITE_OPEN_READWRITE | create, files));
    return connection;
  }
  auto started = connection->Start(SQLITE_OPEN_READONLY, files);
  if (!started.ok() && GetErrorInfo(started).code == "sqlite.read_only") {
    // A journal left by a crash is rolled back before the file can be read.
    connection.reset(new Connection(path, lock_wait));
    connection->Watch(stop);
    started = connection->Start(SQLITE_OPEN_READWRITE, files);
    if (started.ok()) started = connection->Execute("PRAGMA query_only = ON");
  }
  ARROW_RETURN_NOT_OK(started);
  return connection;
}

arrow::Status Connection::Start(int flags, FileRegistry& files) {
  ARROW_ASSIGN_OR_RAISE(file_, files.Find(path_, (flags & SQLITE_OPEN_CREATE) != 0));
  flags |= SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(path_.c_str(), &handle_, flags, nullptr);
  if (code != SQLITE_OK) return Failure(code);
  sqlite3_busy_handler(
      handle_,
      [](void* self, int attempt) {
        return static_cast<Connection*>(self)->KeepWaiting(attempt) ? 1 : 0;
      },
      this);
  sqlite3_progress_handler(
      handle_, 4000,
      [](void* self) {
        return static_cast<Connection*>(self)->stop_.stop_requested() ? 1 : 0;
      },
      this);
  ARROW_RETURN_NOT_OK(RegisterCollations(handle_));
  // Reading the header now tells a locked, corrupt or foreign file from a usable one.
  ARROW_RETURN_NOT_OK(Execute("SELECT count(*) FROM sqlite_schema"));
  // A commit removes the journal; EXTRA also syncs the folder, without which a machine
  // that loses power may find the journal again and roll the commit back.
  return Execute("PRAGMA foreign_keys = OFF; PRAGMA synchronous = EXTRA");
}

bool Connection::KeepWaiting(int attempt) {
  const auto now = std::chrono::steady_clock::now();
  if (attempt == 0) {
    waiting_since_ = now;
    deadline_ = file_->Deadline(now, LockPatience(lock_wait_));
  }
  // A window of this process ends by itself and is waited for longer.
  const bool ours = file_->Busy(this);
  const auto until = ours ? waiting_since_ + std::max(kTurnWait, lock_wait_) : deadline_;
  const auto left = until - now;
  if (stop_.stop_requested()) return false;
  if (left <= left.zero()) {
    if (!ours) file_->WaitedInVain(now);
    return false;
  }
  std::this_thread::sleep_for(
      std::min<decltype(left)>(milliseconds(std::clamp(attempt, 1, 50)), left));
  return true;
}

arrow::Status Connection::Execute(const std::string& sql) {
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? arrow::Status::OK() : Failure(code);
}

arrow::Result<Statement> Connection::Prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const char* tail = nullptr;
  const int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                                      0, &statement, &tail);
  if (code != SQLITE_OK) return Failure(code);
  if (!statement || tail != sql.data() + sql.size()) {
    sqlite3_finalize(statement);
    return MakeError(ErrorClass::kConfig, "sqlite.sql",
                     "The SQL is not exactly one statement: " + std::string(sql));
  }
  return Statement(this, statement);
}

arrow::Status Connection::BeginWrite() {
  ARROW_RETURN_NOT_OK(file_->TakeTurn(this, kTurnWait, stop_));
  auto begun = Execute("BEGIN IMMEDIATE");
  if (!begun.ok()) file_->EndTurn(this);
  return begun;
}

arrow::Status Connection::Commit() {
  const auto committed = Execute("COMMIT");
  if (committed.ok()) {
    file_->EndTurn(this);
    return committed;
  }
  // A COMMIT that could not get the lock leaves the transaction open: certainly not done.
  // One that SQLite ended itself on an I/O error may be on disk or not; without space to
  // write it is not.
  ErrorInfo info = GetErrorInfo(committed);
  info.outcome_unknown = !in_transaction() && info.code != "sqlite.no_space";
  Rollback();
  return MakeError(std::move(info), committed.message());
}

void Connection::Rollback() noexcept {
  if (!handle_) return;
  if (in_transaction()) {
    // A stop must not stop the rollback itself.
    stop_ = {};
    sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
  }
  RollBackJournal();
  if (file_) file_->EndTurn(this);
}

void Connection::RollBackJournal() noexcept {
  if (!out_of_space_) return;
  out_of_space_ = false;
  // After a write that failed half-way SQLite leaves the way back to whoever reads next.
  stop_ = {};
  sqlite3_exec(handle_, "SELECT count(*) FROM sqlite_schema", nullptr, nullptr, nullptr);
}

bool Connection::in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }

int64_t Connection::Changes() const { return sqlite3_changes64(handle_); }

arrow::Status Connection::Failure(int code) {
  const int primary = code & 0xff;
  const std::string file = "the SQLite file '" + path_ + "'";
  const std::string said = handle_ ? sqlite3_errmsg(handle_) : sqlite3_errstr(code);
  ErrorInfo info;
  info.vendor_code = std::to_string(code);
  const auto fail = [&](ErrorClass error_class, std::string_view name,
                        std::string message, std::string hint = "") {
    info.error_class = error_class;
    info.code = name;
    info.hint = std::move(hint);
    return MakeError(std::move(info), std::move(message));
  };
  const auto no_space = [&] {
    out_of_space_ = true;
    return fail(ErrorClass::kTransient, "sqlite.no_space",
                "There is no space left to write " + file + "; nothing was changed",
                "Free space there, then run again");
  };
  switch (primary) {
    case SQLITE_INTERRUPT:
      return fail(ErrorClass::kCancelled, "cancelled", "Cancelled");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      if (stop_.stop_requested()) {
        return fail(ErrorClass::kCancelled, "cancelled",
                    "Cancelled while waiting for a lock");
      }
      return fail(
          ErrorClass::kTransient, "sqlite.locked",
          "Another program holds a lock of " + file + " and kept it for lock_wait, " +
              Seconds(lock_wait_),
          "Close the program (fuser '" + path_ + "' names it), or raise lock_wait");
    case SQLITE_NOTADB:
      return fail(ErrorClass::kConfig, "sqlite.not_a_database",
                  "'" + path_ + "' is not a SQLite database",
                  "Check `path`; an encrypted database cannot be read");
    case SQLITE_CORRUPT:
      return fail(ErrorClass::kData, "sqlite.corrupt", file + " is damaged: " + said,
                  "sqlite3 '" + path_ + "' .recover");
    case SQLITE_FULL:
      return no_space();
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return fail(ErrorClass::kAuth, "sqlite.read_only",
                  file + " cannot be written: " + said,
                  "Check the permissions of the file and its folder");
    case SQLITE_CANTOPEN:
    case SQLITE_AUTH:
      return fail(ErrorClass::kAuth, "sqlite.cannot_open",
                  file + " cannot be opened: " + said,
                  "Check the permissions of the file and its folder");
    case SQLITE_CONSTRAINT: {
      const Constraint constraint = ConstraintOf(code);
      return fail(ErrorClass::kData, constraint.code,
                  file + " refused a row: " + said + "; nothing was changed",
                  constraint.hint);
    }
    case SQLITE_TOOBIG:
      return fail(ErrorClass::kData, "sqlite.too_big",
                  "A value is larger than SQLite can hold (1 GB)");
    case SQLITE_MISMATCH:
      return fail(ErrorClass::kData, "sqlite.type_violation",
                  file + " refused a value: " + said);
    case SQLITE_IOERR:
      if (IsNoSpace(sqlite3_system_errno(handle_)) || IsNoSpace(LastError(handle_))) {
        return no_space();
      }
      [[fallthrough]];
    case SQLITE_PROTOCOL:
      return fail(ErrorClass::kTransient, "sqlite.io",
                  "I/O on " + file + " failed: " + said);
    case SQLITE_NOMEM:
      return fail(ErrorClass::kTransient, "sqlite.memory", "SQLite is out of memory");
    case SQLITE_ERROR:
    case SQLITE_SCHEMA:
      return fail(ErrorClass::kConfig, "sqlite.sql",
                  "SQLite does not accept the statement: " + said);
    default:
      return fail(ErrorClass::kInternal, "sqlite.error", "SQLite failed: " + said);
  }
}

}  // namespace dxt::sqlite
