#pragma once
// What becomes of values that do not fit (`load.values`, contracts §7).
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dxt {

/// Why a value does not fit. Its name is the end of the error's code: value.<name>.
enum class ValueKind : uint8_t {
  kNul,
  kInvalidUtf8,
  kSpecialFloat,
  kInfinity,
  kOutOfRange,
  kInexact,
  kTooLong,
  kDuplicateJsonKey,
};

enum class ValuePolicy : uint8_t {
  kFail,        ///< As `load.on_error` says of any row that cannot be loaded.
  kNull,        ///< NULL is loaded in its place.
  kClamp,       ///< The nearest value that fits.
  kStrip,       ///< What does not fit is taken out of the text.
  kQuarantine,  ///< Its row becomes a dead letter.
};
std::string_view ValuePolicyName(ValuePolicy policy);

struct ValueKindInfo {
  ValueKind kind;
  std::string_view name;
  std::string_view help;
  std::optional<ValuePolicy> repair;  ///< kClamp or kStrip, where one means something.

  /// Names of the policies that may be chosen for it.
  std::vector<std::string> Choices() const;
};
/// In the order of the enumeration.
std::span<const ValueKindInfo> ValueKinds();
std::string_view ValueKindName(ValueKind kind);
std::optional<ValueKind> ValueKindOf(std::string_view error_code);

/// One policy for each kind; kFail unless set.
class ValuePolicies {
 public:
  /// False: `policy` names none that this kind may have.
  bool Set(const ValueKindInfo& kind, std::string_view policy);
  ValuePolicy For(ValueKind kind) const { return policies_[static_cast<size_t>(kind)]; }

  bool any() const;
  /// Whether a value may be loaded as another one.
  bool changes_values() const;
  bool quarantines() const;

 private:
  std::array<ValuePolicy, 8> policies_ = {};
};

}  // namespace dxt
