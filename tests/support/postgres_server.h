#pragma once
// A real PostgreSQL server for tests, in a folder of its own that goes away with it.
#include <memory>
#include <string>

#include <arrow/result.h>

namespace dxt::testing {

/// initdb and postgres as the system's `postgres` user when the test runs as root, which
/// initdb refuses. Listens on a free port of 127.0.0.1 and on a socket in its folder;
/// fast and not durable. The server dies with the test process even when that is killed.
class PostgresServer {
 public:
  struct Options {
    bool password =
        false;  ///< Ask for `password()` (scram) instead of trusting everyone.
  };

  static arrow::Result<std::unique_ptr<PostgresServer>> Start(const Options& options);
  static arrow::Result<std::unique_ptr<PostgresServer>> Start();
  /// One server for the whole test binary, started by the first caller (on the main
  /// thread) and stopped at exit.
  static PostgresServer& Shared();
  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  int port() const { return port_; }
  const std::string& socket_dir() const { return folder_; }
  std::string user() const { return "postgres"; }
  const std::string& password() const { return password_; }
  /// postgresql://… over TCP.
  std::string Url(const std::string& database) const;
  /// Creates an empty database with a new name and returns the name.
  std::string CreateDatabase();
  /// Ends its sessions and drops it; folders of hundreds of databases are slow to remove.
  void DropDatabase(const std::string& database);
  /// Runs statements in a database and returns the first cell of the last result ("" when
  /// there is none). Aborts the test process on an error, with the server's message.
  std::string Execute(const std::string& database, const std::string& sql);

 private:
  PostgresServer() = default;
  arrow::Status Run(const Options& options);

  std::string folder_, password_;
  int port_ = 0;
  int pid_ = -1;
  int made_ = 0;
};

}  // namespace dxt::testing
