#include "engine/run/stream_run.h"

#include <algorithm>
#include <mutex>
#include <random>
#include <thread>

#include <arrow/api.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "connectors/sdk/cursor.h"
#include "engine/run/batch_queue.h"
#include "engine/run/boundary.h"
#include "engine/run/extractor.h"
#include "engine/run/loader.h"
#include "engine/run/record_diff.h"
#include "engine/run/stream_plan.h"
#include "engine/run/verification.h"

namespace dxt {
namespace {

using Phase = RunOptions::Phase;

arrow::Status Cancelled() {
  return MakeError(ErrorClass::kCancelled, "cancelled", "The run was cancelled");
}

constexpr std::chrono::milliseconds kLongestWait = std::chrono::minutes(5);

/// Decorrelated jitter: each wait is drawn between the first one and three times the
/// last, so that runs that failed together do not come back together.
std::chrono::milliseconds NextWait(std::chrono::milliseconds last,
                                   std::chrono::milliseconds first,
                                   std::minstd_rand& random) {
  std::uniform_int_distribution<int64_t> draw(
      first.count(), std::max<int64_t>(first.count() + 1, last.count() * 3));
  return std::min(std::chrono::milliseconds(draw(random)), kLongestWait);
}

}  // namespace

StreamRun::StreamRun(const PipelineDocument& pipeline, StreamConfig config,
                     const RunOptions& options, const RunContext& context,
                     const PackageStore& packages)
    : pipeline_(pipeline),
      config_(std::move(config)),
      options_(options),
      context_(context),
      packages_(packages),
      meter_(config_.id, *context.observer, *context.clock) {}

StreamResult StreamRun::Execute(std::stop_token stop) {
  const auto started = context_.clock->Tick();
  result_.id = config_.id;
  result_.target = config_.target;
  result_.extract_mode = config_.extract.incremental ? "incremental" : "full";
  result_.load_mode = LoadModeName(config_.load.mode);
  result_.state = StreamState::kRunning;
  if (options_.backfill) result_.lane = options_.backfill->Lane();
  meter_.Event(Severity::kInfo, "stream_started", "Stream " + config_.id + " started");
  arrow::Status status = RunWithRetries(stop);
  result_.rows_read = std::max(result_.rows_read, meter_.rows_read());
  result_.bytes_read = std::max(result_.bytes_read, meter_.bytes_read());
  if (result_.bytes_written == 0) result_.bytes_written = meter_.bytes_written();
  if (status.ok()) {
    result_.state = StreamState::kSucceeded;
  } else {
    ErrorInfo more;
    more.stream = config_.id;
    result_.error = Annotate(status, more);
    const bool cancelled = GetErrorInfo(status).error_class == ErrorClass::kCancelled ||
                           stop.stop_requested();
    result_.state = cancelled ? StreamState::kCancelled : StreamState::kFailed;
    // What windows have committed stays.
    if (result_.windows == 0) result_.rows_written = 0;
  }
  if (!options_.dry_run) {
    TellOfRejected();
    for (auto& message : result_.values_changed.Messages()) {
      Warn("values.changed", std::move(message));
    }
  }
  result_.seconds =
      std::chrono::duration<double>(context_.clock->Tick() - started).count();
  meter_.SetPhase(StreamPhase::kDone);
  meter_.Event(status.ok() ? Severity::kInfo : Severity::kError, "stream_ended",
               "Stream " + config_.id + " " +
                   std::string(StreamStateName(result_.state)) +
                   (status.ok() ? "" : ": " + result_.error.message()));
  return std::move(result_);
}

arrow::Status StreamRun::CountRejected(StreamResult* result) const {
  if (!config_.load.leaves_rows_out()) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(const auto counts, context_.journal->Rejected(Identity()));
  result->rows_rejected = counts.rows;
  result->dead_letters = counts.dead_letters;
  return arrow::Status::OK();
}

void StreamRun::TellOfRejected() {
  const auto counted = CountRejected(&result_);
  if (!counted.ok()) Warn("rows.not_counted", counted.message());
  if (result_.rows_rejected == 0) return;
  const bool one = result_.rows_rejected == 1;
  std::string message = std::to_string(result_.rows_rejected) +
                        (one ? " row was not loaded" : " rows were not loaded");
  if (result_.dead_letters > 0) {
    message += one ? " and is kept as a dead letter" : " and are kept as dead letters";
    message += ": dxtctl dlq list";
  }
  Warn("rows.rejected", std::move(message));
}

bool StreamRun::MayRetry(const ErrorInfo& info, int attempt) const {
  // A lock was waited for already, as long as its limit allows, and a full disk is not
  // emptied within seconds.
  const bool futile = info.code.ends_with(".locked") ||
                      info.code.ends_with(".lock_timeout") ||
                      info.code.ends_with(".no_space");
  if (!planned_ || !IsRetryable(info.error_class) || futile || options_.dry_run ||
      attempt > pipeline_.runtime.retries) {
    return false;
  }
  // One budget for all streams: a system that is down must not be asked by each of them.
  return context_.retries_left == nullptr || context_.retries_left->fetch_sub(1) > 0;
}

arrow::Status StreamRun::RunWithRetries(std::stop_token stop) {
  auto wait = context_.retry_wait;
  std::minstd_rand jitter(std::random_device{}());
  for (int attempt = 1;; ++attempt) {
    result_.attempts = attempt;
    meter_.Restart(attempt);
    arrow::Status status = Attempt(stop);
    if (status.ok()) return status;
    if (stop.stop_requested()) return Cancelled();
    if (WidenInferredType(status)) {
      --attempt;
      continue;
    }
    const ErrorInfo info = GetErrorInfo(status);
    if (!MayRetry(info, attempt)) return status;
    wait = NextWait(wait, context_.retry_wait, jitter);
    const auto asked = info.retry_after.value_or(std::chrono::milliseconds(0));
    const auto pause = std::max(wait, asked);
    meter_.Event(Severity::kWarning, "stream_retried",
                 "Attempt " + std::to_string(attempt) + " failed (" +
                     std::string(ErrorClassName(info.error_class)) + ": " +
                     status.message() + "), next in " + std::to_string(pause.count()) +
                     " ms");
    context_.observer->OnRetry(config_.id, info.error_class);
    if (!context_.clock->WaitUntil(context_.clock->Tick() + pause, stop))
      return Cancelled();
  }
}

bool StreamRun::WidenInferredType(const arrow::Status& status) {
  const ErrorInfo info = GetErrorInfo(status);
  if (info.code != "file.inferred_type" || info.column.empty() || !can_widen_)
    return false;
  if (++widened_ > 1000) return false;
  ConfigValue& options = config_.extract.options;
  if (options.kind != ConfigValue::Kind::kMap) {
    options = {};
    options.kind = ConfigValue::Kind::kMap;
  }
  ConfigValue name;
  name.kind = ConfigValue::Kind::kScalar;
  name.scalar = info.column;
  for (auto& [key, value] : options.map) {
    if (key != "string_columns") continue;
    for (const auto& known : value.list) {
      if (known.scalar == info.column) return false;
    }
    value.list.push_back(name);
    Warn("file.inferred_type", status.message());
    return true;
  }
  ConfigValue list;
  list.kind = ConfigValue::Kind::kList;
  list.list.push_back(name);
  options.map.emplace_back("string_columns", std::move(list));
  Warn("file.inferred_type",
       status.message() + "; column '" + info.column + "' is loaded as string");
  return true;
}

arrow::Status StreamRun::Attempt(std::stop_token stop) {
  if (!extracted_.empty()) return LoadExtracted(stop);
  if (!options_.dry_run) ARROW_RETURN_NOT_OK(ReleaseLoaded());
  if (options_.phase != Phase::kExtract && !options_.dry_run) {
    ARROW_ASSIGN_OR_RAISE(const bool done, LoadPending(stop));
    if (done) return arrow::Status::OK();
  }
  meter_.SetPhase(StreamPhase::kPlanning);
  ARROW_ASSIGN_OR_RAISE(auto stream,
                        PrepareStream(pipeline_, config_, options_, context_, stop));
  planned_ = true;
  can_widen_ = !stream->target.exists || stream->mode == LoadMode::kReplace;
  Report(*stream);
  if (options_.administrator_sql) {
    ARROW_ASSIGN_OR_RAISE(result_.administrator_sql,
                          stream->destination->AdministratorSql(
                              stream->table, stream->target, stream->table_plan, stop));
    return arrow::Status::OK();
  }
  if (options_.verify) return Verify(*stream, stop);
  if (options_.dry_run) {
    ARROW_RETURN_NOT_OK(Describe(*stream, stop));
    return options_.diff ? Compare(*stream, stop) : arrow::Status::OK();
  }
  if (options_.phase != Phase::kExtract) {
    ARROW_ASSIGN_OR_RAISE(const bool done, SettleInterrupted(*stream, stop));
    if (done) return arrow::Status::OK();
  }
  if (stream->backfill && !stream->backfill->Complete()) {
    ARROW_ASSIGN_OR_RAISE(stream, OwnLane(std::move(stream), stop));
  }
  // What this run was planned on must be there for readers as well, also when it has
  // nothing to add.
  if (options_.phase != Phase::kExtract) {
    ARROW_RETURN_NOT_OK(stream->destination->Settle(stream->identity, stop));
  }
  if (!stream->staged) {
    ARROW_RETURN_NOT_OK(Stream(*stream, stop));
    return stream->Whole() ? ReleaseOlder() : arrow::Status::OK();
  }
  // A retry loads these packages; reading again would be other windows.
  ARROW_ASSIGN_OR_RAISE(extracted_, ExtractPackages(*stream, stop));
  if (options_.phase == Phase::kExtract) return arrow::Status::OK();
  stream.reset();
  return LoadExtracted(stop);
}

arrow::Result<std::unique_ptr<PreparedStream>> StreamRun::OwnLane(
    std::unique_ptr<PreparedStream> stream, std::stop_token stop) {
  Ownership ownership;
  ARROW_RETURN_NOT_OK(TakeOver(*stream, context_, meter_, &ownership, stop).status());
  // What another one brought between the plan and now is part of it.
  stream.reset();
  return PrepareStream(pipeline_, config_, options_, context_, stop);
}

void StreamRun::Report(const PreparedStream& stream) {
  result_.load_mode = LoadModeName(stream.mode);
  result_.strategy = stream.table_plan.strategy;
  result_.strategy_reason = stream.table_plan.strategy_reason;
  result_.guarantee = GuaranteeName(stream.Promise());
  result_.buffer =
      stream.staged ? std::string(BufferFormatName(stream.buffer)) : "streamed";
  if (!stream.target.reference.empty()) result_.target = stream.target.reference;
  result_.schema_changes = stream.table_plan.ddl;
  if (stream.config.extract.incremental) {
    WatermarkResult watermark;
    watermark.field = stream.config.extract.watermark_field;
    watermark.before = stream.watermark.value.value_or("");
    watermark.after = watermark.before;
    watermark.source = stream.watermark.source;
    watermark.read_from = stream.ReadFrom();
    meter_.Event(Severity::kInfo, "watermark_chosen",
                 "Watermark of " + watermark.field + ": " +
                     (watermark.before.empty() ? "none" : watermark.before) + " (" +
                     watermark.source + ")" +
                     (watermark.read_from == watermark.before
                          ? ""
                          : ", read from " + watermark.read_from));
    result_.watermark = std::move(watermark);
  }
  for (const auto& warning : stream.watermark.warnings)
    Warn(warning.code, warning.message);
  for (const auto& note : stream.info.notes) Warn(note.code, note.message);
  for (const auto& note : stream.table_plan.notes) Warn("plan.note", note);
}

void StreamRun::Warn(std::string code, std::string message) {
  for (const auto& known : result_.warnings) {
    if (known.message == message) return;
  }
  meter_.Event(Severity::kWarning, code, message);
  result_.warnings.push_back({std::move(code), std::move(message)});
}

arrow::Status StreamRun::Describe(const PreparedStream& stream, std::stop_token stop) {
  result_.ddl = stream.table_plan.ddl;
  result_.schema_changes.clear();
  for (size_t i = 0; i < stream.columns.columns.size(); ++i) {
    const PlannedColumn& column = stream.columns.columns[i];
    ColumnResult shown;
    shown.source = column.source_text;
    shown.id = column.id;
    shown.dtype = ToString(column.field.type);
    shown.source_native = column.source.native.type;
    shown.target = column.wanted.name;
    shown.target_native = stream.table_plan.columns[i].native;
    shown.exactness = ExactnessName(stream.fits[i].exactness);
    shown.reason = stream.fits[i].reason;
    result_.columns.push_back(std::move(shown));
  }
  ARROW_ASSIGN_OR_RAISE(auto plan,
                        stream.source->PlanRead(stream.read, stream.MostSplits(), stop));
  result_.query = plan.text;
  result_.splits = static_cast<int>(plan.splits.size());
  result_.readers = std::min(stream.readers, result_.splits);
  for (const auto& note : plan.notes) Warn("horizon.hidden", note);
  ARROW_ASSIGN_OR_RAISE(result_.source_rows, stream.source->CountRows(stream.read, stop));
  if (stream.target.exists) {
    ARROW_ASSIGN_OR_RAISE(result_.target_rows,
                          stream.destination->CountRows(config_.target, stop));
  } else {
    result_.target_rows = 0;
  }
  return arrow::Status::OK();
}

arrow::Status StreamRun::Compare(PreparedStream& stream, std::stop_token stop) {
  stream.readers = 1;  // As of any read that has a limit.
  stream.limit =
      std::min(stream.limit.value_or(RecordDiff::kRows), RecordDiff::kMostRows);
  ARROW_ASSIGN_OR_RAISE(auto extractor, Extractor::Make(stream, context_, meter_));
  ARROW_RETURN_NOT_OK(SkipBoundary(stream, *extractor, stop));
  ARROW_ASSIGN_OR_RAISE(auto loader,
                        Loader::Make(stream, context_, meter_, extractor->schema()));
  RecordDiff diff(stream, pipeline_, context_);
  const auto read = extractor->Run(
      [&](QueuedBatch batch) -> arrow::Status {
        if (!batch.batch) return arrow::Status::OK();
        ARROW_ASSIGN_OR_RAISE(auto rows, loader->Deliverable(*batch.batch));
        return diff.Add(std::move(rows));
      },
      stop);
  ARROW_RETURN_NOT_OK(read);
  ARROW_ASSIGN_OR_RAISE(result_.diff, diff.Finish(extractor->complete(), stop));
  return arrow::Status::OK();
}

arrow::Status StreamRun::Verify(PreparedStream& stream, std::stop_token stop) {
  result_.schema_changes.clear();
  ReadSpec& read = stream.read;
  read.order_by_cursor = read.hold_back = stream.windowed = false;
  if (read.cursor) {
    read.cursor->lower = read.cursor->upper = std::nullopt;
    read.cursor->include_null = true;
  }
  stream.readers = 1;
  const auto source = [&](const TargetRows::Sink& sink) -> arrow::Status {
    ARROW_ASSIGN_OR_RAISE(auto extractor, Extractor::Make(stream, context_, meter_));
    ARROW_ASSIGN_OR_RAISE(auto loader,
                          Loader::Make(stream, context_, meter_, extractor->schema()));
    return extractor->Run(
        [&](QueuedBatch batch) -> arrow::Status {
          if (!batch.batch) return arrow::Status::OK();
          ARROW_ASSIGN_OR_RAISE(const auto rows, loader->Deliverable(*batch.batch));
          return sink(*rows);
        },
        stop);
  };
  Verification verification(stream, pipeline_, context_);
  ARROW_ASSIGN_OR_RAISE(result_.verify, verification.Run(source, stop));
  const VerifyResult& seen = *result_.verify;
  if (seen.equal) return arrow::Status::OK();
  const bool repeats = stream.mode == LoadMode::kAppend && !config_.extract.incremental;
  return MakeError(
      ErrorClass::kData, "verify.differs",
      "The target " + stream.target.reference + " is not what the source holds: " +
          std::to_string(seen.missing) + " rows missing, " +
          std::to_string(seen.changed) + " changed, " + std::to_string(seen.doubled) +
          " too many, " + std::to_string(seen.extra) + " that the source does not have" +
          (seen.complete ? "" : ", and parts that were not looked into"),
      seen.doubled > 0 && repeats
          ? "Each run of this stream appends the whole source again; replace or upsert "
            "keeps one copy"
          : "dxtctl run PIPELINE --full-refresh " + config_.id + " loads it anew");
}

bool StreamRun::NothingToWrite(const PreparedStream& stream) const {
  if (!stream.target.exists || stream.TakesAway()) return false;
  if (stream.watermark.accepted) return false;
  return stream.mode != LoadMode::kReplace ||
         (stream.config.load.partial_replace && stream.config.extract.incremental);
}

std::string StreamRun::CursorAfter(const PreparedStream& stream,
                                   const std::string& last) const {
  if (!stream.columns.cursor) return "";
  const FieldType& type = stream.columns.cursor->type;
  const auto& watermark = stream.watermark;
  if (stream.backfill && last.empty()) {
    return stream.backfill->resumed ? stream.backfill->begin : "";
  }
  if (stream.backfill) return last;
  // A one-run override never lowers the stored cursor.
  std::string cursor = watermark.source == "cli"       ? watermark.stored_before
                       : watermark.source == "initial" ? ""
                                                       : watermark.value.value_or("");
  if (!last.empty() && (cursor.empty() || CompareCursors(last, cursor, type) > 0)) {
    cursor = last;
  }
  return cursor;
}

bool StreamRun::EndsBackfill(const PreparedStream& stream, const Extractor& extractor) {
  return stream.backfill && extractor.complete() && !stream.backfill->Complete();
}

std::string StreamRun::LastCursor(const PreparedStream& stream,
                                  const Extractor& extractor) {
  // Its end says that the lane has reached it, whatever its last row was.
  if (EndsBackfill(stream, extractor)) return stream.backfill->end;
  return extractor.last_cursor().value_or("");
}

arrow::Status StreamRun::SkipBoundary(PreparedStream& stream, Extractor& extractor,
                                      std::stop_token stop) {
  if (!NeedsBoundaryKeys(stream)) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(auto boundary, Boundary::Read(stream, pipeline_, context_, stop));
  extractor.SkipAtBoundary(std::move(boundary));
  return arrow::Status::OK();
}

arrow::Status StreamRun::Stream(PreparedStream& stream, std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(auto extractor, Extractor::Make(stream, context_, meter_));
  ARROW_RETURN_NOT_OK(SkipBoundary(stream, *extractor, stop));
  BatchQueue queue(std::min<int64_t>(pipeline_.runtime.memory_limit / 4, 4 << 20));
  std::stop_source abort;
  std::stop_callback cancel(stop, [&] { abort.request_stop(); });
  meter_.SetPhase(StreamPhase::kReading);
  arrow::Status read, written;
  {
    std::jthread reader([&] {
      read = extractor->Run(
          [&](QueuedBatch batch) {
            return queue.Push(std::move(batch), abort.get_token());
          },
          abort.get_token());
      queue.Close(read);
    });
    written = Write(stream, *extractor, queue, stop);
    abort.request_stop();
    queue.Close(written);
  }
  result_.rows_deduplicated += extractor->rows_skipped();
  TellOfRead(*extractor);
  return written;
}

void StreamRun::TellOfRead(const Extractor& extractor) {
  result_.readers = extractor.readers();
  for (const auto& note : extractor.notes()) Warn("horizon.hidden", note);
  const auto& held = extractor.held_back();
  if (result_.watermark) result_.watermark->held_from = held ? held->from : "";
  if (!held || held->open_seconds * 1000 < config_.extract.hold_warn_ms) return;
  Warn("horizon.held_long",
       "A transaction of the source is open since " + held->since + ", and rows from " +
           held->from +
           " on are not loaded while it is: end it, or set extract.horizon: off if it "
           "writes nothing that is read here");
}

arrow::Status StreamRun::Write(PreparedStream& stream, Extractor& extractor,
                               BatchQueue& queue, std::stop_token stop) {
  // Nothing is touched at the target before the first row is there.
  ARROW_ASSIGN_OR_RAISE(auto next, queue.Pop(stop));
  if (!next.batch && NothingToWrite(stream) && !EndsBackfill(stream, extractor)) {
    return arrow::Status::OK();
  }
  ARROW_ASSIGN_OR_RAISE(auto loader,
                        Loader::Make(stream, context_, meter_, extractor.schema()));
  ARROW_ASSIGN_OR_RAISE(auto settled, loader->Own(stop));
  if (settled) {
    return MakeError(ErrorClass::kTransient, "load.moved",
                     "An interrupted run had committed this stream");
  }
  ARROW_RETURN_NOT_OK(BeginWindow(stream, *loader, stop, extractor.readers()));
  if (extractor.readers() > 1) {
    ARROW_RETURN_NOT_OK(WriteTogether(*loader, queue, std::move(next), stop));
    return CommitWindow(stream, *loader, LastCursor(stream, extractor), stop);
  }
  while (next.batch) {
    if (next.window_end) {
      ARROW_RETURN_NOT_OK(CommitWindow(stream, *loader, *next.window_end, stop));
      ARROW_RETURN_NOT_OK(stream.Replan(stop));
      ARROW_RETURN_NOT_OK(BeginWindow(stream, *loader, stop));
    }
    loader->Reject(std::move(next.rejected));
    loader->Changed(next.changed);
    ARROW_RETURN_NOT_OK(loader->Append(*next.batch, stop));
    ARROW_ASSIGN_OR_RAISE(next, queue.Pop(stop));
  }
  return CommitWindow(stream, *loader, LastCursor(stream, extractor), stop);
}

arrow::Status StreamRun::WriteTogether(Loader& loader, BatchQueue& queue,
                                       QueuedBatch first, std::stop_token stop) {
  std::stop_source quit;
  const std::stop_callback forward(stop, [&] { quit.request_stop(); });
  std::mutex mutex;
  arrow::Status failure;
  const auto write_all = [&](int writer, QueuedBatch next) -> arrow::Status {
    while (next.batch) {
      loader.Reject(std::move(next.rejected), writer);
      loader.Changed(next.changed, writer);
      ARROW_RETURN_NOT_OK(
          loader.Append(writer, *next.batch, next.place.ordinal(), quit.get_token()));
      ARROW_ASSIGN_OR_RAISE(next, queue.Pop(quit.get_token()));
    }
    return arrow::Status::OK();
  };
  const auto end = [&](const arrow::Status& status) {
    if (status.ok()) return;
    const std::lock_guard lock(mutex);
    if (failure.ok()) failure = status;
    quit.request_stop();
  };
  {
    std::vector<std::jthread> others;
    for (int writer = 1; writer < loader.writers(); ++writer) {
      others.emplace_back([&, writer] {
        auto next = queue.Pop(quit.get_token());
        end(next.ok() ? write_all(writer, std::move(*next)) : next.status());
      });
    }
    end(write_all(0, std::move(first)));
  }
  return failure;
}

arrow::Status StreamRun::BeginWindow(const PreparedStream& stream, Loader& loader,
                                     std::stop_token stop, int writers) {
  LoadRecord record;
  if (load_id_.empty()) load_id_ = context_.ids->Ulid();
  record.load_id = load_id_;
  record.read_from = stream.ReadFrom();
  record.leaves_gap = stream.watermark.leaves_gap && result_.windows == 0;
  ARROW_RETURN_NOT_OK(loader.Begin(std::move(record), stop, writers));
  result_.writers = loader.writers();
  result_.began_writing = true;
  meter_.SetPhase(StreamPhase::kWriting);
  return arrow::Status::OK();
}

arrow::Status StreamRun::CommitWindow(const PreparedStream& stream, Loader& loader,
                                      const std::string& last, std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(auto committed, loader.Commit(CursorAfter(stream, last), stop));
  Took(loader, committed);
  return arrow::Status::OK();
}

void StreamRun::Took(Loader& loader, const CommitResult& committed) {
  load_id_.clear();
  ++result_.windows;
  meter_.CountWindow();
  result_.load_id = loader.record().load_id;
  result_.window_seq = loader.record().window_seq;
  result_.rows_written += committed.rows_written;
  result_.rows_deleted += committed.rows_deleted;
  result_.rows_deduplicated += committed.rows_deduplicated;
  result_.values_changed.Add(loader.TakeChanged());
  for (const auto& warning : committed.warnings) Warn(warning.code, warning.message);
  if (result_.watermark) result_.watermark->after = loader.record().cursor_after;
  meter_.Event(Severity::kInfo, "load_committed",
               "Load " + result_.load_id + " committed, window " +
                   std::to_string(result_.window_seq));
}

StreamIdentity StreamRun::Identity() const {
  StreamIdentity identity;
  identity.pipeline = pipeline_.project.name + "/" + pipeline_.name;
  identity.stream = config_.id;
  identity.target = config_.target;
  identity.fingerprint = Fingerprint(pipeline_, config_);
  if (options_.backfill) identity.lane = options_.backfill->Lane();
  return identity;
}

arrow::Result<bool> StreamRun::SettleInterrupted(PreparedStream& stream,
                                                 std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(const auto intent,
                        context_.journal->PendingIntent(stream.identity));
  if (!intent) return false;
  Ownership ownership;
  ARROW_ASSIGN_OR_RAISE(const auto settled,
                        TakeOver(stream, context_, meter_, &ownership, stop));
  if (!settled) return false;
  ARROW_RETURN_NOT_OK(ReleaseLoaded());
  // Another run's load is part of what this one was planned on, and so is a window, after
  // which more may come.
  if (settled->run != context_.run_id || stream.windowed) return false;
  result_.load_id = settled->load_id;
  result_.window_seq = settled->window_seq;
  result_.rows_written = settled->rows;
  result_.rows_deleted = settled->rows_deleted;
  if (result_.watermark) result_.watermark->after = settled->cursor_after;
  return true;
}

}  // namespace dxt
