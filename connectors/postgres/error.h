#pragma once
// From libpq's ways of failing to ours. The only place that reads SQLSTATEs.
#include <string>
#include <string_view>

#include <arrow/status.h>

struct pg_conn;
struct pg_result;

namespace dxt::postgres {

struct ConnectOptions;

/// What the server said, as one status. `doing` starts the sentence: "Reading
/// public.orders".
arrow::Status ResultError(const pg_result* result, std::string_view doing);

/// The connection broke while `doing`; kTransient "pg.connection_lost".
arrow::Status ConnectionLost(const pg_conn* connection, std::string_view doing);

/// A connection could not be made. Names host, port, database and user, never the
/// password.
arrow::Status ConnectError(const pg_conn* connection, const ConnectOptions& options);

/// The connection was not made within its time; kTransient "pg.connect_timeout".
arrow::Status ConnectTimeout(const ConnectOptions& options);

arrow::Status Cancelled(std::string_view doing);

/// True for a status that carries this SQLSTATE.
bool HasSqlState(const arrow::Status& status, std::string_view sqlstate);

}  // namespace dxt::postgres
