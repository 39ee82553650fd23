#pragma once
// One session of one server: statements, COPY in both directions, cancellation.
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/result.h>

struct pg_conn;
struct pg_result;

namespace dxt::postgres {

/// The connection's `metadata`: where the tables of the write protocol stand.
struct MetadataOptions {
  bool off = false;    ///< There are none.
  std::string schema;  ///< "" = that of the target table.
  std::string prefix = "_dxt_";
};

/// Where and as whom to connect.
struct ConnectOptions {
  std::string host = "localhost";
  std::string port = "5432";
  std::string database;
  std::string user;
  std::string password;
  std::string sslmode;
  std::string schema;            ///< For unqualified names; "" = the server's default.
  std::string session_timezone;  ///< In which the user's SQL runs; "" = UTC.
  int connect_timeout_s = 10;
  MetadataOptions metadata;
  /// Further libpq parameters (sslrootcert, application_name …).
  std::vector<std::pair<std::string, std::string>> parameters;
};

/// The rows of one statement. Move-only.
class ResultSet {
 public:
  ResultSet() = default;
  explicit ResultSet(pg_result* result);
  int rows() const;
  bool IsNull(int row, int column) const;
  /// Empty for NULL. Valid as long as the ResultSet.
  std::string_view Get(int row, int column) const;
  std::string Text(int row, int column) const { return std::string(Get(row, column)); }
  bool Bool(int row, int column) const { return Get(row, column) == "t"; }
  int64_t Int(int row, int column) const;
  /// Rows that the statement changed or copied.
  int64_t affected() const;
  const pg_result* raw() const { return result_.get(); }

 private:
  struct Clear {
    void operator()(pg_result* result) const;
  };
  std::unique_ptr<pg_result, Clear> result_;
};

using Parameters = std::vector<std::optional<std::string>>;

/// A connection to a server. Used by one thread at a time. Every call that may block ends
/// within 2 s of a stop: the statement is cancelled at the server and the connection is
/// broken() from then on. Destroying it rolls back what was not committed.
class Connection {
 public:
  static arrow::Result<std::unique_ptr<Connection>> Open(const ConnectOptions& options,
                                                         std::stop_token stop);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Runs one or several statements without parameters and returns the last one's rows.
  /// `doing` starts the error's sentence.
  arrow::Result<ResultSet> Run(const std::string& sql, std::string_view doing,
                               std::stop_token stop);
  /// COMMIT; fails too when the server answers that it rolled back.
  arrow::Status Commit(std::string_view doing, std::stop_token stop);
  /// Runs one statement with text parameters; `binary` asks for binary results.
  arrow::Result<ResultSet> Query(const std::string& sql, const Parameters& parameters,
                                 std::string_view doing, std::stop_token stop,
                                 bool binary = false);
  /// Prepares `sql` without running it and returns its columns: name, type OID, modifier.
  struct ResultColumn {
    std::string name;
    uint32_t type = 0;
    int32_t modifier = -1;
  };
  arrow::Result<std::vector<ResultColumn>> DescribeStatement(const std::string& sql,
                                                             std::string_view doing,
                                                             std::stop_token stop);

  arrow::Status StartCopyOut(const std::string& sql, std::string_view doing,
                             std::stop_token stop);
  /// The next CopyData message, empty at the end. Valid until the next call.
  arrow::Result<std::string_view> NextCopyData(std::string_view doing,
                                               std::stop_token stop);

  arrow::Status StartCopyIn(const std::string& sql, std::string_view doing,
                            std::stop_token stop);
  arrow::Status PutCopyData(std::string_view data, std::string_view doing,
                            std::stop_token stop);
  /// Ends the COPY and returns the number of rows that the server took.
  arrow::Result<int64_t> EndCopyIn(std::string_view doing, std::stop_token stop);

  /// 'text' as the server wants it (PQescapeLiteral).
  arrow::Result<std::string> Literal(std::string_view text) const;
  /// Waits, for retries; false when stopped.
  bool Sleep(int milliseconds, std::stop_token stop);

  /// No transaction open and nothing on its way: another user may take it over.
  bool idle() const;
  /// Nothing on its way, but perhaps in a transaction.
  bool between_statements() const;
  bool broken() const { return broken_; }
  const MetadataOptions& metadata() const { return metadata_; }
  int server_version() const;
  int backend_pid() const;
  std::string parameter(const char* name) const;

 private:
  explicit Connection(int wake_fd) : wake_fd_(wake_fd) {}
  arrow::Status Connect(const ConnectOptions& options, std::stop_token stop);
  /// Waits for the socket; kCancelled after a stop. `ready` is false after `timeout_ms`.
  arrow::Status Wait(short events, int timeout_ms, std::string_view doing,
                     const std::stop_token& stop, bool* ready);
  arrow::Status Flush(std::string_view doing, const std::stop_token& stop);
  /// From now on what was sent may stay unacknowledged for so long.
  void BearSilence(int milliseconds);
  /// Having refused a row the server swallows the rest of a COPY in silence. Looks
  /// whether its error is the next byte to come, before libpq takes it and keeps it until
  /// the COPY's end; TLS hides it, then only the end will tell.
  void NoticeRefusal();
  /// One result of the statement on its way; null when there is no more.
  arrow::Result<pg_result*> NextResult(std::string_view doing,
                                       const std::stop_token& stop);
  arrow::Result<ResultSet> Finish(std::string_view doing, const std::stop_token& stop);
  arrow::Status Lost(std::string_view doing);
  void Cancel();
  void SetLowWater(int bytes);

  MetadataOptions metadata_;
  pg_conn* connection_ = nullptr;
  int wake_fd_;
  bool broken_ = false;
  bool bears_own_ = true;  ///< The user has set no tcp_user_timeout.
  bool refused_ = false;   ///< The server has sent an error during COPY FROM STDIN.
  bool tcp_ = false;
  char* row_ = nullptr;  ///< The CopyData message handed out last, libpq's memory.
  int low_water_ = 1;
  int64_t since_wait_ = 0;  ///< Bytes of COPY data since the last wait.
};

/// Idle connections of one source or destination, for its readers, writers and catalogue
/// look-ups. Thread-safe.
class ConnectionPool {
 public:
  explicit ConnectionPool(ConnectOptions options) : options_(std::move(options)) {}
  const ConnectOptions& options() const { return options_; }
  arrow::Result<std::unique_ptr<Connection>> Take(std::stop_token stop);
  /// Keeps the connection if it can be used again, else closes it.
  void Give(std::unique_ptr<Connection> connection);

 private:
  const ConnectOptions options_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_;
};

/// A connection for the length of a scope, given back at its end.
class Lease {
 public:
  static arrow::Result<Lease> Take(ConnectionPool& pool, std::stop_token stop);
  Lease(Lease&&) = default;
  Lease& operator=(Lease&&) = default;
  ~Lease();
  Connection* operator->() { return connection_.get(); }
  Connection& operator*() { return *connection_; }
  /// Does not give it back.
  std::unique_ptr<Connection> Keep() { return std::move(connection_); }

 private:
  Lease(ConnectionPool* pool, std::unique_ptr<Connection> connection)
      : pool_(pool), connection_(std::move(connection)) {}
  ConnectionPool* pool_;
  std::unique_ptr<Connection> connection_;
};

/// Stands before a statement that reads a table, in one string or transaction with it:
/// how long a lock on the table is waited for.
inline constexpr char kLockPatience[] = "SET LOCAL lock_timeout = '15s'; ";

/// The SET LOCALs of every data transaction (contracts 2.1), one string of statements.
std::string SessionSettings(const ConnectOptions& options);

}  // namespace dxt::postgres
