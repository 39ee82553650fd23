#pragma once
// Open database files, one object per file and process (contracts 2.9): DuckDB opened
// twice on one file loses committed rows without an error.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>

#include <arrow/result.h>

#include "connectors/duckdb/session.h"
#include "connectors/sdk/connector.h"

namespace dxt::duckdb {

/// The path of a database that is in memory alone.
inline constexpr char kMemory[] = ":memory:";

/// One open database. Thread-safe. Closed, and its file lock freed, when the last holder
/// of the shared pointer and the last session are gone.
class Database {
 public:
  /// The right to write the file, held from OpenWriter until commit or abort.
  class Turn {
   public:
    explicit Turn(std::shared_ptr<Database> database);
    ~Turn();
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    std::shared_ptr<Database> database_;
  };

  virtual ~Database() = default;
  /// Absolute path, or kMemory.
  virtual const std::string& path() const = 0;
  /// A new session. With `writable`, a file that sources opened read-only is opened again
  /// for writing once they have no session left; waits at most the lock wait.
  virtual arrow::Result<std::unique_ptr<Session>> Connect(bool writable,
                                                          std::stop_token stop) = 0;
  /// Waits until no other writer of this file holds the turn, or for a stop.
  virtual arrow::Result<std::unique_ptr<Turn>> TakeTurn(std::stop_token stop) = 0;
  /// A folder from which, alone on the machine, SQL of this database may read files.
  virtual const std::filesystem::path& exchange_folder() const = 0;
  virtual int64_t memory_limit() const = 0;
  /// Held while a fence is raised.
  virtual std::mutex& taking_over() = 0;
  /// Something that must outlive a failed run was, or may have been, committed. A file
  /// that was made here and is not kept by its end is removed again.
  virtual void Keep() = 0;

 private:
  friend class Turn;
  virtual void EndTurn() = 0;
};

/// Hands out the database objects of one process. Thread-safe; must outlive them.
class DatabasePool {
 public:
  DatabasePool();
  ~DatabasePool();

  /// Opens the file at `path` or joins those who have it open; real paths decide what is
  /// one file. `create`: for targets. Limits of the first opener hold for all. A lock
  /// held by another process is waited for within `context.lock_wait_ms`; then
  /// "duckdb.locked".
  /// ":memory:" is one database that lives as long as the pool.
  arrow::Result<std::shared_ptr<Database>> Open(const std::string& path, bool create,
                                                const ConnectorContext& context,
                                                std::stop_token stop);

 private:
  struct Files;
  std::shared_ptr<Files> files_;
};

}  // namespace dxt::duckdb
