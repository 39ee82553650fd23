#include "server/tracing/tracing.h"

#include <unistd.h>

#include "server/tracing/run_traces.h"

namespace dxt {
namespace {

/// By the conventions for resources; what the user says wins.
SpanAttributes ResourceOf(const TracingOptions& options) {
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  std::map<std::string, std::string> texts = {{"service.version", options.version},
                                              {"host.name", host},
                                              {"telemetry.sdk.name", "dxt"},
                                              {"telemetry.sdk.language", "cpp"},
                                              {"telemetry.sdk.version", options.version}};
  for (const auto& [name, value] : options.resource) texts[name] = value;
  texts["service.name"] = options.service_name;
  SpanAttributes attributes(texts.begin(), texts.end());
  attributes.emplace_back("process.pid", int64_t{getpid()});
  return attributes;
}

class TracingOfDaemon final : public Tracing {
 public:
  TracingOfDaemon(std::unique_ptr<SpanExporter> exporter, Clock& clock)
      : exporter_(std::move(exporter)), runs_(*exporter_, clock) {}

  RunListener* listener() override { return &runs_; }
  void Stop(std::chrono::milliseconds grace) override { exporter_->Stop(grace); }
  SpanExporter::Counts counts() const override { return exporter_->counts(); }

 private:
  const std::unique_ptr<SpanExporter> exporter_;
  RunTraces runs_;
};

}  // namespace

arrow::Result<std::unique_ptr<Tracing>> Tracing::Make(const TracingOptions& options,
                                                      Clock& clock, Log* log) {
  SpanExporterOptions exporting;
  exporting.url = options.url;
  exporting.version = options.version;
  exporting.resource = ResourceOf(options);
  for (const auto& [name, value] : options.headers) {
    exporting.headers.push_back(name + ": " + value);
  }
  ARROW_ASSIGN_OR_RAISE(auto exporter,
                        SpanExporter::Make(std::move(exporting), clock, log));
  return std::make_unique<TracingOfDaemon>(std::move(exporter), clock);
}

}  // namespace dxt
