#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "connectors/duckdb/catalog.h"
#include "connectors/duckdb/database.h"
#include "connectors/sdk/destination.h"

namespace dxt::duckdb {

/// A window in an open transaction. Destroying it rolls back and ends the file's turn.
struct HeldLoad {
  std::unique_ptr<Database::Turn> turn;
  std::unique_ptr<Session> session;  // Closed before the turn ends.
  TableName target;
  std::string
      fill_table;      ///< The table that was filled; the target's name but for swaps.
  bool swap = false;   ///< Commit drops the target and renames `fill_table`.
  bool carry = false;  ///< A swap carries indexes and comments over.
  CommitResult result;
  /// Of a mirror, for its guards: rows that came, and that it might have deleted.
  int64_t rows_loaded = 0, rows_before = 0;
  bool keys_lost = false;  ///< No key is tracked, though loads of this stream were.
};

/// What the Writers of one Destination hold until Commit. Thread-safe.
struct HeldLoads {
  std::mutex mutex;
  std::map<std::string, std::unique_ptr<HeldLoad>> loads;
  bool writing = false;  ///< A Writer of this Destination has the file's turn.
};

/// Waits for the file's turn, begins the transaction and makes the table to fill.
arrow::Result<std::unique_ptr<Writer>> MakeWriter(std::shared_ptr<Database> database,
                                                  std::shared_ptr<HeldLoads> held,
                                                  const WriteSpec& spec,
                                                  const std::string& default_schema,
                                                  std::stop_token stop);

}  // namespace dxt::duckdb
