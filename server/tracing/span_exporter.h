#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <arrow/result.h>

#include "server/outgoing/http_poster.h"
#include "server/tracing/span.h"

namespace dxt {

class Clock;
class Log;

/// 429, 502, 503 and 504 (OTLP specification, "OTLP/HTTP Response": retryable codes).
bool MayPassForOtlp(long status);

struct SpanExporterOptions {
  std::string url;                   ///< Of the receiver of traces; without user.
  std::vector<std::string> headers;  ///< "Name: value"; secrets.
  SpanAttributes resource;           ///< Describes this dxtd.
  std::string version;
  size_t max_waiting = 2048;  ///< Spans that no request holds yet.
  size_t max_batch = 512;
  std::chrono::milliseconds delay{2000};  ///< That a span waits for others at most.
  HttpPosterOptions posting = {.max_waiting = 8,
                               .max_parallel = 2,
                               .attempts = 5,
                               .max_delay = std::chrono::milliseconds(30000),
                               .may_pass = MayPassForOtlp};
};

/// Sends spans by OTLP/HTTP, in batches, from a thread of its own. Spans that do not fit,
/// or that the receiver does not take, are dropped and counted. Safe from any thread.
class SpanExporter {
 public:
  struct Counts {
    int64_t exported = 0, dropped = 0;
  };

  /// `log` may be null; both must outlive the exporter.
  static arrow::Result<std::unique_ptr<SpanExporter>> Make(SpanExporterOptions options,
                                                           Clock& clock, Log* log);
  /// Stops as Stop(0) does.
  ~SpanExporter();
  SpanExporter(const SpanExporter&) = delete;
  SpanExporter& operator=(const SpanExporter&) = delete;

  /// Never blocks.
  void Export(std::vector<Span> spans);
  /// Sends what waits; what the receiver has not taken within `grace` is dropped.
  void Stop(std::chrono::milliseconds grace);
  Counts counts() const { return {exported_, dropped_}; }

 private:
  SpanExporter(SpanExporterOptions options, Log* log)
      : options_(std::move(options)), log_(log) {}
  void Work(std::stop_token stop);
  void Send(const std::vector<Span>& batch);
  void Drop(int64_t spans, const std::string& why);
  void Hear(HttpPoster::Outcome outcome, const OutgoingPost& post,
            const std::string& text);

  const SpanExporterOptions options_;
  Log* const log_;
  std::atomic<int64_t> exported_{0}, dropped_{0};
  std::atomic<bool> failing_{false};
  std::unique_ptr<HttpPoster> poster_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Span> waiting_;
  bool stopped_ = false;
  std::jthread thread_;
};

}  // namespace dxt
