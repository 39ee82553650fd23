#pragma once
#include <memory>

#include "connectors/postgres/connection.h"
#include "connectors/sdk/destination.h"

namespace dxt::postgres {

std::unique_ptr<Destination> MakeDestination(ConnectOptions options);

}  // namespace dxt::postgres
