#include "engine/run/backfill.h"

#include <algorithm>

#include "base/error.h"
#include "connectors/sdk/cursor.h"

namespace dxt {
namespace {

constexpr std::string_view kPrefix = "backfill/";

arrow::Status Refused(std::string_view code, std::string message, std::string hint) {
  return MakeError(ErrorClass::kConfig, code, std::move(message), std::move(hint));
}

arrow::Status CheckMode(const BackfillInputs& in) {
  const std::string stream = "stream '" + in.config->id + "'";
  if (!in.config->extract.incremental) {
    return Refused("backfill.mode",
                   "--from and --to are values of a watermark field, and " + stream +
                       " is read in full",
                   "Set extract.mode: incremental with a watermark_field, or leave the "
                   "stream out with --exclude");
  }
  if (IsWhole(in.mode)) {
    return Refused("backfill.mode",
                   "A part of " + stream + " cannot be loaded with load.mode " +
                       std::string(LoadModeName(in.mode)) +
                       ", which takes what it does not read away",
                   "Use upsert, insert_only, delete_insert or append, or run without "
                   "--from and --to");
  }
  if (in.mode == LoadMode::kHistory) {
    return Refused(
        "backfill.mode",
        "A range of " + stream +
            " cannot be loaded with load.mode scd2: its rows may be older than "
            "the versions that the regular runs have opened since, and would "
            "be opened behind them",
        "Run without --from and --to");
  }
  if (in.mode == LoadMode::kDeleteInsert && !in.cursor_is_key) {
    return Refused("backfill.cursor",
                   "load.mode delete_insert deletes all rows of a key, and those of " +
                       stream + " may lie outside of the range as well as in it",
                   "Add the watermark field '" + in.config->extract.watermark_field +
                       "' to load.upsert_keys, or use upsert");
  }
  if (in.mode == LoadMode::kUpsert && !in.cursor_loaded) {
    return Refused(
        "backfill.cursor",
        "The target of " + stream +
            " has no column for the watermark field, so a row that the "
            "regular runs have loaded since could be taken for the older one",
        "Add the field '" + in.config->extract.watermark_field + "' to `fields`");
  }
  return arrow::Status::OK();
}

/// Rows that the regular runs load, or have loaded, must not be appended as well.
arrow::Status CheckRegularRuns(const BackfillInputs& in, const std::string& end) {
  if (in.mode != LoadMode::kAppend || in.allow_duplicates) return arrow::Status::OK();
  const auto& initial = in.config->extract.initial_value;
  if (initial) {
    ARROW_ASSIGN_OR_RAISE(const auto first, CanonicalCursor(*initial, in.type));
    if (CompareCursors(end, first, in.type) <= 0) return arrow::Status::OK();
  }
  return Refused("backfill.duplicates",
                 "The regular runs of stream '" + in.config->id + "' load rows from " +
                     (initial ? *initial : "the first one") +
                     " on, so append would load some of the range up to " + in.to +
                     " twice",
                 "End at or below extract.initial_value, use load.mode: upsert with "
                 "keys, or add --allow-duplicates");
}

/// Rows that a regular run adds to a key while the range is read would be deleted with
/// it.
arrow::Status CheckGroups(const BackfillInputs& in, const std::string& end) {
  if (in.mode != LoadMode::kDeleteInsert) return arrow::Status::OK();
  std::string reached = in.regular;
  if (const auto& initial = in.config->extract.initial_value; initial) {
    ARROW_ASSIGN_OR_RAISE(auto first, CanonicalCursor(*initial, in.type));
    if (reached.empty() || CompareCursors(first, reached, in.type) > 0)
      reached = std::move(first);
  }
  if (!reached.empty() && CompareCursors(end, reached, in.type) <= 0)
    return arrow::Status::OK();
  return Refused("backfill.ahead",
                 "The range up to " + in.to +
                     " lies above what the regular runs of "
                     "stream '" +
                     in.config->id + "' have loaded (" +
                     (reached.empty() ? "nothing" : "up to " + reached) +
                     "): one of them could load rows of its keys while it is read, which "
                     "load.mode delete_insert would delete",
                 "Run the pipeline first, or end the range at or below that value");
}

/// The canonical end of that lane's range; nullopt when it does not overlap.
std::optional<std::string> EndOfOverlap(const BackfillDecision& range,
                                        const std::string& lane) {
  const auto written = RangeOfLane(lane);
  if (!written) return std::nullopt;
  const auto begin = CanonicalCursor(written->first, range.type);
  const auto end = CanonicalCursor(written->second, range.type);
  // A lane of times when the watermark field was another one.
  if (!begin.ok() || !end.ok()) return std::nullopt;
  if (CompareCursors(range.begin, *end, range.type) >= 0 ||
      CompareCursors(*begin, range.end, range.type) >= 0) {
    return std::nullopt;
  }
  return *end;
}

arrow::Status CheckOthers(const BackfillInputs& in, const BackfillDecision& range) {
  for (const auto& other : in.others) {
    if (other.given_up) continue;
    const auto end = EndOfOverlap(range, other.name);
    if (!end) continue;
    const auto written = RangeOfLane(other.name);
    const bool done =
        other.last && CompareCursors(other.last->cursor_after, *end, in.type) == 0;
    const bool twice = in.mode == LoadMode::kAppend && !in.allow_duplicates;
    if (done && (!twice || in.target_empty)) continue;
    const std::string same = "--from '" + written->first + "' --to '" + written->second;
    return Refused("backfill.overlap",
                   "The range from " + in.from + " to " + in.to + " of stream '" +
                       in.config->id + "' overlaps the backfill from " + written->first +
                       " to " + written->second +
                       (done ? ", which was loaded" : ", which runs or was broken off") +
                       (other.last ? " (run " + other.last->run + ")" : ""),
                   done ? "Leave its range out, or add --allow-duplicates"
                        : "Wait for it or end it with " + same + "; dxtctl state reset " +
                              in.config->id + " --lane '" + other.name + "' gives it up");
  }
  return arrow::Status::OK();
}

}  // namespace

std::optional<std::pair<std::string, std::string>> RangeOfLane(std::string_view lane) {
  if (!lane.starts_with(kPrefix)) return std::nullopt;
  lane.remove_prefix(kPrefix.size());
  const size_t dots = lane.find("..");
  if (dots == std::string_view::npos) return std::nullopt;
  return std::pair(std::string(lane.substr(0, dots)), std::string(lane.substr(dots + 2)));
}

arrow::Status CheckNewLanes(const BackfillDecision& decision,
                            const StreamIdentity& identity,
                            const std::vector<std::string>& lanes) {
  for (const auto& lane : lanes) {
    const bool known = std::find(decision.known.begin(), decision.known.end(), lane) !=
                       decision.known.end();
    if (known || lane == identity.lane || !EndOfOverlap(decision, lane)) continue;
    const auto written = RangeOfLane(lane);
    return Refused("backfill.overlap",
                   "A backfill of stream '" + identity.stream + "' from " +
                       written->first + " to " + written->second +
                       " has just begun, and overlaps this one",
                   "Wait for it, or end it with --from '" + written->first + "' --to '" +
                       written->second + "'");
  }
  return arrow::Status::OK();
}

arrow::Result<BackfillDecision> DecideBackfill(const BackfillInputs& in) {
  ARROW_RETURN_NOT_OK(CheckMode(in));
  BackfillDecision decision;
  decision.type = in.type;
  for (const auto& other : in.others) decision.known.push_back(other.name);
  ARROW_ASSIGN_OR_RAISE(decision.begin, CanonicalCursor(in.from, in.type));
  ARROW_ASSIGN_OR_RAISE(decision.end, CanonicalCursor(in.to, in.type));
  const bool readable = RangeOfLane(in.own.name) == std::pair(in.from, in.to);
  if (!readable || CompareCursors(decision.begin, decision.end, in.type) >= 0) {
    return Refused("backfill.range",
                   "The range from " + in.from + " to " + in.to +
                       (readable ? " is empty" : " has two dots in its beginning"),
                   "--to is exclusive and must lie above --from");
  }
  ARROW_RETURN_NOT_OK(CheckRegularRuns(in, decision.end));
  ARROW_RETURN_NOT_OK(CheckGroups(in, decision.end));
  ARROW_RETURN_NOT_OK(CheckOthers(in, decision));
  const auto& last = in.own.last;
  if (!last || in.own.given_up || last->cursor_after.empty()) return decision;
  if (last->fingerprint != in.identity.fingerprint) {
    return Refused("state.changed",
                   "The backfill from " + in.from + " to " + in.to + " of stream '" +
                       in.config->id +
                       "' was begun with another source, watermark field, target or keys",
                   "dxtctl state reset " + in.config->id + " --lane '" + in.own.name +
                       "' begins it anew");
  }
  decision.lost = in.target_empty && last->rows > 0;
  if (decision.lost) return decision;
  decision.done = CompareCursors(last->cursor_after, decision.end, in.type) == 0;
  // What is found by key another run may load once more; what is appended, none.
  const bool again = in.mode != LoadMode::kAppend && last->run != in.run;
  if (decision.done && again) return decision;
  decision.resumed = true;
  decision.begin = last->cursor_after;
  return decision;
}

}  // namespace dxt
