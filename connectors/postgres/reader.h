#pragma once
#include <memory>
#include <string>

#include <arrow/result.h>

#include "connectors/postgres/connection.h"
#include "connectors/sdk/source.h"

namespace dxt::postgres {

/// Opens a reader of `select` over one connection of `pool`, which must outlive it. The
/// rows are those of one snapshot, in a read-only transaction that ends with the reader.
arrow::Result<std::unique_ptr<Reader>> OpenCopyReader(
    ConnectionPool& pool, std::unique_ptr<Connection> connection, const ReadSpec& spec,
    const std::string& select, std::stop_token stop);

}  // namespace dxt::postgres
