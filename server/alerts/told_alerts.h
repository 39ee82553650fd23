#pragma once
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace dxt {

/// What was told and is not well yet, so that it is told once. Kept in a small file, so
/// that a restart tells nothing twice; a file that cannot be read is as none, one that
/// cannot be written changes nothing else. Holds no secret. Safe from any thread.
class ToldAlerts {
 public:
  /// Reads `file` if it is there. "" = keeps nothing over a restart.
  explicit ToldAlerts(std::filesystem::path file);

  /// What was said of `key` when it was told; "" = it was not.
  std::string Of(const std::string& key) const;
  void Set(const std::string& key, const std::string& value);
  /// Forgets the keys that begin with `prefix` and are not among `kept`.
  void KeepOnly(std::string_view prefix, const std::set<std::string>& kept);

 private:
  void Write() const;

  const std::filesystem::path file_;
  mutable std::mutex mutex_;
  std::map<std::string, std::string> told_;
};

}  // namespace dxt
