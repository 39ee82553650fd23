#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <arrow/result.h>

#include "engine/stage/package.h"

namespace dxt {

class Clock;
class FileLock;

/// Writes into `folder`, which exists and whose owner lock is `lock`. `forget` removes
/// the folder and the empty ones above it.
arrow::Result<std::unique_ptr<PackageWriter>> MakePackageWriter(
    const PackageSpec& spec, std::filesystem::path folder, std::unique_ptr<FileLock> lock,
    Clock& clock, std::function<void()> forget);

/// Reads the segments of `package` in order and holds them to their row counts.
std::unique_ptr<PackageReader> MakePackageReader(const PackageManifest& package,
                                                 int64_t batch_rows);

/// kData "buffer.corrupt".
arrow::Status CorruptPackage(const PackageManifest& package, std::string_view why,
                             std::string hint);

}  // namespace dxt
