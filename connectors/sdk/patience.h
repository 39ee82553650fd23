#pragma once
#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <string>

namespace dxt {

/// How long a wait for a lock may really last: a tenth of `lock_wait`, two seconds at
/// most, is left for the error to reach the user, who was promised it within the whole.
inline std::chrono::milliseconds LockPatience(std::chrono::milliseconds lock_wait) {
  lock_wait = std::max(lock_wait, std::chrono::milliseconds(0));
  return lock_wait - std::min(lock_wait / 10, std::chrono::milliseconds(2000));
}

/// Files whose lock another program kept for as long as somebody of this process waited.
/// Streams that come one after the other wait for it once, and then but shortly. Safe
/// from any thread; files are few and never forgotten.
class VainWaits {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// Until when a user that comes `now` waits, who would wait for `patience`.
  Time Deadline(const std::string& file, Time now,
                std::chrono::milliseconds patience) const {
    const std::lock_guard lock(mutex_);
    const auto last = ended_.find(file);
    const bool just_now = last != ended_.end() && now - last->second < kMemory;
    return now +
           (just_now ? std::min<std::chrono::milliseconds>(patience, kShort) : patience);
  }
  void Note(const std::string& file, Time now) {
    const std::lock_guard lock(mutex_);
    ended_[file] = now;
  }

 private:
  /// The next stream of a run begins within this time, the next run later.
  static constexpr std::chrono::seconds kMemory{2};
  /// A lock may be let go of at this very moment.
  static constexpr std::chrono::seconds kShort{1};

  mutable std::mutex mutex_;
  std::map<std::string, Time> ended_;
};

}  // namespace dxt
