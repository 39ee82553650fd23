#pragma once
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/scheduler/run_listener.h"
#include "server/tracing/span.h"

namespace dxt {

class Clock;
class SpanExporter;

/// Makes a trace of each run: the run, its wait in the queue, and of each stream what it
/// planned, extracted, loaded and committed. A run whose caller said that it is not
/// sampled has none; neither has one that its process did not end. Safe from any thread.
class RunTraces : public RunListener {
 public:
  /// Both must outlive it.
  RunTraces(SpanExporter& exporter, Clock& clock) : exporter_(exporter), clock_(clock) {}

  void OnQueued(const RunRecord& run) override;
  void OnStarted(const RunRecord& run, double queued_seconds) override;
  void OnProgress(std::string_view run, const StreamProgress& progress) override;
  void OnRetry(std::string_view run, std::string_view stream,
               ErrorClass error_class) override;
  void OnEnded(const RunRecord& run, const RunResult& result,
               const PipelineDocument& document) override;

 private:
  struct Piece {
    StreamPhase phase;
    int attempt;
    SpanTime begin;
    std::optional<SpanTime> end;
  };
  struct Stream {
    SpanTime begin;
    std::optional<SpanTime> end;
    StreamPhase phase = StreamPhase::kQueued;
    int attempt = 0;
    std::vector<Piece> pieces;
    std::vector<SpanEvent> retries;
  };
  struct Run {
    std::optional<TraceContext> caller;
    std::optional<SpanTime> started;
    std::map<std::string, Stream, std::less<>> streams;
  };
  class Writer;
  static void Close(Stream& stream, SpanTime now, bool extract_too);

  SpanExporter& exporter_;
  Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Run, std::less<>> runs_;  ///< Queued by a caller, or started.
};

}  // namespace dxt
