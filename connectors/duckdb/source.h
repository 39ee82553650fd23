#pragma once
#include <memory>
#include <string>

#include <arrow/result.h>

#include "connectors/duckdb/database.h"
#include "connectors/sdk/source.h"

namespace dxt::duckdb {

/// Reads tables, views and queries of an open database. Each call and each reader has a
/// session of its own; rows stream, so memory does not grow with them.
std::unique_ptr<Source> MakeSource(std::shared_ptr<Database> database,
                                   std::string default_schema);

}  // namespace dxt::duckdb
