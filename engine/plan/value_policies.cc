#include "engine/plan/value_policies.h"

#include <algorithm>

namespace dxt {
namespace {

constexpr std::string_view kPolicyNames[] = {"fail", "null", "clamp", "strip",
                                             "quarantine"};

constexpr ValueKindInfo kKinds[] = {
    {ValueKind::kNul, "nul", "U+0000 in text that the target cannot hold",
     ValuePolicy::kStrip},
    {ValueKind::kInvalidUtf8, "invalid_utf8", "bytes in text that are not UTF-8",
     ValuePolicy::kStrip},
    {ValueKind::kSpecialFloat, "special_float",
     "NaN or an infinity that is no number to the target", std::nullopt},
    {ValueKind::kInfinity, "infinity", "a date or time of ±infinity",
     ValuePolicy::kClamp},
    {ValueKind::kOutOfRange, "out_of_range", "a number, date or time beyond the type",
     ValuePolicy::kClamp},
    {ValueKind::kInexact, "inexact", "digits that the type would have to drop",
     std::nullopt},
    {ValueKind::kTooLong, "too_long", "text or bytes longer than the column",
     ValuePolicy::kClamp},
    {ValueKind::kDuplicateJsonKey, "duplicate_json_key",
     "a key twice in JSON, of which the target keeps one", std::nullopt},
};

}  // namespace

std::string_view ValuePolicyName(ValuePolicy policy) {
  return kPolicyNames[static_cast<size_t>(policy)];
}

std::vector<std::string> ValueKindInfo::Choices() const {
  std::vector<std::string> names;
  for (const auto policy :
       {ValuePolicy::kFail, ValuePolicy::kNull, repair.value_or(ValuePolicy::kFail),
        ValuePolicy::kQuarantine}) {
    const std::string name(ValuePolicyName(policy));
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return names;
}

std::span<const ValueKindInfo> ValueKinds() { return kKinds; }

std::string_view ValueKindName(ValueKind kind) {
  return kKinds[static_cast<size_t>(kind)].name;
}

std::optional<ValueKind> ValueKindOf(std::string_view error_code) {
  constexpr std::string_view kPrefix = "value.";
  if (!error_code.starts_with(kPrefix)) return std::nullopt;
  error_code.remove_prefix(kPrefix.size());
  for (const auto& kind : kKinds) {
    if (kind.name == error_code) return kind.kind;
  }
  return std::nullopt;
}

bool ValuePolicies::Set(const ValueKindInfo& kind, std::string_view policy) {
  const auto choices = kind.Choices();
  if (std::find(choices.begin(), choices.end(), policy) == choices.end()) return false;
  const auto* const name =
      std::find(std::begin(kPolicyNames), std::end(kPolicyNames), policy);
  policies_[static_cast<size_t>(kind.kind)] =
      static_cast<ValuePolicy>(name - std::begin(kPolicyNames));
  return true;
}

bool ValuePolicies::any() const { return changes_values() || quarantines(); }

bool ValuePolicies::changes_values() const {
  return std::any_of(policies_.begin(), policies_.end(), [](ValuePolicy policy) {
    return policy != ValuePolicy::kFail && policy != ValuePolicy::kQuarantine;
  });
}

bool ValuePolicies::quarantines() const {
  return std::find(policies_.begin(), policies_.end(), ValuePolicy::kQuarantine) !=
         policies_.end();
}

}  // namespace dxt
