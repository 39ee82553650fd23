#pragma once
#include <chrono>
#include <memory>
#include <string>

#include "connectors/sdk/source.h"

namespace dxt::sqlite {

class FileRegistry;

/// Reads one file. Each Reader has a connection and a read transaction of its own, which
/// ends with its last row. `files` must outlive it.
std::unique_ptr<Source> MakeSource(std::string path, FileRegistry& files,
                                   std::chrono::milliseconds lock_wait);

}  // namespace dxt::sqlite
