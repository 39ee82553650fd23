#include "engine/run/cursor_plan.h"

#include <algorithm>

#include "base/error.h"
#include "engine/run/observer.h"

namespace dxt {
namespace {

class CursorPlanner {
 public:
  CursorPlanner(PreparedStream& stream, const RunOptions& options,
                const RunContext& context, std::stop_token stop)
      : stream_(stream), options_(options), context_(context), stop_(std::move(stop)) {}

  arrow::Status Decide() {
    if (options_.backfill) return DecideRange(*options_.backfill);
    if (!stream_.config.extract.incremental) {
      if (stream_.last) stream_.watermark.stored_before = stream_.last->cursor_after;
      // Whether filters run at the source is not known here, so the engine cuts as well.
      if (stream_.source_can.Has(Capability::kPushdown))
        stream_.read.limit = options_.limit;
      return arrow::Status::OK();
    }
    const ColumnPlan& columns = stream_.columns;
    WatermarkInputs in;
    in.config = &stream_.config;
    in.type = columns.cursor->type;
    in.fingerprint = stream_.identity.fingerprint;
    in.last = stream_.last;
    ARROW_ASSIGN_OR_RAISE(in.stored, context_.journal->LoadCheckpoint(stream_.identity));
    ARROW_ASSIGN_OR_RAISE(in.directive, context_.journal->Directive(stream_.identity));
    in.target_exists = stream_.target.exists;
    in.target_empty = stream_.target.empty;
    in.target_ident = stream_.target.ident;
    if (!in.last || stream_.config.extract.watermark_source == WatermarkSource::kTarget) {
      ARROW_ASSIGN_OR_RAISE(const auto lanes,
                            stream_.destination->Lanes(stream_.identity, stop_));
      in.backfilled = std::any_of(lanes.begin(), lanes.end(), [](const auto& lane) {
        return RangeOfLane(lane).has_value();
      });
    }
    ARROW_ASSIGN_OR_RAISE(in.shared_target,
                          stream_.destination->SharedTarget(stream_.identity, stop_));
    for (size_t i = 0; i < columns.columns.size(); ++i) {
      if (columns.columns[i].wanted.name != columns.cursor_target) continue;
      in.cursor_in_target = stream_.target.Find(columns.cursor_target) != nullptr;
      in.cursor_exact = stream_.fits[i].exactness == Exactness::kExact;
    }
    in.cli_value = options_.cursor_value;
    in.allow_duplicates = options_.allow_duplicates;
    in.full_refresh = Refreshed(options_, stream_.config.id);
    in.target_max = [&] {
      return stream_.destination->MaxCursor(stream_.config.target, columns.cursor_target,
                                            columns.cursor->type, stop_);
    };
    ARROW_ASSIGN_OR_RAISE(stream_.watermark, DecideWatermark(in));
    return ApplyCursor();
  }

 private:
  arrow::Status DecideRange(const RunOptions::Backfill& asked) {
    BackfillInputs in;
    in.config = &stream_.config;
    in.mode = stream_.mode;
    if (stream_.columns.cursor) in.type = stream_.columns.cursor->type;
    in.identity = stream_.identity;
    in.run = context_.run_id;
    in.from = asked.from;
    in.to = asked.to;
    in.allow_duplicates = options_.allow_duplicates;
    const std::string& cursor_target = stream_.columns.cursor_target;
    const auto& keys = stream_.table.keys;
    in.cursor_loaded = !cursor_target.empty();
    in.cursor_is_key = std::find(keys.begin(), keys.end(), cursor_target) != keys.end();
    in.target_empty = !stream_.target.exists || stream_.target.empty;
    if (options_.phase != RunOptions::Phase::kRun) {
      return MakeError(ErrorClass::kConfig, "backfill.mode",
                       "--from and --to load what they read, so they cannot be parted",
                       "Use dxtctl run");
    }
    ARROW_ASSIGN_OR_RAISE(const auto lanes,
                          stream_.destination->Lanes(stream_.identity, stop_));
    for (const auto& name : lanes) {
      if (name == stream_.identity.lane || !RangeOfLane(name)) continue;
      ARROW_ASSIGN_OR_RAISE(auto lane, LaneNamed(name));
      in.others.push_back(std::move(lane));
    }
    ARROW_ASSIGN_OR_RAISE(in.own, LaneNamed(stream_.identity.lane));
    ARROW_ASSIGN_OR_RAISE(const auto regular, LaneNamed(StreamIdentity().lane));
    if (regular.last && !in.target_empty) in.regular = regular.last->cursor_after;
    ARROW_ASSIGN_OR_RAISE(stream_.backfill, DecideBackfill(in));
    const BackfillDecision& range = *stream_.backfill;
    WatermarkDecision& watermark = stream_.watermark;
    watermark.value = range.begin;
    watermark.inclusive = !range.resumed;
    watermark.source = range.resumed ? "target" : "cli";
    if (stream_.last) watermark.stored_before = stream_.last->cursor_after;
    if (range.Complete()) {
      watermark.warnings.push_back(
          {"backfill.complete",
           "The whole range was loaded before, and rows that came into it since are not "
           "appended; dxtctl state reset " +
               stream_.config.id + " --lane '" + stream_.identity.lane +
               "' has it loaded again, after its rows were deleted from the target"});
    }
    if (range.lost) {
      watermark.warnings.push_back(
          {"state.target_missing",
           "The target is " + std::string(stream_.target.exists ? "empty" : "gone") +
               " although rows of this range were loaded: it is loaded again"});
    }
    CursorRange& cursor = *stream_.read.cursor;
    cursor.lower = range.begin;
    cursor.lower_inclusive = !range.resumed;
    cursor.upper = range.end;
    return OrderRead();
  }

