#include "engine/run/engine.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include <arrow/compute/api.h>

#include "base/clock.h"
#include "base/error.h"
#include "engine/run/observer.h"
#include "engine/run/replay.h"
#include "engine/run/selection.h"
#include "engine/run/stream_run.h"

namespace dxt {
namespace {

int ThreadsFor(const PipelineDocument& pipeline, const RunOptions& options,
               const RunContext& context) {
  if (options.threads) return *options.threads;
  return pipeline.runtime.parallelism.value_or(std::max(2, context.worker_threads));
}

StreamResult Untouched(const StreamConfig& config, StreamState state) {
  StreamResult result;
  result.id = config.id;
  result.target = config.target;
  result.extract_mode = config.extract.incremental ? "incremental" : "full";
  result.load_mode = LoadModeName(config.load.mode);
  result.state = state;
  return result;
}

RunState Summarize(const RunResult& result, bool stopped) {
  int succeeded = 0, failed = 0, cancelled = 0;
  for (const auto& stream : result.streams) {
    succeeded += stream.state == StreamState::kSucceeded;
    failed += stream.state == StreamState::kFailed;
    cancelled += stream.state == StreamState::kCancelled;
  }
  const int all = static_cast<int>(result.streams.size());
  if (succeeded == all) {
    const bool rejected =
        std::any_of(result.streams.begin(), result.streams.end(),
                    [](const auto& stream) { return stream.rows_rejected > 0; });
    return rejected ? RunState::kPartial : RunState::kSucceeded;
  }
  if (stopped && failed == 0) return RunState::kCancelled;
  if (succeeded > 0 && (failed > 0 || cancelled > 0)) return RunState::kPartial;
  return failed > 0 ? RunState::kFailed : RunState::kCancelled;
}

/// Letters that were named but are not there, or not of these streams.
arrow::Status CheckReplayed(const RunOptions& options, const RunResult& result) {
  if (!options.replay) return arrow::Status::OK();
  int64_t found = 0;
  for (const auto& stream : result.streams) found += stream.rows_read;
  if (found > 0 || options.replay->empty()) return arrow::Status::OK();
  return MakeError(
      ErrorClass::kConfig, "dlq.not_found",
      "no stream of the pipeline has a dead letter that waits and is named " +
          options.replay->front(),
      "See `dxtctl dlq list --state stored`");
}

void RunStreams(const PipelineDocument& pipeline,
                const std::vector<StreamConfig>& streams, const RunOptions& options,
                const RunContext& context, std::stop_token stop, RunResult* result) {
  const std::filesystem::path root =
      pipeline.buffer.location.empty() ? context.state_dir / "buffer"
                                       : std::filesystem::path(pipeline.buffer.location);
  const PackageStore packages(root, *context.clock);
  std::error_code ignored;
  std::filesystem::create_directories(context.state_dir / "tmp", ignored);
  RunContext lent = context;
  const int most = ThreadsFor(pipeline, options, context);
  const int threads =
      std::clamp<int>(most, 1, static_cast<int>(std::max<size_t>(1, streams.size())));
  std::atomic<int> retries_left{pipeline.runtime.retry_budget};
  lent.retries_left = &retries_left;
  lent.worker_threads = std::max(1, context.worker_threads / threads);
  lent.stream_readers = std::max(1, most / threads);
  PipelineDocument shared = pipeline;
  shared.runtime.memory_limit =
      std::max<int64_t>(64 << 20, pipeline.runtime.memory_limit) / threads;
  std::stop_source quit;
  std::stop_callback forward(stop, [&] { quit.request_stop(); });
  std::atomic<size_t> next{0};
  std::atomic<bool> failed_fast{false};
  const auto work = [&] {
    for (size_t i = next++; i < streams.size(); i = next++) {
      if (options.replay && !quit.stop_requested()) {
        result->streams[i] =
            ReplayStream(shared, streams[i], options, lent, quit.get_token());
        continue;
      }
      const auto& done = options.completed_streams;
      // A window that was committed says nothing of those that follow; reading on finds
      // what they left, or nothing.
      if (!streams[i].load.windowed() &&
          std::find(done.begin(), done.end(), streams[i].id) != done.end()) {
        result->streams[i] = Untouched(streams[i], StreamState::kSucceeded);
        const StreamRun committed(shared, streams[i], options, lent, packages);
        auto& warnings = result->streams[i].warnings;
        const auto released = committed.ReleaseLoaded();
        if (!released.ok()) {
          warnings.push_back({"buffer.not_released", released.message()});
        }
        const auto counted = committed.CountRejected(&result->streams[i]);
        if (!counted.ok()) warnings.push_back({"rows.not_counted", counted.message()});
        continue;
      }
      if (quit.stop_requested()) {
        result->streams[i] = Untouched(
            streams[i], failed_fast ? StreamState::kSkipped : StreamState::kCancelled);
        continue;
      }
      StreamRun run(shared, streams[i], options, lent, packages);
      result->streams[i] = run.Execute(quit.get_token());
      if (options.fail_fast && result->streams[i].state == StreamState::kFailed) {
        failed_fast = true;
        quit.request_stop();
      }
    }
  };
  std::vector<std::jthread> pool;
  for (int i = 1; i < threads; ++i) pool.emplace_back(work);
  work();
}

}  // namespace

RunResult ExecuteRun(const PipelineDocument& pipeline, const RunOptions& options,
                     const RunContext& context, std::stop_token stop) {
  static const arrow::Status kernels = arrow::compute::Initialize();
  RunResult result;
  result.project = pipeline.project.name;
  result.pipeline = pipeline.name;
  result.run = context.run_id;
  result.dry_run = options.dry_run;
  result.resumed = !options.completed_streams.empty();
  const auto started = context.clock->Tick();
  result.started_at = FormatTime(context.clock->Now());
  result.state = RunState::kRunning;
  auto streams = kernels.ok() ? SelectedStreams(pipeline, options, context, stop)
                              : arrow::Result<std::vector<StreamConfig>>(kernels);
  if (streams.ok()) {
    result.streams.resize(streams->size());
    RunStreams(pipeline, *streams, options, context, stop, &result);
    result.state = Summarize(result, stop.stop_requested());
    if (result.state == RunState::kSucceeded) {
      result.error = CheckReplayed(options, result);
      if (!result.error.ok()) result.state = RunState::kFailed;
    }
  } else {
    result.error = streams.status();
    result.state = RunState::kFailed;
  }
  result.ended_at = FormatTime(context.clock->Now());
  result.seconds = std::chrono::duration<double>(context.clock->Tick() - started).count();
  return result;
}

arrow::Result<std::vector<StreamListing>> ListStreams(const PipelineDocument& pipeline,
                                                      const RunOptions& options,
                                                      const RunContext& context,
                                                      std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(auto streams, SelectedStreams(pipeline, options, context, stop));
  std::vector<StreamListing> listing;
  for (const auto& stream : streams) {
    StreamListing row;
    row.id = stream.id;
    row.kind = StreamKindName(stream.kind);
    row.source = stream.source;
    row.target = stream.target;
    row.extract_mode = stream.extract.incremental ? "incremental" : "full";
    row.load_mode = LoadModeName(stream.load.mode);
    row.tags = stream.tags;
    listing.push_back(std::move(row));
  }
  return listing;
}

std::vector<ConnectionCheck> CheckConnections(const ProjectDocument& project,
                                              const PipelineDocument* pipeline,
                                              const std::string& only,
                                              const RunContext& context,
                                              std::stop_token stop) {
  struct End {
    const Connection* connection;
    bool source, target;
  };
  std::vector<End> ends;
  if (pipeline) {
    for (const End& end :
         {End{&pipeline->source, true, false}, End{&pipeline->target, false, true}}) {
      if (only.empty() || end.connection->name == only) ends.push_back(end);
    }
  } else {
    for (const auto& [name, connection] : project.connections) {
      if (only.empty() || name == only) ends.push_back({&connection, true, false});
    }
  }
  std::vector<ConnectionCheck> checks;
  std::optional<arrow::Result<Connection>> inlined;
  if (pipeline && ends.empty()) {
    checks.push_back({only, "",
                      MakeError(ErrorClass::kConfig, "connection.unknown",
                                "The pipeline has no connection '" + only + "'",
                                "It reads '" + pipeline->source.name + "' and writes '" +
                                    pipeline->target.name + "'"),
                      0});
  }
  if (!pipeline && ends.empty() && !only.empty()) {
    inlined.emplace(ResolveConnection(project, only, *context.registry));
    if (inlined->ok()) {
      ends.push_back({&**inlined, true, false});
    } else {
      checks.push_back({only, "", inlined->status(), 0});
    }
  }
  for (const auto& end : ends) {
    ConnectionCheck check;
    check.name = end.connection->name;
    check.type = end.connection->connector->info().name;
    const auto started = context.clock->Tick();
    const auto test = [&]() -> arrow::Status {
      if (end.source) {
        ARROW_ASSIGN_OR_RAISE(auto source, OpenSource(*end.connection, context, stop));
        return source->Check(stop);
      }
      ARROW_ASSIGN_OR_RAISE(auto target,
                            OpenDestination(*end.connection, {}, context, nullptr, stop));
      return target->Check(stop);
    };
    check.status = test();
    check.seconds =
        std::chrono::duration<double>(context.clock->Tick() - started).count();
    checks.push_back(std::move(check));
  }
  return checks;
}

}  // namespace dxt
