#pragma once
#include <memory>
#include <string>

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

}  // namespace dxt
