#pragma once
#include <chrono>
#include <memory>
#include <string>

#include "connectors/sdk/destination.h"

namespace dxt::sqlite {

class FileRegistry;

/// Writes one file over one connection, opened at first need; the file is made by Acquire
/// or by the first writer. `files` must outlive it.
std::unique_ptr<Destination> MakeDestination(std::string path, FileRegistry& files,
                                             std::chrono::milliseconds lock_wait);

}  // namespace dxt::sqlite
