#include "server/scheduler/feed_observer.h"

#include "base/clock.h"
#include "server/scheduler/log_writer.h"
#include "server/scheduler/run_listener.h"

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

const char* NameOf(Severity severity) {
  switch (severity) {
    case Severity::kDebug:
      return "DEBUG";
    case Severity::kInfo:
      return "INFO";
    case Severity::kWarning:
      return "WARNING";
    case Severity::kError:
      return "ERROR";
  }
  return "INFO";
}

}  // namespace

void FeedObserver::OnProgress(const StreamProgress& progress) {
  ears_.feed->AddProgress(progress);
  if (ears_.listeners == nullptr) return;
  for (auto* listener : *ears_.listeners) listener->OnProgress(run_id_, progress);
}

void FeedObserver::OnEvent(Severity severity, std::string_view stream,
                           std::string_view event, std::string_view message) {
  LogEntry entry{severity, std::string(stream), std::string(event),
                 redactor_.Redact(message)};
  if (ears_.log != nullptr) {
    ears_.log->Write(LevelOf(severity), event, entry.message,
                     {{"run", run_id_}, {"stream", stream}});
  }
  if (ears_.stored != nullptr) {
    LogRecord line;
    line.time = FormatTime(clock_.Now());
    line.severity = NameOf(severity);
    line.stream = entry.stream;
    line.event = entry.event;
    line.message = entry.message;
    ears_.stored->Add(run_id_, std::move(line));
  }
  ears_.feed->AddLog(std::move(entry));
}

void FeedObserver::OnRetry(std::string_view stream, ErrorClass error_class) {
  if (ears_.listeners == nullptr) return;
  for (auto* listener : *ears_.listeners) {
    listener->OnRetry(run_id_, stream, error_class);
  }
}

}  // namespace dxt
