#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace dxt {

/// Tells the service manager how the daemon is, by a datagram to $NOTIFY_SOCKET. Without
/// one, nothing is said.
class ServiceNotifier {
 public:
  /// Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID of this process.
  ServiceNotifier();
  ~ServiceNotifier();
  ServiceNotifier(const ServiceNotifier&) = delete;
  ServiceNotifier& operator=(const ServiceNotifier&) = delete;

  void Ready(std::string_view status);
  void Reloading();
  void Stopping(std::string_view status);
  /// Still alive; due every `watchdog()`.
  void Ping();
  /// Half of the manager's limit; nullopt when it watches nothing.
  std::optional<std::chrono::milliseconds> watchdog() const { return watchdog_; }

 private:
  void Send(const std::string& text);

  int socket_ = -1;
  std::string address_;
  std::optional<std::chrono::milliseconds> watchdog_;
};

}  // namespace dxt
