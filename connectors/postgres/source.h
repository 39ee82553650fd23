#pragma once
#include <memory>

#include "connectors/postgres/connection.h"
#include "connectors/sdk/source.h"

namespace dxt::postgres {

std::unique_ptr<Source> MakeSource(ConnectOptions options);

}  // namespace dxt::postgres
