#pragma once
#include <memory>

namespace dxt {

class Connector;

/// PostgreSQL 12 to 18 over libpq: COPY BINARY in both directions.
std::unique_ptr<Connector> MakePostgresConnector();

}  // namespace dxt
