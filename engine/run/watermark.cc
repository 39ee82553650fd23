#include "engine/run/watermark.h"

#include "base/error.h"
#include "connectors/sdk/cursor.h"

namespace dxt {
namespace {

class Decider {
 public:
  explicit Decider(const WatermarkInputs& in) : in_(in), id_(in.config->id) {}

  arrow::Result<WatermarkDecision> Run() {
    if (in_.last) decision_.stored_before = in_.last->cursor_after;
    if (in_.full_refresh) return decision_;
    decision_.accepted = Directed(CursorDirective::Kind::kAccept) && in_.last;
    ARROW_RETURN_NOT_OK(CheckLedger());
    ARROW_RETURN_NOT_OK(Stored());
    if (in_.cli_value) ARROW_RETURN_NOT_OK(FromCommandLine());
    decision_.inclusive = in_.config->extract.inclusive &&
                          decision_.source != "initial" && decision_.source != "none";
    if (decision_.source == "initial") decision_.inclusive = true;
    return decision_;
  }

 private:
  bool Directed(CursorDirective::Kind kind) const {
    return in_.directive && in_.directive->kind == kind;
  }

  /// The state store never overrules a ledger, but it remembers the loads that it saw
  /// committed: a ledger that tells of them otherwise was changed by hand.
  arrow::Status CheckLedger() const {
    const bool asked = in_.directive || in_.cli_value;
    if (asked || !in_.target_exists || in_.target_empty || !in_.stored ||
        in_.stored->load_id.empty() || in_.stored->cursor_after.empty() ||
        in_.stored->fingerprint != in_.fingerprint) {
      return arrow::Status::OK();
    }
    const LoadRecord& known = *in_.stored;
    const std::string id = "load " + known.load_id;
    if (in_.last && in_.last->window_seq >= known.window_seq) {
      const bool same = in_.last->load_id != known.load_id ||
                        in_.last->cursor_after == known.cursor_after;
      return same ? arrow::Status::OK()
                  : LedgerChanged(id + " ended at " + known.cursor_after +
                                  ", and its row in the ledger says " +
                                  (in_.last->cursor_after.empty()
                                       ? "nothing"
                                       : in_.last->cursor_after));
    }
    if (!in_.cursor_in_target) return arrow::Status::OK();
    ARROW_ASSIGN_OR_RAISE(const auto maximum, in_.target_max());
    // An older copy was restored, the ledger with it; or without it, but all is there.
    const std::string& reached = in_.last ? in_.last->cursor_after : known.cursor_after;
    const int order = maximum && !reached.empty()
                          ? CompareCursors(*maximum, reached, in_.type)
                          : (maximum ? 1 : -1);
    if (in_.last ? order <= 0 : order == 0) return arrow::Status::OK();
    return LedgerChanged(id + ", which ended at " + known.cursor_after +
                         ", is not in the ledger, and the target ends at " +
                         maximum.value_or("nothing"));
  }

  arrow::Status LedgerChanged(const std::string& how) const {
    const std::string& known = in_.stored->cursor_after;
    return MakeError(
        ErrorClass::kGuard, "state.ledger_changed",
        "The ledger of stream '" + id_ +
            "' in the target was changed by hand, or is not the target's: " + how,
        "dxtctl state set " + id_ + " '" + known +
            "' goes on from there, dxtctl state accept " + id_ +
            " believes the target, dxtctl state reset " + id_ +
            " loads again from the start");
  }

  arrow::Status Stored() {
    if (Directed(CursorDirective::Kind::kReset)) {
      ARROW_RETURN_NOT_OK(Initial());
      return WarnOfDirective();
    }
    if (Directed(CursorDirective::Kind::kSet)) {
      ARROW_ASSIGN_OR_RAISE(auto value, CanonicalCursor(in_.directive->value, in_.type));
      ARROW_RETURN_NOT_OK(Take(std::move(value), "state"));
      return WarnOfDirective();
    }
    switch (in_.config->extract.watermark_source) {
      case WatermarkSource::kTarget:
        // The largest value may be a backfill's.
        if (in_.backfilled && in_.last) return FromLedger();
        return FromTargetMaximum();
      case WatermarkSource::kState:
        // A ledger is never overruled by the state store.
        if (in_.last) return FromLedger();
        return FromState();
      case WatermarkSource::kAuto:
        if (in_.last) return FromLedger();
        if (in_.target_exists && !in_.target_empty) return FromForeignTable();
        return FromState();
    }
    return arrow::Status::OK();
  }

