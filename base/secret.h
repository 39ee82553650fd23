#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace dxt {

/// Replaces secrets in text that leaves the process: raw, URL-encoded and base64-encoded.
/// A value type; immutable once made, so safe from any thread.
class Redactor {
 public:
  Redactor() = default;
  /// Values shorter than three bytes are taken for no secret: they would blank out every
  /// text. Of a URL with a password, the password counts beside the whole.
  explicit Redactor(const std::vector<std::string>& secrets);

  /// Returns `text` with every secret replaced by "***".
  std::string Redact(std::string_view text) const;
  bool empty() const { return forms_.empty(); }

 private:
  void Add(const std::string& secret);
  std::vector<std::string>
      forms_;  ///< Longest first, so that none leaves a rest of another.
};

}  // namespace dxt
