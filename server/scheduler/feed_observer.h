#pragma once
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/secret.h"
#include "engine/run/observer.h"
#include "server/scheduler/run_feed.h"

namespace dxt {

class Clock;
class LogWriter;
class RunListener;

/// The engine's Observer: redacts, then tells the run's watchers, its stored log, the
/// daemon's log and the listeners.
class FeedObserver : public Observer {
 public:
  struct Ears {
    RunFeed* feed = nullptr;
    Log* log = nullptr;  ///< May be null, like those below.
    LogWriter* stored = nullptr;
    const std::vector<RunListener*>* listeners = nullptr;
  };

  /// What is handed in must outlive the observer.
  FeedObserver(Ears ears, const Redactor& redactor, Clock& clock, std::string run_id)
      : ears_(ears), redactor_(redactor), clock_(clock), run_id_(std::move(run_id)) {}

  void OnProgress(const StreamProgress& progress) override;
  void OnEvent(Severity severity, std::string_view stream, std::string_view event,
               std::string_view message) override;
  void OnRetry(std::string_view stream, ErrorClass error_class) override;

 private:
  const Ears ears_;
  const Redactor& redactor_;
  Clock& clock_;
  const std::string run_id_;
};

}  // namespace dxt