  arrow::Status CheckFingerprint(const LoadRecord& record) const {
    if (record.fingerprint == in_.fingerprint ||
        Directed(CursorDirective::Kind::kAccept)) {
      return arrow::Status::OK();
    }
    return MakeError(
        ErrorClass::kConfig, "state.changed",
        "Stream '" + id_ + "' was loaded up to " + record.cursor_after +
            " with another source connection, source, watermark field, target or "
            "keys (last target: " +
            record.target + ")",
        "dxtctl state accept " + id_ + " keeps the cursor, dxtctl state reset " + id_ +
            " starts over");
  }

  arrow::Status FromLedger() {
    const LoadRecord& last = *in_.last;
    if (last.cursor_after.empty()) {
      if (!in_.target_exists || in_.target_empty) return Initial();
      return FromForeignTable();
    }
    ARROW_RETURN_NOT_OK(CheckFingerprint(last));
    if (!in_.target_exists || (in_.target_empty && last.rows > 0)) {
      decision_.warnings.push_back(
          {"state.target_missing",
           "The target is " + std::string(in_.target_exists ? "empty" : "gone") +
               " although rows were loaded up to " + last.cursor_after +
               ": everything is loaded again"});
      return Initial();
    }
    const bool same = !in_.target_ident.empty() && in_.target_ident == last.target_ident;
    // A row that loaded nothing says that somebody accepted the target as it was.
    const bool loaded = last.rows > 0 && !Directed(CursorDirective::Kind::kAccept);
    if (!same && in_.cursor_in_target && loaded) {
      ARROW_ASSIGN_OR_RAISE(auto maximum, in_.target_max());
      if (!maximum || CompareCursors(*maximum, last.cursor_after, in_.type) < 0) {
        return MakeError(ErrorClass::kGuard, "state.target_behind",
                         "The target of stream '" + id_ + "' ends at " +
                             maximum.value_or("nothing") + " but was loaded up to " +
                             last.cursor_after +
                             ": rows were removed, or an older copy was restored",
                         "dxtctl state reset " + id_ +
                             " loads again from the start, dxtctl state accept " + id_ +
                             " goes on from " + last.cursor_after);
      }
    }
    return Take(last.cursor_after, "target");
  }

  arrow::Status FromForeignTable() {
    if (in_.backfilled) return Initial();
    if (!in_.cursor_in_target || !in_.cursor_exact || in_.shared_target) {
      if (in_.config->extract.initial_value) return Initial();
      if (in_.cli_value) return arrow::Status::OK();
      const std::string why = in_.shared_target ? "another pipeline loads it too"
                              : in_.cursor_in_target
                                  ? "its column does not hold the watermark exactly"
                                  : "the watermark field is not among its columns";
      return MakeError(
          ErrorClass::kConfig, "state.unknown_cursor",
          "The target of stream '" + id_ +
              "' holds rows that dxt did not record, and where to go on cannot "
              "be read from it: " +
              why,
          "Set extract.initial_value, or extract.watermark_source: target");
    }
    return FromTargetMaximum();
  }

  arrow::Status FromTargetMaximum() {
    if (!in_.target_exists || in_.target_empty || in_.backfilled) return Initial();
    if (!in_.cursor_in_target) {
      return MakeError(ErrorClass::kConfig, "state.unknown_cursor",
                       "extract.watermark_source is target, but the watermark field of "
                       "stream '" +
                           id_ + "' is not loaded into a column of it",
                       "Add the field to `fields`, or use watermark_source: state");
    }
    ARROW_ASSIGN_OR_RAISE(auto maximum, in_.target_max());
    if (!maximum) return Initial();
    return Take(std::move(*maximum), "target");
  }

