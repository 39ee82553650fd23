#pragma once
#include <memory>

#include "connectors/sdk/connector.h"

namespace dxt {

std::unique_ptr<Connector> MakeSqliteConnector();

}  // namespace dxt
