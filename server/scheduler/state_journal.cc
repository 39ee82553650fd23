#include "server/scheduler/state_journal.h"

#include "base/clock.h"
#include "base/secret.h"

namespace dxt {
namespace {

ChainKey KeyOf(const StreamIdentity& identity) {
  return {identity.pipeline, identity.stream, identity.lane};
}

Checkpoint ToCheckpoint(const StreamIdentity& identity, const LoadRecord& record) {
  Checkpoint checkpoint;
  checkpoint.window_seq = record.window_seq;
  checkpoint.load_id = record.load_id;
  checkpoint.run = record.run;
  checkpoint.cursor_before = record.cursor_before;
  checkpoint.cursor_after = record.cursor_after;
  checkpoint.read_from = record.read_from;
  checkpoint.leaves_gap = record.leaves_gap;
  checkpoint.rows = record.rows;
  checkpoint.rows_deleted = record.rows_deleted;
  checkpoint.mode = record.mode;
  checkpoint.schema_hash = record.schema_hash;
  checkpoint.package_hash = record.package_hash;
  checkpoint.fingerprint =
      record.fingerprint.empty() ? identity.fingerprint : record.fingerprint;
  checkpoint.target = record.target.empty() ? identity.target : record.target;
  checkpoint.target_ident = record.target_ident;
  checkpoint.committed_at = record.committed_at;
  checkpoint.cursor_type = record.cursor_type;
  return checkpoint;
}

std::optional<LoadRecord> ToRecord(const std::optional<Checkpoint>& checkpoint) {
  if (!checkpoint) return std::nullopt;
  LoadRecord record;
  record.window_seq = checkpoint->window_seq;
  record.load_id = checkpoint->load_id;
  record.run = checkpoint->run;
  record.cursor_before = checkpoint->cursor_before;
  record.cursor_after = checkpoint->cursor_after;
  record.read_from = checkpoint->read_from;
  record.rows = checkpoint->rows;
  record.rows_deleted = checkpoint->rows_deleted;
  record.mode = checkpoint->mode;
  record.schema_hash = checkpoint->schema_hash;
  record.package_hash = checkpoint->package_hash;
  record.fingerprint = checkpoint->fingerprint;
  record.target = checkpoint->target;
  record.target_ident = checkpoint->target_ident;
  record.committed_at = checkpoint->committed_at;
  record.cursor_type = checkpoint->cursor_type;
  return record;
}

}  // namespace

arrow::Result<std::optional<LoadRecord>> StateJournal::LoadCheckpoint(
    const StreamIdentity& identity) {
  ARROW_ASSIGN_OR_RAISE(auto checkpoint, store_.cursors().Load(KeyOf(identity)));
  return ToRecord(checkpoint);
}

arrow::Result<std::optional<CursorDirective>> StateJournal::Directive(
    const StreamIdentity& identity) {
  ARROW_ASSIGN_OR_RAISE(const std::optional<dxt::Directive> stored,
                        store_.cursors().GetDirective(KeyOf(identity)));
  if (!stored) return std::nullopt;
  CursorDirective directive;
  directive.value = stored->value;
  switch (stored->kind) {
    case dxt::Directive::Kind::kReset:
      directive.kind = CursorDirective::Kind::kReset;
      break;
    case dxt::Directive::Kind::kAccept:
      directive.kind = CursorDirective::Kind::kAccept;
      break;
    case dxt::Directive::Kind::kSet:
      directive.kind = CursorDirective::Kind::kSet;
      break;
  }
  return directive;
}

arrow::Status StateJournal::SaveCheckpoint(const StreamIdentity& identity,
                                           const LoadRecord& record) {
  return store_.cursors().Save(lease_, KeyOf(identity), ToCheckpoint(identity, record),
                               FormatTime(clock_.Now()));
}

arrow::Status StateJournal::RecordIntent(const StreamIdentity& identity,
                                         const LoadRecord& record) {
  return store_.intents().Record(lease_, KeyOf(identity), ToCheckpoint(identity, record));
}

arrow::Result<std::optional<LoadRecord>> StateJournal::PendingIntent(
    const StreamIdentity& identity) {
  ARROW_ASSIGN_OR_RAISE(auto intent, store_.intents().Pending(KeyOf(identity)));
  return ToRecord(intent);
}

arrow::Status StateJournal::ClearIntent(const StreamIdentity& identity,
                                        std::string_view load_id) {
  return store_.intents().Clear(lease_, KeyOf(identity), load_id);
}

arrow::Status StateJournal::RecordPackage(const StreamIdentity& identity,
                                          std::string_view load_id,
                                          std::string_view path) {
  PackageRecord package;
  package.key = KeyOf(identity);
  package.load_id = load_id;
  package.path = path;
  package.created_at = FormatTime(clock_.Now());
  return store_.packages().Record(lease_, package);
}

NewDeadLetter StateJournal::ToLetter(const RejectedRow& row) const {
  return {row.code, row.field, redactor_ ? redactor_->Redact(row.message) : row.message,
          row.key,  row.row,   row.schema};
}

arrow::Status StateJournal::HoldRejected(const StreamIdentity& identity,
                                         std::string_view load_id, RejectStage stage,
                                         std::span<const RejectedRow> rows) {
  std::vector<NewDeadLetter> letters;
  letters.reserve(rows.size());
  for (const auto& row : rows) letters.push_back(ToLetter(row));
  return store_.dead_letters().Hold(
      lease_, KeyOf(identity), load_id,
      stage == RejectStage::kExtract ? RejectedAt::kExtract : RejectedAt::kLoad, letters,
      FormatTime(clock_.Now()));
}

arrow::Status StateJournal::ForgetRejected(const StreamIdentity& identity,
                                           std::span<const std::string> but_loads) {
  return store_.dead_letters().Forget(lease_, KeyOf(identity), but_loads);
}

arrow::Result<RejectCounts> StateJournal::Rejected(const StreamIdentity& identity) {
  ARROW_ASSIGN_OR_RAISE(const auto counts,
                        store_.dead_letters().Counts(KeyOf(identity), lease_.run_id));
  return RejectCounts{counts.rows, counts.letters};
}

arrow::Result<std::vector<StoredRow>> StateJournal::StoredRows(
    const StreamIdentity& identity, std::span<const std::string> ids, int64_t after,
    int limit) {
  DeadLetterQuery query;
  query.pipeline = identity.pipeline;
  query.stream = identity.stream;
  query.state = "STORED";
  query.ids = {ids.begin(), ids.end()};
  query.after = after;
  query.limit = limit;
  ARROW_ASSIGN_OR_RAISE(auto letters, store_.dead_letters().List(query));
  std::vector<StoredRow> rows;
  rows.reserve(letters.size());
  for (auto& letter : letters) {
    rows.push_back({letter.seq, std::move(letter.id), std::move(letter.row_json),
                    std::move(letter.row_schema)});
  }
  return rows;
}

arrow::Status StateJournal::HoldReplay(std::string_view load_id,
                                       std::span<const std::string> ids) {
  return store_.dead_letters().HoldReplay(lease_, load_id, ids);
}

arrow::Status StateJournal::RefuseReplay(std::string_view id, const RejectedRow& why) {
  return store_.dead_letters().Refuse(lease_, id, ToLetter(why),
                                      FormatTime(clock_.Now()));
}

}  // namespace dxt