  arrow::Status FromState() {
    const bool usable = in_.stored && !in_.stored->cursor_after.empty();
    if (!usable) return Initial();
    ARROW_RETURN_NOT_OK(CheckFingerprint(*in_.stored));
    if (!in_.target_exists || in_.target_empty) return Initial();
    return Take(in_.stored->cursor_after, "state");
  }

  arrow::Status Initial() {
    if (!in_.config->extract.initial_value) return arrow::Status::OK();
    ARROW_ASSIGN_OR_RAISE(auto value,
                          CanonicalCursor(*in_.config->extract.initial_value, in_.type));
    return Take(std::move(value), "initial");
  }

  arrow::Status Take(std::string value, std::string source) {
    decision_.value = std::move(value);
    decision_.source = std::move(source);
    return arrow::Status::OK();
  }

  /// What `state set` and `state reset` do to rows that were loaded, or were not.
  arrow::Status WarnOfDirective() {
    const std::string& loaded = decision_.stored_before;
    if (loaded.empty() || !in_.target_exists || in_.target_empty)
      return arrow::Status::OK();
    const int order =
        decision_.value ? CompareCursors(*decision_.value, loaded, in_.type) : -1;
    if (order > 0) WarnOfGap(loaded, *decision_.value);
    if (order < 0 && in_.config->load.mode == LoadMode::kAppend) {
      decision_.warnings.push_back(
          {"cursor.loaded_again",
           "Rows up to " + loaded +
               " were loaded before; those of them that are read now "
               "and are still in the target stand there twice, since load.mode is "
               "append"});
    }
    return arrow::Status::OK();
  }

  void WarnOfGap(const std::string& loaded, const std::string& next) {
    decision_.leaves_gap = true;
    decision_.warnings.push_back(
        {"cursor.gap",
         "Rows above " + loaded + " and up to " + next +
             " are left out: no later run reads them, and dxtctl state show lists them"});
  }

  arrow::Status FromCommandLine() {
    ARROW_ASSIGN_OR_RAISE(auto value, CanonicalCursor(*in_.cli_value, in_.type));
    const int order = decision_.value && decision_.source != "initial"
                          ? CompareCursors(value, *decision_.value, in_.type)
                          : 0;
    if (order > 0) WarnOfGap(*decision_.value, value);
    const bool below = order < 0;
    if (below && in_.config->load.mode == LoadMode::kAppend && !in_.allow_duplicates) {
      return MakeError(ErrorClass::kConfig, "cursor.duplicates",
                       "--cursor-value " + value + " is below the watermark " +
                           *decision_.value + " of stream '" + id_ +
                           "', so append would load rows twice",
                       "Use load.mode: upsert with keys, or add --allow-duplicates");
    }
    return Take(std::move(value), "cli");
  }

  const WatermarkInputs& in_;
  const std::string& id_;
  WatermarkDecision decision_;
};

}  // namespace

arrow::Result<std::optional<CursorDirective>> Journal::Directive(const StreamIdentity&) {
  return std::nullopt;
}

arrow::Status Journal::HoldRejected(const StreamIdentity&, std::string_view, RejectStage,
                                    std::span<const RejectedRow>) {
  return arrow::Status::NotImplemented("this journal keeps no rejected rows");
}

arrow::Status Journal::ForgetRejected(const StreamIdentity&,
                                      std::span<const std::string>) {
  return arrow::Status::OK();
}

arrow::Result<RejectCounts> Journal::Rejected(const StreamIdentity&) {
  return RejectCounts{};
}

arrow::Result<std::vector<StoredRow>> Journal::StoredRows(const StreamIdentity&,
                                                          std::span<const std::string>,
                                                          int64_t, int) {
  return std::vector<StoredRow>{};
}

arrow::Status Journal::HoldReplay(std::string_view, std::span<const std::string>) {
  return arrow::Status::OK();
}

arrow::Status Journal::RefuseReplay(std::string_view, const RejectedRow&) {
  return arrow::Status::OK();
}

arrow::Result<WatermarkDecision> DecideWatermark(const WatermarkInputs& inputs) {
  return Decider(inputs).Run();
}

}  // namespace dxt
