// The packages of a stream: from the source into them, and from them into the target.
#include <algorithm>
#include <iterator>
#include <mutex>

#include <arrow/api.h>

#include "base/error.h"
#include "base/ids.h"
#include "engine/run/batch_queue.h"
#include "engine/run/extractor.h"
#include "engine/run/loader.h"
#include "engine/run/stream_plan.h"
#include "engine/run/stream_run.h"

namespace dxt {
namespace {

SegmentFormat SegmentFormatOf(BufferFormat format) {
  switch (format) {
    case BufferFormat::kCsv:
      return SegmentFormat::kCsv;
    case BufferFormat::kJsonl:
      return SegmentFormat::kJsonl;
    default:
      return SegmentFormat::kParquet;
  }
}

}  // namespace

arrow::Status StreamRun::LoadExtracted(std::stop_token stop) {
  for (; !extracted_.empty(); extracted_.erase(extracted_.begin())) {
    ARROW_RETURN_NOT_OK(LoadPackage(extracted_.front(), stop));
  }
  return arrow::Status::OK();
}

arrow::Status StreamRun::ContinueFrom(const PackageManifest& newest,
                                      PreparedStream& stream) {
  stream.read.cursor->include_null = stream.ReadsNullCursors(false);
  if (newest.seal.cursor_after.empty()) return arrow::Status::OK();
  stream.watermark.value = newest.seal.cursor_after;
  stream.watermark.stored_before = newest.seal.cursor_after;
  stream.watermark.source = "state";
  stream.watermark.inclusive = stream.config.extract.inclusive;
  return stream.BeginAtWatermark();
}

arrow::Result<std::vector<PackageManifest>> StreamRun::ExtractPackages(
    PreparedStream& stream, std::stop_token stop) {
  ARROW_RETURN_NOT_OK(packages_.Sweep(stream.identity));
  ARROW_ASSIGN_OR_RAISE(auto pending, packages_.Pending(stream.identity));
  const bool full = !stream.config.extract.incremental;
  std::vector<PackageManifest> replaced;
  if (!pending.empty() && full) {
    if (!stream.Whole()) {
      return MakeError(
          ErrorClass::kConfig, "buffer.pending",
          "Stream '" + config_.id + "' has a full package that is not loaded yet",
          "dxtctl load loads it, dxtctl packages drop " + pending.back().spec.load_id +
              " gives it up");
    }
    replaced = pending;
  } else if (!pending.empty() && !full) {
    ARROW_RETURN_NOT_OK(ContinueFrom(pending.back(), stream));
  }
  if (stream.rejects) {
    std::vector<std::string> waiting;
    for (const auto& package : pending) waiting.push_back(package.spec.load_id);
    ARROW_RETURN_NOT_OK(context_.journal->ForgetRejected(stream.identity, waiting));
  }
  ARROW_ASSIGN_OR_RAISE(auto extractor, Extractor::Make(stream, context_, meter_));
  ARROW_RETURN_NOT_OK(SkipBoundary(stream, *extractor, stop));
  PackageStore packages = packages_;
  std::mutex rejecting;
  std::vector<RejectedRow> rejected;
  ValueChanges changed;
  std::vector<PackageManifest> sealed;
  PackageSpec spec = SpecOfPackage(stream, *extractor);
  ARROW_ASSIGN_OR_RAISE(auto writer, packages.Create(spec));
  const auto seal = [&](const std::string& last) -> arrow::Status {
    ARROW_RETURN_NOT_OK(HoldRejected(stream, spec, &rejected));
    ARROW_RETURN_NOT_OK(SealPackage(*writer, spec, CursorAfter(stream, last), &sealed));
    result_.values_changed.Add(changed);
    changed.clear();
    return arrow::Status::OK();
  };
  meter_.SetPhase(StreamPhase::kReading);
  arrow::Status status = extractor->Run(
      [&](QueuedBatch next) -> arrow::Status {
        if (next.window_end) {
          ARROW_RETURN_NOT_OK(seal(*next.window_end));
          spec.load_id = context_.ids->Ulid();
          spec.cursor_before = sealed.back().seal.cursor_after;
          ARROW_ASSIGN_OR_RAISE(writer, packages.Create(spec));
        }
        if (!next.rejected.empty() || !next.changed.empty()) {
          const std::lock_guard lock(rejecting);
          changed.Add(next.changed);
          std::move(next.rejected.begin(), next.rejected.end(),
                    std::back_inserter(rejected));
        }
        return writer->Append(*next.batch, next.place.reader, next.place.split);
      },
      stop);
  result_.rows_deduplicated += extractor->rows_skipped();
  TellOfRead(*extractor);
  if (!status.ok()) {
    writer->Abort();
    return status;
  }
  // What waits makes the target: nothing new behind it needs no package of its own.
  const bool follows = !pending.empty() && !full;
  if (writer->rows() == 0 && rejected.empty() && (follows || NothingToWrite(stream)) &&
      !EndsBackfill(stream, *extractor)) {
    writer->Abort();
    return sealed;
  }
  ARROW_RETURN_NOT_OK(seal(LastCursor(stream, *extractor)));
  for (const auto& old : replaced) ARROW_RETURN_NOT_OK(packages_.Release(old));
  return sealed;
}

arrow::Status StreamRun::HoldRejected(const PreparedStream& stream,
                                      const PackageSpec& spec,
                                      std::vector<RejectedRow>* rejected) {
  if (!stream.rejects) return arrow::Status::OK();
  ARROW_RETURN_NOT_OK(stream.rejects->CheckShare());
  if (rejected->empty()) return arrow::Status::OK();
  ARROW_RETURN_NOT_OK(context_.journal->HoldRejected(stream.identity, spec.load_id,
                                                     RejectStage::kExtract, *rejected));
  if (options_.phase == RunOptions::Phase::kExtract) {
    Warn("rows.left_out",
         std::to_string(stream.rejects->rejected()) +
             " rows cannot be converted and are not in the packages; they count once "
             "these are loaded");
  }
  rejected->clear();
  return arrow::Status::OK();
}

PackageSpec StreamRun::SpecOfPackage(const PreparedStream& stream,
                                     const Extractor& extractor) const {
  PackageSpec spec;
  spec.identity = stream.identity;
  spec.load_id = context_.ids->Ulid();
  spec.run = context_.run_id;
  spec.document_hash = pipeline_.text_hash;
  spec.full = !stream.config.extract.incremental;
  spec.whole = spec.full && !options_.limit && stream.config.filters.empty() &&
               stream.config.where.empty();
  spec.cursor_before = stream.watermark.stored_before;
  spec.read_from = stream.ReadFrom();
  spec.schema = extractor.fields();
  spec.format = SegmentFormatOf(stream.buffer);
  spec.compression = pipeline_.buffer.compression;
  return spec;
}

arrow::Status StreamRun::SealPackage(PackageWriter& writer, const PackageSpec& spec,
                                     std::string cursor_after,
                                     std::vector<PackageManifest>* sealed) {
  PackageSeal seal;
  seal.cursor_after = std::move(cursor_after);
  seal.rows_read = meter_.rows_read();
  seal.bytes_read = meter_.bytes_read();
  if (result_.watermark) result_.watermark->after = seal.cursor_after;
  ARROW_ASSIGN_OR_RAISE(auto package, writer.Seal(seal));
  ARROW_RETURN_NOT_OK(context_.journal->RecordPackage(package.spec.identity, spec.load_id,
                                                      package.folder.string()));
  result_.load_id = spec.load_id;
  meter_.Event(
      Severity::kInfo, "package_sealed",
      "Package " + spec.load_id + " holds " + std::to_string(package.rows) + " rows");
  sealed->push_back(std::move(package));
  return arrow::Status::OK();
}

bool StreamRun::KeepLoaded() const {
  return options_.persist || !pipeline_.buffer.cleanup_on_success;
}

arrow::Status StreamRun::ReleaseLoaded() const {
  const StreamIdentity identity = Identity();
  ARROW_ASSIGN_OR_RAISE(const auto last, context_.journal->LoadCheckpoint(identity));
  if (!last) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(const auto pending, packages_.Pending(identity));
  for (const auto& package : pending) {
    if (package.spec.load_id != last->load_id) continue;
    ARROW_RETURN_NOT_OK(packages_.Release(package, KeepLoaded()));
  }
  ARROW_RETURN_NOT_OK(packages_.Sweep(identity));
  ARROW_ASSIGN_OR_RAISE(const auto intent, context_.journal->PendingIntent(identity));
  if (!intent || intent->load_id != last->load_id) return arrow::Status::OK();
  return context_.journal->ClearIntent(identity, intent->load_id);
}

arrow::Result<bool> StreamRun::LoadPending(std::stop_token stop) {
  const StreamIdentity identity = Identity();
  const bool only_load = options_.phase == RunOptions::Phase::kLoad;
  ARROW_ASSIGN_OR_RAISE(auto pending, packages_.Pending(identity));
  bool full_loaded = false;
  for (const auto& package : pending) {
    // A new full extract of the whole makes an older one worthless.
    if (!only_load && package.spec.full && config_.load.whole()) continue;
    ARROW_RETURN_NOT_OK(LoadPackage(package, stop));
    full_loaded = full_loaded || package.spec.full;
  }
  if (!only_load) {
    if (full_loaded) {
      Warn("buffer.resumed",
           "A package of an earlier run was loaded, and nothing was read "
           "again; the next run reads anew");
    }
    return full_loaded;
  }
  if (!pending.empty()) return true;
  ARROW_ASSIGN_OR_RAISE(auto checkpoint, context_.journal->LoadCheckpoint(identity));
  if (checkpoint) return true;
  return MakeError(ErrorClass::kConfig, "buffer.nothing_pending",
                   "There is no package to load for stream '" + config_.id + "'",
                   "dxtctl extract makes one");
}

arrow::Status StreamRun::LoadPackage(const PackageManifest& package,
                                     std::stop_token stop) {
  meter_.SetPhase(StreamPhase::kPlanning);
  ARROW_ASSIGN_OR_RAISE(
      auto stream,
      PreparePackage(pipeline_, config_, package.spec.schema, options_, context_, stop));
  planned_ = true;
  if (options_.phase == RunOptions::Phase::kLoad) Report(*stream);
  if (stream->TakesAway() && !package.spec.whole) {
    return MakeError(
        ErrorClass::kConfig, "load.partial_package",
        "Package " + package.spec.load_id + " of stream '" + config_.id +
            "' does not have the whole source, so load.mode " +
            std::string(LoadModeName(stream->mode)) + " would " +
            (stream->mode == LoadMode::kMirror ? "delete" : "close the versions of") +
            " what was left out of it",
        "dxtctl packages drop " + package.spec.load_id + ", then dxtctl extract");
  }
  result_.buffer = SegmentFormatName(package.spec.format);
  const std::string chain = stream->last ? stream->last->cursor_after : "";
  ARROW_ASSIGN_OR_RAISE(auto loader, Loader::Make(*stream, context_, meter_,
                                                  ArrowSchema(package.spec.schema)));
  ARROW_ASSIGN_OR_RAISE(auto settled, loader->Own(stop));
  const auto release = [&] { return packages_.Release(package, KeepLoaded()); };
  if (settled && settled->load_id == package.spec.load_id) {
    result_.load_id = settled->load_id;
    result_.window_seq = settled->window_seq;
    result_.rows_written += settled->rows;
    result_.rows_deleted += settled->rows_deleted;
    return release();
  }
  if (!package.spec.full && package.spec.cursor_before != chain) {
    // What was removed after its load may be there again after a loss of power.
    ARROW_ASSIGN_OR_RAISE(
        const bool loaded,
        stream->destination->Resolve(stream->identity, package.spec.load_id, stop));
    if (loaded) return release();
    return MakeError(ErrorClass::kConfig, "load.stale",
                     "Package " + package.spec.load_id + " of stream '" + config_.id +
                         "' continues from " + package.spec.cursor_before +
                         ", but the target is loaded up to " +
                         (chain.empty() ? "nothing" : chain),
                     "dxtctl packages drop " + package.spec.load_id +
                         " gives it up; the next run reads again");
  }
  LoadRecord record;
  record.load_id = package.spec.load_id;
  record.read_from = package.spec.read_from;
  record.package_hash = package.sha256;
  ARROW_RETURN_NOT_OK(loader->Begin(std::move(record), stop));
  result_.began_writing = true;
  meter_.SetPhase(StreamPhase::kWriting);
  const bool files =
      package.spec.format == SegmentFormat::kParquet && loader->CanReadFiles();
  if (files) {
    ARROW_RETURN_NOT_OK(packages_.Verify(package));
    ARROW_RETURN_NOT_OK(loader->AppendFiles(package.Paths(), stop));
  } else {
    ARROW_ASSIGN_OR_RAISE(auto reader, packages_.Open(package, config_.load.batch_size));
    while (true) {
      if (stop.stop_requested())
        return MakeError(ErrorClass::kCancelled, "cancelled", "The run was cancelled");
      ARROW_ASSIGN_OR_RAISE(auto batch, reader->Next());
      if (!batch) break;
      ARROW_RETURN_NOT_OK(loader->Append(*batch, stop));
    }
  }
  auto committed = loader->Commit(package.seal.cursor_after, stop);
  if (!committed.ok()) return NotLoaded(package, committed.status());
  result_.rows_read = std::max(result_.rows_read, package.seal.rows_read);
  result_.bytes_read = std::max(result_.bytes_read, package.seal.bytes_read);
  Took(*loader, *committed);
  return release();
}

arrow::Status StreamRun::ReleaseOlder() const {
  ARROW_ASSIGN_OR_RAISE(const auto pending, packages_.Pending(Identity()));
  for (const auto& package : pending) {
    if (package.spec.full) ARROW_RETURN_NOT_OK(packages_.Release(package));
  }
  return arrow::Status::OK();
}

arrow::Status StreamRun::NotLoaded(const PackageManifest& package,
                                   const arrow::Status& failure) {
  ErrorInfo info = GetErrorInfo(failure);
  // Whoever answers the guard's question loads this package, whatever the buffer keeps.
  if (info.error_class == ErrorClass::kGuard) {
    info.hint += "; package " + package.spec.load_id +
                 " is kept: dxtctl load --accept-shrink loads it";
    return MakeError(std::move(info), failure.message());
  }
  if (!pipeline_.buffer.retain_on_failure && !IsRetryable(info.error_class)) {
    ARROW_RETURN_NOT_OK(packages_.Release(package));
  }
  return failure;
}

}  // namespace dxt
