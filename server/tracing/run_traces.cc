#include "server/tracing/run_traces.h"

#include <algorithm>

#include "base/clock.h"
#include "base/time_text.h"
#include "connectors/sdk/connector.h"
#include "server/tracing/span_exporter.h"

namespace dxt {
namespace {

/// Of one stream; a stream of hundreds of windows is told by its first ones.
constexpr size_t kMostPieces = 64;
constexpr size_t kMostRetries = 16;

const char* NameOf(StreamPhase phase) {
  switch (phase) {
    case StreamPhase::kPlanning:
      return "plan";
    case StreamPhase::kReading:
      return "extract";
    case StreamPhase::kWriting:
      return "load";
    case StreamPhase::kCommitting:
      return "commit";
    default:
      return "";
  }
}

void Add(SpanAttributes& attributes, std::string key, const std::string& value) {
  if (!value.empty()) attributes.emplace_back(std::move(key), value);
}

void AddError(Span& span, const arrow::Status& error) {
  if (error.ok()) return;
  span.error = error.message();
  Add(span.attributes, "error.type", GetErrorInfo(error).code);
}

/// The names that OpenTelemetry's conventions give to database systems; "" = it is none.
std::string SystemOf(const Connection& connection) {
  if (connection.connector == nullptr) return "";
  const std::string type(connection.connector->info().name);
  if (type == "postgres") return "postgresql";
  return type == "sqlite" || type == "duckdb" ? type : "";
}

}  // namespace

/// Writes the spans of one run that ended.
class RunTraces::Writer {
 public:
  Writer(const RunRecord& run, const RunResult& result, const PipelineDocument& document,
         const Run& seen, SpanTime now)
      : run_(run), result_(result), document_(document), seen_(seen), now_(now) {}

  std::vector<Span> Write() {
    const SpanTime made = ParseUtcTime(run_.created_at).value_or(now_);
    // A run that goes on after a restart waited and worked before, too.
    const bool first = run_.attempt <= 1;
    Span& root =
        Begin("", "run " + run_.project + "/" + run_.pipeline, SpanKind::kInternal);
    root.begin = first ? made : seen_.started.value_or(made);
    root.end = now_;
    root.parent = seen_.caller ? seen_.caller->parent : SpanId{};
    DescribeRun(root);
    if (first) {
      Span& queue = Begin("queue", "queue", SpanKind::kInternal);
      queue.begin = made;
      queue.end = seen_.started.value_or(now_);
    }
    for (const auto& stream : result_.streams) WriteStream(stream);
    return std::move(spans_);
  }

 private:
  Span& Begin(const std::string& path, std::string name, SpanKind kind) {
    Span& span = spans_.emplace_back();
    span.trace = seen_.caller ? seen_.caller->trace : TraceOfRun(run_.id);
    span.id = SpanOfRun(run_.id, path);
    span.parent = SpanOfRun(run_.id, "");
    span.name = std::move(name);
    span.kind = kind;
    return span;
  }

  void DescribeRun(Span& root) const {
    auto& to = root.attributes;
    Add(to, "dxt.project", run_.project);
    Add(to, "dxt.pipeline", run_.pipeline);
    Add(to, "dxt.run.id", run_.id);
    Add(to, "dxt.run.state", run_.state);
    Add(to, "dxt.run.trigger", run_.trigger.kind);
    Add(to, "dxt.run.trigger.source", run_.trigger.source);
    Add(to, "dxt.run.retry_of", run_.retry_of);
    to.emplace_back("dxt.run.attempt", run_.attempt);
    to.emplace_back("dxt.run.dry_run", run_.dry_run);
    to.emplace_back("dxt.run.exit_code", int64_t{run_.exit_code.value_or(0)});
    arrow::Status error = result_.error;
    for (const auto& stream : result_.streams) {
      if (error.ok()) error = stream.error;
    }
    AddError(root, error);
  }

  const StreamConfig* ConfigOf(const std::string& id) const {
    const auto found = std::find_if(document_.streams.begin(), document_.streams.end(),
                                    [&](const auto& config) { return config.id == id; });
    return found == document_.streams.end() ? nullptr : &*found;
  }

  void WriteStream(const StreamResult& result) {
    const auto found = seen_.streams.find(result.id);
    if (found == seen_.streams.end()) return;
    const Stream& stream = found->second;
    const std::string path = "stream/" + result.id;
    Span& span = Begin(path, "stream " + result.id, SpanKind::kInternal);
    span.begin = stream.begin;
    span.end = stream.end.value_or(now_);
    span.events = stream.retries;
    auto& to = span.attributes;
    Add(to, "dxt.stream", result.id);
    Add(to, "dxt.stream.state", std::string(StreamStateName(result.state)));
    Add(to, "dxt.extract.mode", result.extract_mode);
    Add(to, "dxt.load.mode", result.load_mode);
    Add(to, "dxt.load.id", result.load_id);
    Add(to, "dxt.buffer", result.buffer);
    to.emplace_back("dxt.stream.attempts", int64_t{result.attempts});
    to.emplace_back("dxt.rows.read", result.rows_read);
    to.emplace_back("dxt.rows.written", result.rows_written);
    to.emplace_back("dxt.rows.deleted", result.rows_deleted);
    to.emplace_back("dxt.rows.rejected", result.rows_rejected);
    to.emplace_back("dxt.bytes.read", result.bytes_read);
    to.emplace_back("dxt.bytes.written", result.bytes_written);
    AddError(span, result.error);
    const SpanId parent = span.id;
    for (size_t i = 0; i < stream.pieces.size(); ++i) {
      WritePiece(result, stream.pieces[i], path + "/" + std::to_string(i), parent,
                 i + 1 == stream.pieces.size());
    }
  }

