#pragma once
#include <memory>
#include <string>

#include "base/log.h"
#include "base/secret.h"
#include "engine/run/observer.h"
#include "server/scheduler/run_feed.h"

namespace dxt {

/// The engine's Observer: redacts, then tells the run's watchers and the log.
class FeedObserver : public Observer {
 public:
  /// `log` may be null; all must outlive the observer.
  FeedObserver(RunFeed& feed, Log* log, const Redactor& redactor, std::string run_id)
      : feed_(feed), log_(log), redactor_(redactor), run_id_(std::move(run_id)) {}

  void OnProgress(const StreamProgress& progress) override;
  void OnEvent(Severity severity, std::string_view stream, std::string_view event,
               std::string_view message) override;

 private:
  RunFeed& feed_;
  Log* const log_;
  const Redactor& redactor_;
  const std::string run_id_;
};

}  // namespace dxt
