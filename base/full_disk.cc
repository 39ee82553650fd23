#include "base/full_disk.h"

#include <cstdint>
#include <system_error>

namespace dxt {

bool IsDiskFull(const std::filesystem::path& place) {
  // What reports a full disk, or cleans up after it, has often freed a few blocks.
  constexpr uintmax_t kLeast = 1 << 20;
  std::error_code error;
  const auto space = std::filesystem::space(place, error);
  return !error && space.available < kLeast;
}

}  // namespace dxt
