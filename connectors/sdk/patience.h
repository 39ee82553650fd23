#pragma once
#include <algorithm>
#include <chrono>

namespace dxt {

/// How long a wait for a lock may really last: a tenth of `lock_wait`, two seconds at
/// most, is left for the error to reach the user, who was promised it within the whole.
inline std::chrono::milliseconds LockPatience(std::chrono::milliseconds lock_wait) {
  lock_wait = std::max(lock_wait, std::chrono::milliseconds(0));
  return lock_wait - std::min(lock_wait / 10, std::chrono::milliseconds(2000));
}

}  // namespace dxt
