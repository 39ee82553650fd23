#include "base/ids.h"

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <mutex>

#include <sys/random.h>

#include "base/clock.h"

namespace dxt {
namespace {

constexpr char kAlphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

class UlidSource : public IdSource {
 public:
  explicit UlidSource(Clock& clock) : clock_(clock) {}

  std::string Ulid() override {
    std::lock_guard lock(mutex_);
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
                         clock_.Now().time_since_epoch())
                         .count();
    const auto millis = static_cast<uint64_t>(now);
    if (millis > last_millis_) {
      last_millis_ = millis;
      FillRandom();
    } else {
      // Same millisecond, or a clock that stepped back: count up, so that order holds.
      for (auto digit = random_.rbegin(); digit != random_.rend(); ++digit) {
        *digit = (*digit + 1) & 31;
        if (*digit != 0) break;
      }
    }
    std::string id(26, '0');
    uint64_t rest = last_millis_;
    for (int i = 9; i >= 0; --i, rest >>= 5) id[i] = kAlphabet[rest & 31];
    for (size_t i = 0; i < random_.size(); ++i) id[10 + i] = kAlphabet[random_[i]];
    return id;
  }

 private:
  void FillRandom() {
    size_t filled = 0;
    while (filled < random_.size()) {
      const ssize_t got = getrandom(random_.data() + filled, random_.size() - filled, 0);
      if (got > 0) {
        filled += static_cast<size_t>(got);
      } else if (errno != EINTR) {
        std::abort();
      }
    }
    for (auto& digit : random_) digit &= 31;
    random_[0] &= 15;  // Head room, so that counting up cannot wrap.
  }

  Clock& clock_;
  std::mutex mutex_;
  uint64_t last_millis_ = 0;
  std::array<uint8_t, 16> random_{};
};

}  // namespace

std::unique_ptr<IdSource> MakeIdSource(Clock& clock) {
  return std::make_unique<UlidSource>(clock);
}

}  // namespace dxt
