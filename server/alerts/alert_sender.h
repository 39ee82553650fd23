#pragma once
#include <chrono>
#include <memory>
#include <mutex>
#include <string>

#include <arrow/result.h>

#include "server/outgoing/http_poster.h"

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

using AlertSenderOptions = HttpPosterOptions;

/// Posts alerts, as HttpPoster does, and logs what comes of them without their URL. Safe
/// from any thread.
class AlertSender {
 public:
  using Counts = HttpPoster::Counts;

  /// `log` may be null; both must outlive the sender.
  static arrow::Result<std::unique_ptr<AlertSender>> Make(AlertSenderOptions options,
                                                          Clock& clock, Log* log);

  /// Never blocks. False when the queue is full or the sender stopped: the alert is lost.
  bool Send(OutgoingAlert alert);
  /// Lets what waits for its first answer have it within `grace`, drops the rest.
  void Stop(std::chrono::milliseconds grace) { poster_->Stop(grace); }
  Counts counts() const { return poster_->counts(); }

 private:
  explicit AlertSender(std::unique_ptr<HttpPoster> poster) : poster_(std::move(poster)) {}

  const std::unique_ptr<HttpPoster> poster_;
};

}  // namespace dxt