  void WritePiece(const StreamResult& result, const Piece& piece, const std::string& path,
                  const SpanId& parent, bool last) {
    const bool extracts = piece.phase == StreamPhase::kReading;
    const bool plans = piece.phase == StreamPhase::kPlanning;
    Span& span =
        Begin(path, NameOf(piece.phase), plans ? SpanKind::kInternal : SpanKind::kClient);
    span.parent = parent;
    span.begin = piece.begin;
    span.end = piece.end.value_or(now_);
    auto& to = span.attributes;
    Add(to, "dxt.stream", result.id);
    to.emplace_back("dxt.stream.attempt", int64_t{piece.attempt});
    // What failed is what was under way at the end.
    if (last) AddError(span, result.error);
    if (plans) return;
    const auto system = SystemOf(extracts ? document_.source : document_.target);
    if (system.empty()) return;
    Add(to, "db.system.name", system);
    const StreamConfig* config = ConfigOf(result.id);
    if (config == nullptr) return;
    if (!extracts) {
      Add(to, "db.collection.name", config->target);
    } else if (config->kind == StreamKind::kTable) {
      Add(to, "db.collection.name", config->source);
    }
  }

  const RunRecord& run_;
  const RunResult& result_;
  const PipelineDocument& document_;
  const Run& seen_;
  const SpanTime now_;
  std::vector<Span> spans_;
};

void RunTraces::OnQueued(const RunRecord& run) {
  const auto caller = ParseTraceparent(run.traceparent);
  if (!caller) return;
  std::lock_guard lock(mutex_);
  runs_[run.id].caller = caller;
}

void RunTraces::OnStarted(const RunRecord& run, double) {
  const SpanTime now = clock_.Now();
  std::lock_guard lock(mutex_);
  runs_[run.id].started = now;
}

void RunTraces::Close(Stream& stream, SpanTime now, bool extract_too) {
  for (auto& piece : stream.pieces) {
    if (piece.end) continue;
    if (piece.phase == StreamPhase::kReading && !extract_too) continue;
    piece.end = now;
  }
}

void RunTraces::OnProgress(std::string_view run, const StreamProgress& progress) {
  std::lock_guard lock(mutex_);
  const auto found = runs_.find(run);
  if (found == runs_.end()) return;
  auto at = found->second.streams.find(progress.stream);
  if (at != found->second.streams.end() && at->second.phase == progress.phase &&
      at->second.attempt == progress.attempt) {
    return;
  }
  // A reader beside the writer may still tell of the phase before: within an attempt,
  // only planning begins again.
  if (at != found->second.streams.end() && at->second.attempt == progress.attempt &&
      progress.phase < at->second.phase && progress.phase != StreamPhase::kPlanning) {
    return;
  }
  const SpanTime now = clock_.Now();
  if (at == found->second.streams.end()) {
    at = found->second.streams.emplace(progress.stream, Stream{now, {}, {}, 0, {}, {}})
             .first;
  }
  Stream& stream = at->second;
  // What is read goes on while it is written, until the commit at the latest.
  const bool reads_on =
      progress.phase == StreamPhase::kWriting && stream.attempt == progress.attempt;
  Close(stream, now, !reads_on);
  stream.phase = progress.phase;
  stream.attempt = progress.attempt;
  if (progress.phase == StreamPhase::kDone) {
    stream.end = now;
  } else if (progress.phase != StreamPhase::kQueued &&
             stream.pieces.size() < kMostPieces) {
    stream.pieces.push_back({progress.phase, progress.attempt, now, std::nullopt});
  }
}

void RunTraces::OnRetry(std::string_view run, std::string_view stream,
                        ErrorClass error_class) {
  std::lock_guard lock(mutex_);
  const auto found = runs_.find(run);
  if (found == runs_.end()) return;
  const auto at = found->second.streams.find(stream);
  if (at == found->second.streams.end()) return;
  const SpanTime now = clock_.Now();
  Close(at->second, now, true);
  at->second.phase = StreamPhase::kQueued;
  if (at->second.retries.size() < kMostRetries) {
    SpanEvent retry{now, "retry", {}};
    Add(retry.attributes, "error.type", std::string(ErrorClassName(error_class)));
    at->second.retries.push_back(std::move(retry));
  }
}

void RunTraces::OnEnded(const RunRecord& run, const RunResult& result,
                        const PipelineDocument& document) {
  Run seen;
  {
    std::lock_guard lock(mutex_);
    const auto found = runs_.find(run.id);
    if (found != runs_.end()) {
      seen = std::move(found->second);
      runs_.erase(found);
    }
  }
  if (seen.caller && !seen.caller->sampled) return;
  exporter_.Export(Writer(run, result, document, seen, clock_.Now()).Write());
}

}  // namespace dxt
