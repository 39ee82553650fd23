#pragma once
#include <chrono>
#include <map>
#include <memory>
#include <string>

#include <arrow/result.h>

#include "server/tracing/span_exporter.h"

namespace dxt {

class Clock;
class Log;
class RunListener;

struct TracingOptions {
  std::string url;  ///< Of the collector's receiver of traces.
  std::string service_name, version;
  std::map<std::string, std::string> headers;   ///< Name to value; secrets.
  std::map<std::string, std::string> resource;  ///< More that describes this dxtd.
};

/// All that makes traces of runs and sends them.
class Tracing {
 public:
  /// `log` may be null; both must outlive it.
  static arrow::Result<std::unique_ptr<Tracing>> Make(const TracingOptions& options,
                                                      Clock& clock, Log* log);
  virtual ~Tracing() = default;

  /// For the dispatcher, which it must outlive.
  virtual RunListener* listener() = 0;
  /// Sends what waits; what the collector has not taken within `grace` is dropped.
  virtual void Stop(std::chrono::milliseconds grace) = 0;
  virtual SpanExporter::Counts counts() const = 0;
};

}  // namespace dxt
