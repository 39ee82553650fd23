#pragma once
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "server/alerts/alert_sender.h"

namespace dxt {

class Catalog;
class Clock;
class Log;
class RunListener;
class StateStore;

struct AlertParts {
  Clock* clock = nullptr;
  Log* log = nullptr;  ///< May be null.
  StateStore* store = nullptr;
  Catalog* catalog = nullptr;
  std::filesystem::path state_dir;  ///< Where what was told is kept.
  std::string server;               ///< Which daemon says so.
};

/// All that tells people something: of runs, ticks and pipelines.
class Alerts {
 public:
  /// What is handed in must outlive it.
  static arrow::Result<std::unique_ptr<Alerts>> Make(const AlertParts& parts);
  virtual ~Alerts() = default;

  /// For the dispatcher, which they must outlive.
  virtual std::vector<RunListener*> listeners() = 0;
  /// Begins to look for stale pipelines.
  virtual void Start() = 0;
  /// The values of variables changed.
  virtual void Changed() = 0;
  /// Looks no more; what waits for its first answer has `grace` to get it.
  virtual void Stop(std::chrono::milliseconds grace) = 0;
  virtual AlertSender::Counts counts() const = 0;
};

}  // namespace dxt
