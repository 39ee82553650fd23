#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include <arrow/result.h>

namespace dxt {

class Clock;
class Log;

/// One message to one receiver.
struct OutgoingAlert {
  std::string url;       ///< http or https; a secret.
  std::string body;      ///< JSON.
  std::string event;     ///< For the log, as the next two.
  std::string pipeline;  ///< project/pipeline
  std::string run;       ///< "" where there is none.
};

struct AlertSenderOptions {
  size_t max_waiting = 256;  ///< Messages in memory, those being sent among them.
  int max_parallel = 8;
  int attempts = 8;
  std::chrono::milliseconds first_delay{1000};  ///< Between attempts, with jitter.
  std::chrono::milliseconds max_delay{60000};   ///< Also the most of a Retry-After.
  std::chrono::milliseconds timeout{10000};     ///< Of one attempt.
};

/// Posts alerts from a thread of its own. Connection failures, timeouts, 408, 429 and 5xx
/// are tried again with growing delays; any other answer is final. Safe from any thread.
class AlertSender {
 public:
  struct Counts {
    int64_t sent = 0, failed = 0, dropped = 0, retried = 0;
  };

  /// `log` may be null; both must outlive the sender.
  static arrow::Result<std::unique_ptr<AlertSender>> Make(AlertSenderOptions options,
                                                          Clock& clock, Log* log);
  /// Stops as Stop(0) does.
  ~AlertSender();
  AlertSender(const AlertSender&) = delete;
  AlertSender& operator=(const AlertSender&) = delete;

  /// Never blocks. False when the queue is full or the sender stopped: the alert is lost.
  bool Send(OutgoingAlert alert);
  /// Lets what waits for its first answer have it within `grace`, drops the rest.
  void Stop(std::chrono::milliseconds grace);
  Counts counts() const;

 private:
  class Loop;
  explicit AlertSender(std::unique_ptr<Loop> loop);

  std::unique_ptr<Loop> loop_;
};

}  // namespace dxt
