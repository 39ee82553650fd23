#pragma once
// The whole of what the server needs from the engine: documents in, results out.
#include <atomic>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "engine/plan/documents.h"
#include "engine/run/result.h"

namespace dxt {

class Clock;
class ConnectorRegistry;
class IdSource;
class Journal;
class Observer;

/// What one run is asked to do, beyond its documents.
struct RunOptions {
  enum class Phase : uint8_t { kRun, kExtract, kLoad };
  Phase phase = Phase::kRun;
  std::string select;  ///< "" = all.
  std::string exclude;
  bool allow_empty_selection = false;
  bool dry_run = false;
  bool diff = false;  ///< With dry_run: compare the records too.
  /// With dry_run: say what an administrator runs so that the target's role needs no
  /// right to create, and nothing else.
  bool administrator_sql = false;
  bool verify = false;         ///< With dry_run: compare the whole target, plan nothing.
  std::optional<int> threads;  ///< Streams, or readers of fewer streams, at a time.
  bool fail_fast = false;
  std::optional<int64_t> limit;             ///< Rows per stream.
  std::optional<std::string> cursor_value;  ///< One-run override.
  bool allow_duplicates = false;            ///< With cursor_value below the watermark.
  /// Reads `from` (inclusive) to `to` (exclusive) in a lane of its own, as written.
  struct Backfill {
    std::string from, to;
    std::string Lane() const { return "backfill/" + from + ".." + to; }
  };
  std::optional<Backfill> backfill;
  bool full_refresh = false;  ///< Of `full_refresh_streams`, or of all.
  std::vector<std::string> full_refresh_streams;
  bool persist = false;
  bool fresh = false;  ///< `--new`: give an interrupted run up.
  /// The shrink guard was answered: this run may take away what it stopped at.
  bool accept_shrink = false;
  /// Loads dead letters of the streams again in place of reading: these ids, or, when it
  /// is empty, all that wait.
  std::optional<std::vector<std::string>> replay;
  /// Streams that this same run committed before it was interrupted: reported SUCCEEDED,
  /// not run again.
  std::vector<std::string> completed_streams;
  /// Not part of the run, whatever the selection says: a retry's that had succeeded.
  std::vector<std::string> left_out_streams;
};

/// The services a run works with. All outlive it.
struct RunContext {
  const ConnectorRegistry* registry = nullptr;
  Clock* clock = nullptr;
  IdSource* ids = nullptr;
  Observer* observer = nullptr;
  Journal* journal = nullptr;
  std::filesystem::path state_dir;  ///< `.dxt`: buffers live in buffer/ below it.
  std::string run_id;
  std::string owner;                           ///< host/boot/pid, for fences.
  int worker_threads = 2;                      ///< Machine's share of this run.
  int stream_readers = 1;                      ///< Most readers of one stream.
  std::chrono::milliseconds retry_wait{1000};  ///< Shortest one; the longest is 5 min.
  std::atomic<int>* retries_left = nullptr;    ///< Of the run; null = no budget.
};

/// Plans and executes one run; blocks until it has ended. Thread-safe. Never returns a
/// bare error: what goes wrong is in the result, per stream or as a whole.
RunResult ExecuteRun(const PipelineDocument& pipeline, const RunOptions& options,
                     const RunContext& context, std::stop_token stop);

/// `list`: the pipeline's streams after selection, without touching any system except
/// where `schema.*` asks a catalogue.
arrow::Result<std::vector<StreamListing>> ListStreams(const PipelineDocument& pipeline,
                                                      const RunOptions& options,
                                                      const RunContext& context,
                                                      std::stop_token stop);

/// `test`: opens and checks each connection that the pipeline uses (or `only`).
std::vector<ConnectionCheck> CheckConnections(const ProjectDocument& project,
                                              const PipelineDocument* pipeline,
                                              const std::string& only,
                                              const RunContext& context,
                                              std::stop_token stop);

/// `discover`: a pipeline document (YAML) of everything found at `connection` (a name or
/// an inline string), its target being `to` (likewise, or "" for a placeholder comment).
arrow::Result<std::string> DiscoverPipeline(const ProjectDocument& project,
                                            const std::string& connection,
                                            const std::string& schema,
                                            const std::string& to,
                                            const RunContext& context,
                                            std::stop_token stop);

/// `preview`: the first rows of one stream (or of CONN#table), as text cells.
arrow::Result<PreviewTable> PreviewStream(const PipelineDocument& pipeline,
                                          const std::string& stream, int64_t rows,
                                          const RunContext& context,
                                          std::stop_token stop);

}  // namespace dxt
