#pragma once
#include <memory>
#include <string>

#include "connectors/duckdb/database.h"
#include "connectors/sdk/destination.h"

namespace dxt::duckdb {

/// Writes tables of the database at `path`, which is opened, and made, by the first call
/// that needs it: planning against a file that does not exist yet makes none.
std::unique_ptr<Destination> MakeDestination(std::shared_ptr<DatabasePool> pool,
                                             std::string path, std::string default_schema,
                                             const ConnectorContext& context);

}  // namespace dxt::duckdb
