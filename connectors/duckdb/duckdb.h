#pragma once
#include <memory>

#include "connectors/sdk/connector.h"

namespace dxt {

/// DuckDB database files and `:memory:`. Database objects live inside the connector, one
/// per file (contracts 2.9), so a process must have one connector only.
std::unique_ptr<Connector> MakeDuckdbConnector();

}  // namespace dxt
