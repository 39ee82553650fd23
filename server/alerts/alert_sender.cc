#include "server/alerts/alert_sender.h"

#include "base/log.h"

namespace dxt {
namespace {

using Outcome = HttpPoster::Outcome;

void Report(Log& log, Outcome outcome, const OutgoingPost& post,
            const std::string& text) {
  LogLevel level = LogLevel::kError;
  const char* event = "alert_dropped";
  if (outcome == Outcome::kSent) {
    level = LogLevel::kInfo;
    event = "alert_sent";
  } else if (outcome == Outcome::kRetry) {
    level = LogLevel::kWarning;
    event = "alert_retry";
  } else if (outcome == Outcome::kFailed) {
    event = "alert_failed";
  }
  log.Write(level, event, outcome == Outcome::kSent ? "" : text,
            {{"alert", post.about[0].second},
             {"pipeline", post.about[1].second},
             {"run", post.about[2].second},
             {"receiver", HostOf(post.url)}});
}

}  // namespace

arrow::Result<std::unique_ptr<AlertSender>> AlertSender::Make(AlertSenderOptions options,
                                                              Clock& clock, Log* log) {
  HttpPoster::Listener listener;
  if (log != nullptr) {
    listener = [log](Outcome outcome, const OutgoingPost& post, const std::string& text) {
      Report(*log, outcome, post, text);
    };
  }
  ARROW_ASSIGN_OR_RAISE(auto poster,
                        HttpPoster::Make(options, clock, std::move(listener)));
  return std::unique_ptr<AlertSender>(new AlertSender(std::move(poster)));
}

bool AlertSender::Send(OutgoingAlert alert) {
  OutgoingPost post;
  post.url = std::move(alert.url);
  post.headers = {"Content-Type: application/json"};
  post.body = std::move(alert.body);
  post.about = {{"alert", std::move(alert.event)},
                {"pipeline", std::move(alert.pipeline)},
                {"run", std::move(alert.run)}};
  return poster_->Post(std::move(post));
}

}  // namespace dxt
