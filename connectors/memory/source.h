#pragma once
#include <memory>

#include "connectors/sdk/source.h"

namespace dxt::memory {

class MemoryDatabase;

/// Reads tables of `database`. Each stream is read as it was at PlanRead.
std::unique_ptr<Source> MakeSource(std::shared_ptr<MemoryDatabase> database);

}  // namespace dxt::memory
