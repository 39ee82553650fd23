#include "server/scheduler/feed_observer.h"

namespace dxt {
namespace {

LogLevel LevelOf(Severity severity) {
  switch (severity) {
    case Severity::kDebug:
      return LogLevel::kDebug;
    case Severity::kInfo:
      return LogLevel::kInfo;
    case Severity::kWarning:
      return LogLevel::kWarning;
    case Severity::kError:
      return LogLevel::kError;
  }
  return LogLevel::kInfo;
}

}  // namespace

void FeedObserver::OnProgress(const StreamProgress& progress) {
  feed_.AddProgress(progress);
}

void FeedObserver::OnEvent(Severity severity, std::string_view stream,
                           std::string_view event, std::string_view message) {
  LogEntry entry{severity, std::string(stream), std::string(event),
                 redactor_.Redact(message)};
  if (log_ != nullptr) {
    log_->Write(LevelOf(severity), event, entry.message,
                {{"run", run_id_}, {"stream", stream}});
  }
  feed_.AddLog(std::move(entry));
}

}  // namespace dxt
