#pragma once
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>

namespace dxt {

/// The clients that a daemon lives for. Safe from any thread.
class Attachments {
 public:
  /// `on_last` is called once, when the last client of a private daemon went; from then
  /// on nobody is let in. Without it the daemon lives on.
  explicit Attachments(std::function<void()> on_last = {})
      : on_last_(std::move(on_last)) {}

  /// A new client's id; nullopt when the daemon is on its way out.
  std::optional<std::string> Add();
  void Remove(const std::string& id);
  /// Lets nobody in any more; returns false when somebody is in already and `force` is
  /// not set, in which case nothing changes.
  bool Close(bool force);

 private:
  const std::function<void()> on_last_;
  std::mutex mutex_;
  bool closed_ = false;
  int made_ = 0;
  std::set<std::string> clients_;
};

}  // namespace dxt
