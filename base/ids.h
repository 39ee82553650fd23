#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace dxt {

class Clock;

/// Makes identifiers of runs and loads. Comes in through an interface so that tests own
/// them. Safe to use from any thread.
class IdSource {
 public:
  virtual ~IdSource() = default;
  /// Returns a new ULID (26 characters, Crockford base32, sorts by time of making;
  /// github.com/ulid/spec). Two calls of one source never return ids out of order.
  virtual std::string Ulid() = 0;
};

/// An IdSource on `clock` (which must outlive it) and the kernel's randomness.
std::unique_ptr<IdSource> MakeIdSource(Clock& clock);

/// The 128 bits of a ULID, first byte first; nothing if `text` is none.
std::optional<std::array<uint8_t, 16>> UlidBytes(std::string_view text);

}  // namespace dxt