  arrow::Result<Lane> LaneNamed(const std::string& name) {
    StreamIdentity identity = stream_.identity;
    identity.lane = name;
    Lane lane;
    lane.name = name;
    ARROW_ASSIGN_OR_RAISE(lane.last, NewestLoad(stream_, identity, context_, stop_));
    ARROW_ASSIGN_OR_RAISE(const auto directive, context_.journal->Directive(identity));
    lane.given_up = directive && directive->kind == CursorDirective::Kind::kReset;
    return lane;
  }

  arrow::Status ApplyCursor() {
    CursorRange& cursor = *stream_.read.cursor;
    ARROW_RETURN_NOT_OK(stream_.BeginAtWatermark());
    cursor.upper = stream_.config.extract.end_value;
    cursor.include_null = stream_.ReadsNullCursors(!cursor.lower && !NullCursorsLoaded());
    return OrderRead();
  }

  /// What windows and limits need of the order of the rows.
  arrow::Status OrderRead() {
    stream_.read.hold_back = stream_.config.extract.hold_back;
    // --full-refresh makes a replace of any mode, which is one commit.
    stream_.windowed = stream_.config.load.windowed() && !stream_.Whole();
    if (stream_.windowed) {
      if (!stream_.source_can.Has(Capability::kPushdown)) {
        return MakeError(ErrorClass::kUnsupported, "load.window_order",
                         "Windows are cut in the order of the watermark, and stream '" +
                             stream_.config.id + "' cannot be read so",
                         "Leave load.window_rows, window_bytes and window_time out");
      }
      stream_.read.order_by_cursor = true;
    }
    if (options_.limit) {
      if (!stream_.source_can.Has(Capability::kPushdown) ||
          stream_.config.kind == StreamKind::kQuery) {
        return MakeError(
            ErrorClass::kUnsupported, "plan.limit_unordered",
            "--limit needs rows in the order of the watermark, and stream '" +
                stream_.config.id + "' cannot be read so",
            "Leave --limit out, or use extract.mode: full");
      }
      // No LIMIT in the statement: a tie at the end must be finished.
      stream_.read.order_by_cursor = true;
    }
    return arrow::Status::OK();
  }

  /// A load that moved no cursor loaded nothing but rows without one.
  bool NullCursorsLoaded() const {
    return !Refreshed(options_, stream_.config.id) && stream_.last &&
           stream_.last->cursor_after.empty() &&
           stream_.last->fingerprint == stream_.identity.fingerprint &&
           stream_.target.exists && !stream_.target.empty;
  }

  PreparedStream& stream_;
  const RunOptions& options_;
  const RunContext& context_;
  const std::stop_token stop_;
};

}  // namespace

bool Refreshed(const RunOptions& options, const std::string& stream) {
  if (!options.full_refresh) return false;
  const auto& only = options.full_refresh_streams;
  return only.empty() || std::find(only.begin(), only.end(), stream) != only.end();
}

arrow::Status DecideCursor(PreparedStream& stream, const RunOptions& options,
                           const RunContext& context, std::stop_token stop) {
  return CursorPlanner(stream, options, context, std::move(stop)).Decide();
}

}  // namespace dxt
