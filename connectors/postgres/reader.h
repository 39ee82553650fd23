#pragma once
#include <memory>
#include <optional>
#include <string>

#include <arrow/result.h>

#include "connectors/postgres/connection.h"
#include "connectors/postgres/snapshot.h"
#include "connectors/sdk/source.h"

namespace dxt::postgres {

/// What is being done, for errors: "Reading public.orders".
std::string ReadingOf(const ReadSpec& spec);

/// Begins a read-only transaction of one snapshot, which the first query takes, or which
/// `import` names: a statement after "; ".
std::string BeginReadSql(const ConnectOptions& options, const std::string& import = "");

/// Opens a reader of `select` over one connection of `pool`, which must outlive it. The
/// connection is in a transaction of BeginReadSql, which ends with the reader; one of a
/// `snapshot` goes back to it in its transaction. `held`: what the select leaves out.
arrow::Result<std::unique_ptr<Reader>> OpenCopyReader(
    ConnectionPool& pool, std::unique_ptr<Connection> connection, const ReadSpec& spec,
    const std::string& select, std::optional<HeldBack> held,
    std::shared_ptr<SharedSnapshot> snapshot, std::stop_token stop);

}  // namespace dxt::postgres
