#pragma once
// One stream of one run, from plan to commit, with its retries.
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <arrow/status.h>

#include "base/error.h"
#include "engine/run/engine.h"
#include "engine/run/meter.h"
#include "engine/run/prepared_stream.h"
#include "engine/run/result.h"
#include "engine/stage/package_store.h"

namespace dxt {

class BatchQueue;
struct QueuedBatch;
class Extractor;
class Loader;

/// Runs one stream. Make one, call Execute once; used by one thread. References must
/// outlive it.
class StreamRun {
 public:
  StreamRun(const PipelineDocument& pipeline, StreamConfig config,
            const RunOptions& options, const RunContext& context,
            const PackageStore& packages);

  /// Blocks until the stream has ended, in whatever state; never throws, never returns a
  /// bare error.
  StreamResult Execute(std::stop_token stop);
  /// What this run's committed loads of the stream left out.
  arrow::Status CountRejected(StreamResult* result) const;

  /// Frees what the chain's last load still holds because its process ended right after
  /// the commit: its package and its intent. Touches neither source nor target.
  arrow::Status ReleaseLoaded() const;

 private:
  /// Whether packages stay once they are loaded.
  bool KeepLoaded() const;
  StreamIdentity Identity() const;
  arrow::Status RunWithRetries(std::stop_token stop);
  bool MayRetry(const ErrorInfo& info, int attempt) const;
  arrow::Status Attempt(std::stop_token stop);
  arrow::Status Describe(const PreparedStream& stream, std::stop_token stop);
  /// Reads as the run would, and the target; writes nothing.
  arrow::Status Compare(PreparedStream& stream, std::stop_token stop);
  /// Reads both ends whole; writes nothing. kData "verify.differs".
  arrow::Status Verify(PreparedStream& stream, std::stop_token stop);
  void Report(const PreparedStream& stream);

  /// Source to target without a package in between.
  arrow::Status Stream(PreparedStream& stream, std::stop_token stop);
  arrow::Status Write(PreparedStream& stream, Extractor& extractor, BatchQueue& queue,
                      std::stop_token stop);
  /// Source to sealed packages, one for each window; none when there is nothing to load.
  arrow::Result<std::vector<PackageManifest>> ExtractPackages(PreparedStream& stream,
                                                              std::stop_token stop);
  PackageSpec SpecOfPackage(const PreparedStream& stream,
                            const Extractor& extractor) const;
  arrow::Status SealPackage(PackageWriter& writer, const PackageSpec& spec,
                            std::string cursor_after,
                            std::vector<PackageManifest>* sealed);
  arrow::Status HoldRejected(const PreparedStream& stream, const PackageSpec& spec,
                             std::vector<RejectedRow>* rejected);
  arrow::Status LoadExtracted(std::stop_token stop);
  arrow::Status LoadPackage(const PackageManifest& package, std::stop_token stop);
  /// Full packages that wait are older than what was just committed of the whole.
  arrow::Status ReleaseOlder() const;
  /// What a package that was read but not committed leaves: the failure, and the package
  /// or nothing.
  arrow::Status NotLoaded(const PackageManifest& package, const arrow::Status& failure);
  /// Takes a backfill's lane before anything is read, so that a range which overlaps is
  /// refused from now on; plans again.
  arrow::Result<std::unique_ptr<PreparedStream>> OwnLane(
      std::unique_ptr<PreparedStream> stream, std::stop_token stop);
  /// Looks up the load that an earlier process was about to commit; true when it was
  /// committed by this very run, whose work is done by that.
  arrow::Result<bool> SettleInterrupted(PreparedStream& stream, std::stop_token stop);
  /// Loads what earlier extracts left; true when that is all there is to do.
  arrow::Result<bool> LoadPending(std::stop_token stop);

  arrow::Status SkipBoundary(PreparedStream& stream, Extractor& extractor,
                             std::stop_token stop);
  bool NothingToWrite(const PreparedStream& stream) const;
  /// `last`: the largest cursor among the rows of the window; "" = they have none.
  std::string CursorAfter(const PreparedStream& stream, const std::string& last) const;
  /// True when a backfill's lane reaches its end with what was read.
  static bool EndsBackfill(const PreparedStream& stream, const Extractor& extractor);
  static std::string LastCursor(const PreparedStream& stream, const Extractor& extractor);
  arrow::Status BeginWindow(const PreparedStream& stream, Loader& loader,
                            std::stop_token stop, int writers = 1);
  /// Hands what several readers bring to all of the loader's writers, `first` first.
  arrow::Status WriteTogether(Loader& loader, BatchQueue& queue, QueuedBatch first,
                              std::stop_token stop);
  arrow::Status CommitWindow(const PreparedStream& stream, Loader& loader,
                             const std::string& last, std::stop_token stop);
  void TellOfRead(const Extractor& extractor);
  void TellOfRejected();
  void Took(Loader& loader, const CommitResult& committed);
  void Warn(std::string code, std::string message);
  static arrow::Status ContinueFrom(const PackageManifest& newest,
                                    PreparedStream& stream);
  bool WidenInferredType(const arrow::Status& status);

  const PipelineDocument& pipeline_;
  StreamConfig config_;
  const RunOptions& options_;
  const RunContext& context_;
  const PackageStore& packages_;
  StreamMeter meter_;
  StreamResult result_;
  /// Not loaded yet, in order; of an earlier attempt of this run too.
  std::vector<PackageManifest> extracted_;
  std::string load_id_;     ///< Kept over the attempts of one window.
  bool planned_ = false;    ///< Both ends answered once, so failures may be retried.
  bool can_widen_ = false;  ///< The target is new or replaced.
  int widened_ = 0;
};

}  // namespace dxt
