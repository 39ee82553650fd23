#pragma once
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/run/observer.h"
#include "state/state_store.h"

namespace dxt {

/// One line of a run's log, redacted.
struct LogEntry {
  Severity severity = Severity::kInfo;
  std::string stream, event, message;
};

/// A run's state changed to this (RUNNING, CANCELLING).
struct StateEntry {
  std::string state;
};

/// One thing that happened to a run.
struct FeedEvent {
  /// Grows; gaps where older progress was replaced or lines dropped.
  int64_t cursor = 0;
  std::chrono::system_clock::time_point time;
  std::variant<StateEntry, StreamProgress, LogEntry, RunRecord>
      what;  ///< RunRecord = ended.
};

/// Told that a feed has more. Calls come from worker threads and must not block.
class FeedWatcher {
 public:
  virtual ~FeedWatcher() = default;
  virtual void OnMore() = 0;
};

/// What happened to one run so far: the newest log lines and states, the newest progress
/// of each stream, and the end. Bounded, whatever the run does. Safe from any thread.
class RunFeed {
 public:
  /// `attempts` = claims of the run so far. The feed of a later process begins after all
  /// cursors of earlier ones, so that whoever comes back with one misses nothing.
  explicit RunFeed(int64_t attempts = 0);

  void AddState(std::string state);
  void AddProgress(const StreamProgress& progress);
  void AddLog(LogEntry entry);
  /// The last event; later ones are ignored.
  void End(RunRecord run);

  /// Events after `cursor`, in order: the first ones, of about `most_bytes` in all.
  std::vector<FeedEvent> After(int64_t cursor, size_t most_bytes = SIZE_MAX) const;
  bool ended() const;
  /// Kept weakly; told at once when there is something already.
  void Watch(const std::shared_ptr<FeedWatcher>& watcher);

 private:
  void Add(FeedEvent event, std::unique_lock<std::mutex> lock);
  FeedEvent NewEvent();

  mutable std::mutex mutex_;
  int64_t last_cursor_;
  bool ended_ = false;
  std::deque<FeedEvent> entries_;
  std::map<std::string, FeedEvent> progress_;
  std::vector<std::weak_ptr<FeedWatcher>> watchers_;
};

}  // namespace dxt
