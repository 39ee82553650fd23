#pragma once
#include <chrono>
#include <stop_token>
#include <string>

namespace dxt {

/// The only source of time. Safe to use from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::chrono::system_clock::time_point Now() const = 0;
  virtual std::chrono::steady_clock::time_point Tick() const = 0;
  /// Blocks until `deadline` (true) or until a stop is requested (false).
  virtual bool WaitUntil(std::chrono::steady_clock::time_point deadline,
                         std::stop_token stop) = 0;
};

/// The machine's clocks. Lives as long as the process.
Clock& SystemClock();

/// UTC, RFC 3339 with milliseconds: 2026-11-21T09:00:00.000Z.
std::string FormatTime(std::chrono::system_clock::time_point time);

}  // namespace dxt
