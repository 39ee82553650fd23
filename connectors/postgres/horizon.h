#pragma once
// Transactions that are open while a table is read, and may commit rows that belong below
// those that were read.
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include <arrow/result.h>

#include "connectors/sdk/stream.h"
#include "connectors/sql/select.h"

namespace dxt::postgres {

class Connection;

/// The transactions that had written something and were open at a read's snapshot.
struct Horizon {
  /// "" = none in this database is older than a row that the snapshot sees.
  std::string oldest_xid;
  /// Earliest start as a timestamp_tz cursor, and as the server's clocks on the wall
  /// showed it; "" where the role may not see it.
  std::string since, since_local;
  int64_t open_seconds = 0;
};

/// Begins a transaction by `begin`, takes its snapshot, and looks who else had one open.
/// `timezone`: in which stamps without a zone are meant; "" = the server's own.
arrow::Result<Horizon> BeginBehindHorizon(Connection& connection,
                                          const std::string& begin,
                                          const std::string& timezone,
                                          std::string_view doing, std::stop_token stop);

/// Inside that transaction: the cursor from which on rows must be left to a later read.
/// `table` is quoted; nullopt = the read is complete as it is.
arrow::Result<std::optional<HeldBack>> FindHeldBack(
    Connection& connection, const Horizon& horizon, const ReadSpec& spec,
    const std::string& table, const sql::SelectDialect& dialect, std::string_view doing,
    std::stop_token stop);

/// Why the start of other users' transactions cannot be seen, for people; "" when it can.
arrow::Result<std::string> HiddenTransactions(Connection& connection,
                                              std::stop_token stop);

}  // namespace dxt::postgres
