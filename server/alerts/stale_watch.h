#pragma once
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <arrow/result.h>

#include "state/state_store.h"

namespace dxt {

class AlertSender;
class Catalog;
class Clock;
class Log;
class ToldAlerts;

/// Tells the receivers that stored documents name when a pipeline has not succeeded for
/// too long: once, until it has. Too long is the rule's `stale_after`, counted from the
/// end of the last success, or else from when the pipeline was stored; a rule without one
/// takes the third tick of an active schedule after that. Paused pipelines, and rules
/// without an age for pipelines without a schedule, tell nobody.
class StaleWatch {
 public:
  using Time = std::chrono::system_clock::time_point;
  struct Parts {
    AlertSender* sender = nullptr;
    Catalog* catalog = nullptr;
    StateStore* store = nullptr;
    ToldAlerts* told = nullptr;
    Clock* clock = nullptr;
    Log* log = nullptr;  ///< May be null.
    std::string server;  ///< AlertMessage::server.
  };
  /// What is handed in must outlive it.
  explicit StaleWatch(Parts parts) : parts_(std::move(parts)) {}
  ~StaleWatch() { Stop(); }
  StaleWatch(const StaleWatch&) = delete;
  StaleWatch& operator=(const StaleWatch&) = delete;

  void Start();
  void Stop();
  /// The values of variables changed: ages are read again.
  void Changed();

  /// Tells of what is stale now, and returns when something may be next. What the thread
  /// does each time it wakes; for tests that own time.
  arrow::Result<Time> Look();

 private:
  using Age = std::optional<int64_t>;  ///< Milliseconds; unset = by schedule.
  /// What the documents of one pipeline ask for, so that they are parsed once.
  struct Asked {
    int64_t revision = 0, project_revision = 0;
    std::set<Age> ages;
  };
  struct Success {
    std::string at;  ///< "" = none.
    Time counted_from;
  };

  arrow::Result<const Asked*> AskedOf(const PipelineRecord& pipeline,
                                      std::map<std::string, Asked>& known);
  arrow::Status LookAt(const PipelineRecord& pipeline, const Asked& asked, Time now,
                       Time& next, std::set<std::string>& stale);
  arrow::Result<Success> LastSuccess(const PipelineRecord& pipeline) const;
  /// When it is stale; nullopt = never.
  arrow::Result<std::optional<Time>> StaleAt(const PipelineRecord& pipeline,
                                             const Age& age, Time since) const;
  arrow::Status Tell(const PipelineRecord& pipeline, const Age& age,
                     const Success& success, const std::string& key);
  void Work(std::stop_token stop);

  const Parts parts_;
  std::mutex looking_;
  std::map<std::string, Asked> asked_;       ///< By "<project>/<pipeline>"; of looking_.
  std::map<std::string, int64_t> projects_;  ///< Their revisions, during a look.
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool dirty_ = false, forget_ = false;
  std::jthread thread_;
};

}  // namespace dxt
