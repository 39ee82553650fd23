#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "server/http/http_server.h"

namespace dxt {

class RunMetrics;

/// What the server is doing, at one moment.
struct ServerGauges {
  std::string version;
  double start_time = 0;  ///< Unix seconds.
  bool draining = false;
  std::vector<std::pair<std::string, int64_t>> runs;  ///< Not ended, by state.
  double oldest_queued_seconds = 0;
  int workers = 0, workers_busy = 0;
  int64_t memory_budget = 0, memory_reserved = 0;
  int64_t state_bytes = 0, pipelines = 0, schedules_active = 0;
  int watchers = 0;
  int64_t watchers_dropped = 0;
  /// Messages to receivers of alerts, and spans to the collector of traces, by what came
  /// of them.
  std::vector<std::pair<std::string, int64_t>> alerts, spans;
  int64_t alert_retries = 0;
};

/// /healthz, /readyz and /metrics. `metrics` must outlive the handler; both functions are
/// called on the HTTP server's thread.
HttpHandler MakePages(const RunMetrics& metrics, std::function<bool()> draining,
                      std::function<ServerGauges()> gauges);

}  // namespace dxt
