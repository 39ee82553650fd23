#pragma once
#include <string>

#include "server/scheduler/run_listener.h"

namespace dxt {

class AlertSender;
class Catalog;
class Log;
class StateStore;
class ToldAlerts;

/// Tells the receivers that stored documents name when a schedule misses a tick: once,
/// until one of its ticks has made a run. A paused pipeline tells nobody.
class TickAlerts : public RunListener {
 public:
  struct Parts {
    AlertSender* sender = nullptr;
    Catalog* catalog = nullptr;
    StateStore* store = nullptr;
    ToldAlerts* told = nullptr;
    Log* log = nullptr;  ///< May be null.
    std::string server;  ///< AlertMessage::server.
  };
  /// What is handed in must outlive it.
  explicit TickAlerts(Parts parts) : parts_(std::move(parts)) {}

  /// Reads the state store and parses the pipeline's documents.
  void OnTickMissed(const TickRecord& tick, const std::string& pipeline) override;

 private:
  const Parts parts_;
};

}  // namespace dxt
