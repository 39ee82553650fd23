#pragma once
#include <functional>
#include <string>

namespace dxt::ctl {

/// SIGINT and SIGTERM. The first one calls the action that is set and gives it ten
/// seconds; without an action, or at the second one, the process ends at once.
///
/// Install is called before any other thread exists, so that all of them block the
/// signals.
class Interrupts {
 public:
  static void Install();
  /// `action` runs on the signal thread. `left_behind` is said when it was not waited
  /// for.
  static void OnFirst(std::function<void()> action, std::string left_behind);
  static void Clear();
  /// 130 or 143 once a signal came, else 0.
  static int ExitCode();
};

}  // namespace dxt::ctl
