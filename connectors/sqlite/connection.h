#pragma once
// The place that opens files for use: a connection, its statements, its errors.
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include <arrow/result.h>

#include "connectors/sqlite/files.h"

struct sqlite3;
struct sqlite3_stmt;

namespace dxt::sqlite {

class Connection;

/// A prepared statement. Used by the thread that uses its connection; must not outlive
/// it.
class Statement {
 public:
  Statement(Connection* connection, sqlite3_stmt* handle);
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;

  sqlite3_stmt* handle() const { return handle_; }
  /// Binds `$<number>` or, for plain `?` markers, the number-th parameter; 1-based.
  arrow::Status BindText(int number, std::string_view text);
  arrow::Status BindInteger(int number, int64_t value);
  /// "" becomes NULL.
  arrow::Status BindOptional(int number, std::string_view text);
  /// Runs to the next row: true when there is one.
  arrow::Result<bool> Step();
  void Reset();

  int64_t Integer(int column) const;
  std::string Text(int column) const;  ///< "" for NULL.
  bool IsNull(int column) const;

 private:
  int IndexOf(int number) const;

  Connection* connection_;
  sqlite3_stmt* handle_;
};

/// One connection to one file. Used by one thread at a time. Every call that may block
/// ends within moments of a stop of the token last given to Watch, and waits for locks of
/// other programs no longer than `lock_wait`.
class Connection {
 public:
  enum class Mode : uint8_t {
    kRead,    ///< The file must exist; nothing is ever written to it.
    kWrite,   ///< The file must exist.
    kCreate,  ///< Made when it is missing.
  };
  static arrow::Result<std::unique_ptr<Connection>> Open(
      const std::string& path, Mode mode, FileRegistry& files,
      std::chrono::milliseconds lock_wait, std::stop_token stop);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  sqlite3* handle() const { return handle_; }
  const std::string& path() const { return path_; }
  std::chrono::milliseconds lock_wait() const { return lock_wait_; }

  /// The calls that follow obey this token.
  void Watch(std::stop_token stop) { stop_ = std::move(stop); }

  arrow::Status Execute(const std::string& sql);
  /// One statement; text behind it is kConfig "sqlite.sql".
  arrow::Result<Statement> Prepare(std::string_view sql);
  /// Begins a transaction that may write, waiting for this process's turn and then for
  /// the file's lock.
  arrow::Status BeginWrite();
  arrow::Status Commit();
  /// Ends whatever transaction is open. Never fails: a transaction that SQLite itself has
  /// ended is rolled back already.
  void Rollback() noexcept;
  bool in_transaction() const;
  int64_t Changes() const;

  /// The error of a failed call, by its result code.
  arrow::Status Failure(int code);

 private:
  Connection(std::string path, std::chrono::milliseconds lock_wait);
  arrow::Status Start(int flags, FileRegistry& files);
  bool KeepWaiting(int attempt);
  void RollBackJournal() noexcept;

  std::string path_;
  std::chrono::milliseconds lock_wait_;
  sqlite3* handle_ = nullptr;
  std::shared_ptr<DatabaseFile> file_;
  std::stop_token stop_;
  bool out_of_space_ = false;
  std::chrono::steady_clock::time_point waiting_since_, deadline_;
};

}  // namespace dxt::sqlite
