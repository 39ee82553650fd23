#include "server/http/pages.h"

#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "server/http/exposition.h"
#include "server/http/run_metrics.h"

namespace dxt {
namespace {

constexpr char kMetricsType[] = "text/plain; version=0.0.4; charset=utf-8";

double ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  double pages = 0, resident = 0;
  return file >> pages >> resident ? resident * static_cast<double>(sysconf(_SC_PAGESIZE))
                                   : 0;
}

double OpenFiles() {
  std::error_code error;
  double count = 0;
  for (std::filesystem::directory_iterator at("/proc/self/fd", error), end;
       !error && at != end; at.increment(error)) {
    ++count;
  }
  return count;
}

void ExposeServer(const ServerGauges& gauges, Exposition& out) {
  using Type = Exposition::Type;
  const auto gauge = [&](const char* name, const char* help, double value) {
    out.Family(name, Type::kGauge, help);
    out.Series({}, value);
  };
  out.Family("dxt_build_info", Type::kGauge, "1, with the version as a label.");
  out.Series({{"version", gauges.version}}, 1);
  gauge("dxt_start_time_seconds", "When the daemon started, Unix time.",
        gauges.start_time);
  gauge("dxt_draining", "1 while the daemon is on its way out.", gauges.draining);
  out.Family("dxt_runs", Type::kGauge, "Runs that have not ended, by state.");
  for (const char* state : {"QUEUED", "RUNNING", "CANCELLING"}) {
    double count = 0;
    for (const auto& [name, value] : gauges.runs) {
      if (name == state) count = static_cast<double>(value);
    }
    out.Series({{"state", state}}, count);
  }
  gauge("dxt_queue_oldest_seconds", "How long the oldest queued run has waited.",
        gauges.oldest_queued_seconds);
  gauge("dxt_workers", "Runs that may execute at a time.", gauges.workers);
  gauge("dxt_workers_busy", "Runs that execute.", gauges.workers_busy);
  gauge("dxt_memory_budget_bytes", "Memory for all runs.",
        static_cast<double>(gauges.memory_budget));
  gauge("dxt_memory_reserved_bytes", "Memory that executing runs hold of the budget.",
        static_cast<double>(gauges.memory_reserved));
  gauge("dxt_resident_memory_bytes", "Resident memory of the process.", ResidentBytes());
  gauge("dxt_open_files", "Open file descriptors of the process.", OpenFiles());
  gauge("dxt_state_bytes", "Disk space of the state store.",
        static_cast<double>(gauges.state_bytes));
  gauge("dxt_pipelines", "Stored pipelines.", static_cast<double>(gauges.pipelines));
  gauge("dxt_schedules_active", "Schedules that are not paused.",
        static_cast<double>(gauges.schedules_active));
  gauge("dxt_watchers", "Open watch and log streams.", gauges.watchers);
  out.Family("dxt_watchers_dropped_total", Type::kCounter,
             "Streams that were ended because their client took nothing.");
  out.Series({}, static_cast<double>(gauges.watchers_dropped));
  const auto results = [&](const char* name, const char* help, const auto& counts) {
    out.Family(name, Type::kCounter, help);
    for (const auto& [result, count] : counts) {
      out.Series({{"result", result}}, static_cast<double>(count));
    }
  };
  results("dxt_alerts_total", "Alerts to receivers, by what came of them.",
          gauges.alerts);
  out.Family("dxt_alert_retries_total", Type::kCounter,
             "Attempts at an alert that failed and were made again.");
  out.Series({}, static_cast<double>(gauges.alert_retries));
  results("dxt_trace_spans_total", "Spans of traces, by what came of them.",
          gauges.spans);
}

}  // namespace

HttpHandler MakePages(const RunMetrics& metrics, std::function<bool()> draining,
                      std::function<ServerGauges()> gauges) {
  return [&metrics, draining = std::move(draining),
          gauges = std::move(gauges)](std::string_view path) -> HttpAnswer {
    HttpAnswer answer;
    if (path == "/healthz") {
      answer.body = "ok\n";
    } else if (path == "/readyz") {
      const bool ends = draining();
      answer.status = ends ? 503 : 200;
      answer.body = ends ? "draining\n" : "ok\n";
    } else if (path == "/metrics") {
      Exposition out;
      ExposeServer(gauges(), out);
      metrics.Expose(out);
      answer.content_type = kMetricsType;
      answer.body = out.text();
    } else {
      answer.status = 404;
      answer.body = "/healthz, /readyz and /metrics are here\n";
    }
    return answer;
  };
}

}  // namespace dxt
