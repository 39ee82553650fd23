#pragma once
#include "connectors/sdk/registry.h"

namespace dxt {

/// Fills `registry` with connectors that only describe themselves: postgres, sqlite,
/// duckdb, file and memory, with the options and connection strings of the real ones.
void AddFakeConnectors(ConnectorRegistry& registry);

}  // namespace dxt
