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

constexpr size_t kUlidDigits = 26;
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
    std::string id(kUlidDigits, '0');
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

std::optional<std::array<uint8_t, 16>> UlidBytes(std::string_view text) {
  // 26 digits hold 130 bits: the first one is below 8.
  if (text.size() != kUlidDigits || text[0] > '7') return std::nullopt;
  std::array<uint8_t, 16> bytes{};
  for (const char c : text) {
    const size_t digit = std::string_view(kAlphabet).find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    // The number so far times 32, plus the digit.
    auto carry = static_cast<unsigned>(digit);
    for (size_t i = bytes.size(); i-- > 0;) {
      const unsigned next = static_cast<unsigned>(bytes[i]) << 5 | carry;
      bytes[i] = static_cast<uint8_t>(next);
      carry = next >> 8;
    }
  }
  return bytes;
}

}  // namespace dxt
