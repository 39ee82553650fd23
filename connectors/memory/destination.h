#pragma once
#include <memory>

#include "connectors/sdk/destination.h"

namespace dxt::memory {

class MemoryDatabase;

/// Writes tables of `database`. Rows wait in the Destination until Commit.
std::unique_ptr<Destination> MakeDestination(std::shared_ptr<MemoryDatabase> database);

}  // namespace dxt::memory
