#pragma once

namespace dxt {

/// What the daemon's main thread waits for: signals, or its last client. Make it before
/// any other thread, so that all of them have the signals blocked.
class Wakeups {
 public:
  enum class Kind { kTimeout, kEnd, kReload, kLastClient };

  /// With `reloads`, SIGHUP is a wakeup; else it ends the process as ever.
  explicit Wakeups(bool reloads);
  ~Wakeups();
  Wakeups(const Wakeups&) = delete;
  Wakeups& operator=(const Wakeups&) = delete;

  /// Any thread.
  void LastClientWent() const;
  /// SIGTERM and SIGINT are kEnd. Negative = wait for ever.
  Kind Wait(int timeout_ms) const;

 private:
  int last_client_;
  int signals_;
};

}  // namespace dxt
