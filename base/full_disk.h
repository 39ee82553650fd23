#pragma once
#include <filesystem>

namespace dxt {

/// Whether the disk that holds `place` has no room left worth speaking of: less than
/// 1 MiB for whoever asks. False when that cannot be known.
bool IsDiskFull(const std::filesystem::path& place);

}  // namespace dxt
