#include "engine/run/loader.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <arrow/api.h>

#include "base/digest.h"
#include "base/error.h"
#include "engine/run/batch_queue.h"
#include "engine/run/extractor.h"
#include "engine/run/meter.h"
#include "engine/run/observer.h"

namespace dxt {
namespace {

/// "rows 3, 7 of the load": up to ten without a value. `before`: rows of the load before
/// the array.
std::string NullRows(const arrow::Array& array, int64_t before) {
  constexpr int64_t kMost = 10;
  std::string rows;
  int64_t named = 0;
  for (int64_t row = 0; row < array.length() && named < kMost; ++row) {
    if (array.IsValid(row)) continue;
    rows += (named++ > 0 ? ", " : "") + std::to_string(before + row + 1);
  }
  const bool more = array.null_count() > named;
  return (named > 1 ? "rows " : "row ") + rows + (more ? " and more" : "") +
         " of the load";
}

}  // namespace

arrow::Result<std::optional<LoadRecord>> TakeOver(PreparedStream& stream,
                                                  const RunContext& context,
                                                  StreamMeter& meter,
                                                  Ownership* ownership,
                                                  std::stop_token stop) {
  Owner owner;
  owner.run = context.run_id;
  owner.text = context.owner;
  if (stream.backfill) {
    owner.admits = [&stream](const std::vector<std::string>& lanes) {
      return CheckNewLanes(*stream.backfill, stream.identity, lanes);
    };
  }
  const StreamIdentity identities[] = {stream.identity};
  ARROW_ASSIGN_OR_RAISE(auto owned, stream.destination->Acquire(identities, owner, stop));
  *ownership = owned.front();
  Journal& journal = *context.journal;
  if (!stream.target_can.Has(Capability::kLedger)) {
    ARROW_ASSIGN_OR_RAISE(ownership->last, journal.LoadCheckpoint(stream.identity));
  }
  ARROW_ASSIGN_OR_RAISE(auto pending, journal.PendingIntent(stream.identity));
  if (!pending) return std::nullopt;
  ARROW_ASSIGN_OR_RAISE(
      const bool committed,
      stream.destination->Resolve(stream.identity, pending->load_id, stop));
  if (committed) {
    ARROW_RETURN_NOT_OK(journal.SaveCheckpoint(stream.identity, *pending));
  }
  ARROW_RETURN_NOT_OK(journal.ClearIntent(stream.identity, pending->load_id));
  if (!committed) return std::nullopt;
  // The intent was noted before the target counted.
  const auto& newest = ownership->last;
  if (newest && newest->load_id == pending->load_id) {
    pending->rows = newest->rows;
    pending->rows_deleted = newest->rows_deleted;
  }
  meter.Event(Severity::kInfo, "load_settled",
              "An interrupted run had committed this load: " + pending->load_id);
  return pending;
}

arrow::Result<std::unique_ptr<Loader>> Loader::Make(
    PreparedStream& stream, const RunContext& context, StreamMeter& meter,
    std::shared_ptr<arrow::Schema> incoming) {
  std::unique_ptr<Loader> loader(new Loader(stream, context, meter));
  ARROW_RETURN_NOT_OK(loader->Prepare(std::move(incoming)));
  return loader;
}

Loader::~Loader() {
  for (auto& hand : hands_) {
    if (hand.writer) hand.writer->Abort();
  }
}

arrow::Status Loader::Prepare(std::shared_ptr<arrow::Schema> incoming) {
  incoming_ = std::move(incoming);
  arrow::FieldVector fields;
  for (size_t i = 0; i < stream_.columns.columns.size(); ++i) {
    const PlannedColumn& column = stream_.columns.columns[i];
    const TablePlan::Column& target = stream_.table_plan.columns[i];
    conversions_.emplace_back();
    checks_.emplace_back();
    menders_.emplace_back();
    if (stream_.raw[i]) {
      fields.push_back(arrow::field(target.name, arrow::binary(), target.nullable));
      continue;
    }
    Field field = column.wanted.field;
    field.name = column.id;
    ConversionOptions options;
    options.timezone = column.timezone;
    ARROW_ASSIGN_OR_RAISE(conversions_.back(),
                          Conversion::Make(field, target.domain.deliver, options));
    checks_.back() = ValueCheck(field, target.domain);
    menders_.back() = stream_.Mender(column.id, field, target.domain);
    Field delivered;
    delivered.name = target.name;
    delivered.type = target.domain.deliver;
    delivered.nullable = target.nullable;
    fields.push_back(ArrowField(delivered));
  }
  outgoing_ = arrow::schema(std::move(fields));
  ARROW_ASSIGN_OR_RAISE(hands_.emplace_back(), MakeHand());
  return arrow::Status::OK();
}

arrow::Result<Loader::Hand> Loader::MakeHand() const {
  Hand hand;
  if (!stream_.rejects) return hand;
  StreamSchema arriving;
  for (const auto& column : stream_.columns.columns) {
    Field field = column.wanted.field;
    field.name = column.id;
    arriving.fields.push_back(std::move(field));
  }
  arriving.primary_key = stream_.columns.key_ids;
  ARROW_ASSIGN_OR_RAISE(hand.rejecter, RowRejecter::Make(stream_.rejects, arriving,
                                                         stream_.columns.key_ids));
  return hand;
}

arrow::Result<std::optional<LoadRecord>> Loader::Own(std::stop_token stop) {
  return TakeOver(stream_, context_, meter_, &ownership_, stop);
}

arrow::Status Loader::Begin(LoadRecord record, std::stop_token stop, int most) {
  const auto newest = [](const std::optional<LoadRecord>& load) {
    return load ? load->window_seq : 0;
  };
  if (newest(ownership_.last) != newest(stream_.last)) {
    return MakeError(ErrorClass::kTransient, "load.moved",
                     "Another run loaded stream '" + stream_.identity.stream +
                         "' while this one was starting");
  }
  ARROW_RETURN_NOT_OK(stream_.destination->Sweep(stream_.identity, stop));
  record_ = std::move(record);
  record_.window_seq = newest(ownership_.last) + 1;
  record_.cursor_before = ownership_.last ? ownership_.last->cursor_after : "";
  record_.run = context_.run_id;
  record_.mode = stream_.LedgerMode();
  record_.fingerprint = stream_.identity.fingerprint;
  record_.target =
      stream_.target.reference.empty() ? stream_.config.target : stream_.target.reference;
  record_.cursor_type = stream_.CursorType();
  record_.schema_hash = Sha256Hex(outgoing_->ToString(true)).substr(0, 32);
  write_.identity = stream_.identity;
  write_.table = stream_.table;
  write_.target = stream_.target;
  write_.plan = stream_.table_plan;
  write_.schema = outgoing_;
  write_.raw = stream_.raw;
  write_.load_id = record_.load_id;
  write_.epoch = ownership_.epoch;
  write_.window_seq = record_.window_seq;
  write_.duplicate_keys_fail = stream_.config.load.duplicate_keys_fail;
  write_.null_keys_match = stream_.config.load.null_keys_match;
  write_.forget_keys = !stream_.KeysAreTracked();
  write_.keep_newer = stream_.KeepsNewer();
  write_.batch_rows = stream_.config.load.batch_size;
  ARROW_ASSIGN_OR_RAISE(write_.dedup_column, stream_.DedupColumn());
  write_.writers =
      most > 1 ? std::min(most, stream_.destination->MostWriters(write_)) : 1;
  while (writers() < write_.writers) {
    ARROW_ASSIGN_OR_RAISE(hands_.emplace_back(), MakeHand());
  }
  return OpenWriters(stop);
}

arrow::Status Loader::OpenWriters(std::stop_token stop) {
  for (auto hand = hands_.begin(); hand != hands_.end(); ++hand) {
    auto writer = stream_.destination->OpenWriter(write_, stop);
    const bool busy = GetErrorInfo(writer.status()).error_class == ErrorClass::kThrottled;
    if (busy && hand != hands_.begin()) {
      meter_.Event(Severity::kInfo, "writer_left",
                   "Fewer writers: " + writer.status().message());
      hands_.erase(hand, hands_.end());
      return arrow::Status::OK();
    }
    ARROW_ASSIGN_OR_RAISE(hand->writer, std::move(writer));
  }
  return arrow::Status::OK();
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> Loader::Deliverable(
    Hand& hand, const arrow::RecordBatch& batch) const {
  auto converted = Convert(hand, batch);
  if (converted.ok() || !hand.rejecter) return converted;
  const auto step = [&](int column, int64_t from, int64_t* bad_row) {
    ValueChanges sought;  // Counted once the rows that stay are converted.
    return ConvertColumn(hand, batch, static_cast<size_t>(column), from, bad_row,
                         &sought);
  };
  ARROW_ASSIGN_OR_RAISE(
      const auto kept,
      hand.rejecter->LeaveOut(batch.Slice(0), batch.columns(), step, &hand.rejected));
  return Convert(hand, *kept);
}

arrow::Status Loader::Append(int writer, const arrow::RecordBatch& batch,
                             std::optional<int64_t> ordinal, std::stop_token stop) {
  if (batch.num_rows() == 0) return arrow::Status::OK();
  Hand& hand = hands_[writer];
  // Rows that were read just now are counted by their extractor.
  if (hand.rejecter && !stream_.source) stream_.rejects->Saw(batch.num_rows());
  ARROW_ASSIGN_OR_RAISE(const auto converted, Deliverable(hand, batch));
  if (converted->num_rows() == 0) return arrow::Status::OK();
  if (hand.rejecter && converted->num_rows() == batch.num_rows()) {
    hand.rejecter->Pass(batch.num_rows());
  }
  if (ordinal) hand.writer->Place(*ordinal);
  ARROW_RETURN_NOT_OK(hand.writer->Append(*converted, stop));
  hand.rows += converted->num_rows();
  meter_.CountWritten(converted->num_rows(), BatchBytes(*converted));
  return arrow::Status::OK();
}

std::vector<RejectedRow> Loader::TakeRejected() {
  std::vector<RejectedRow> all;
  for (auto& hand : hands_) {
    std::move(hand.rejected.begin(), hand.rejected.end(), std::back_inserter(all));
    hand.rejected.clear();
  }
  return all;
}

ValueChanges Loader::TakeChanged() {
  ValueChanges all;
  for (auto& hand : hands_) {
    all.Add(hand.changed);
    hand.changed.clear();
  }
  return all;
}

void Loader::Reject(std::vector<RejectedRow> rows, int writer) {
  std::move(rows.begin(), rows.end(), std::back_inserter(hands_[writer].rejected));
}

arrow::Status Loader::AppendFiles(const std::vector<std::string>& paths,
                                  std::stop_token stop) {
  return hands_.front().writer->AppendFiles(paths, stop);
}

bool Loader::CanReadFiles() const {
  // A reader of files leaves no row out, and mends none.
  if (!stream_.target_can.Has(Capability::kReadsParquet) || stream_.rejects ||
      stream_.config.load.values.any()) {
    return false;
  }
  for (size_t i = 0; i < conversions_.size(); ++i) {
    const bool named =
        stream_.columns.columns[i].id == stream_.table_plan.columns[i].name;
    if (!named || !conversions_[i] || !conversions_[i]->identity() ||
        !checks_[i].trusts_files() || !stream_.table_plan.columns[i].nullable) {
      return false;
    }
  }
  return true;
}

bool Loader::NeedsValue(size_t column) const {
  if (!stream_.table_plan.columns[column].nullable) return true;
  // A target that may hold NULL in a key refuses whole batches; here it is one row.
  const auto& keys = stream_.table.keys;
  const std::string& name = stream_.table_plan.columns[column].name;
  return stream_.rejects && IsKeyed(stream_.mode) &&
         !stream_.config.load.null_keys_match &&
         std::find(keys.begin(), keys.end(), name) != keys.end();
}

arrow::Status Loader::MissingValue(const Hand& hand, size_t column,
                                   const arrow::Array& array) const {
  // With a rejecter it is one row, which goes with the message.
  const std::string where = hand.rejecter ? "" : " in " + NullRows(array, hand.rows);
  const std::string& id = stream_.columns.columns[column].id;
  const std::string& name = stream_.table_plan.columns[column].name;
  const auto& keys = stream_.table.keys;
  if (IsKeyed(stream_.mode) && std::find(keys.begin(), keys.end(), name) != keys.end()) {
    return MakeError(
        ErrorClass::kData, "load.null_key",
        "The key '" + id + "' is NULL" + where + ", so its row has no key",
        "Exclude such rows with `filters`, or let NULL keys match each other "
        "with load.null_key: match");
  }
  return MakeError(ErrorClass::kData, "value.null",
                   "Column '" + id + "' is NULL" + where + ", but the target column '" +
                       name + "' is NOT NULL",
                   "Exclude such rows with `filters`, or make the column nullable");
}

arrow::Result<std::shared_ptr<arrow::Array>> Loader::ConvertColumn(
    const Hand& hand, const arrow::RecordBatch& batch, size_t column, int64_t from,
    int64_t* bad_row, ValueChanges* changed) const {
  auto array = batch.column(static_cast<int>(column));
  if (from > 0) array = array->Slice(from);
  if (conversions_[column]) {
    const auto fit = [&](const std::shared_ptr<arrow::Array>& values,
                         int64_t* row) -> arrow::Result<std::shared_ptr<arrow::Array>> {
      ARROW_ASSIGN_OR_RAISE(auto converted, conversions_[column]->Apply(values, row));
      ARROW_RETURN_NOT_OK(checks_[column].Check(*converted, row));
      return converted;
    };
    ARROW_ASSIGN_OR_RAISE(array, menders_[column].Apply(array, fit, bad_row, changed));
  }
  if (array->null_count() == 0 || !NeedsValue(column)) return array;
  *bad_row = 0;
  while (array->IsValid(*bad_row)) ++*bad_row;
  return MissingValue(hand, column, *array);
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> Loader::Convert(
    Hand& hand, const arrow::RecordBatch& batch) const {
  ValueChanges changed;
  std::vector<std::shared_ptr<arrow::Array>> arrays;
  arrays.reserve(conversions_.size());
  for (size_t i = 0; i < conversions_.size(); ++i) {
    int64_t bad_row = -1;
    auto converted = ConvertColumn(hand, batch, i, 0, &bad_row, &changed);
    if (!converted.ok()) {
      return BadValue(converted.status(), hand, batch, bad_row,
                      stream_.columns.columns[i]);
    }
    arrays.push_back(std::move(*converted));
  }
  hand.changed.Add(changed);
  return arrow::RecordBatch::Make(outgoing_, batch.num_rows(), std::move(arrays));
}

arrow::Status Loader::BadValue(const arrow::Status& status, const Hand& hand,
                               const arrow::RecordBatch& batch, int64_t row,
                               const PlannedColumn& column) const {
  ErrorInfo more;
  more.column = column.id;
  more.key = RowKey(batch, std::max<int64_t>(row, 0), stream_.columns.key_ids, hand.rows);
  return Annotate(status, more);
}

CommitGuards Loader::Guards() const {
  CommitGuards guards;
  if (stream_.accept_shrink) return guards;
  const bool partial =
      stream_.mode == LoadMode::kReplace && stream_.config.load.partial_replace;
  if (stream_.Whole() && !partial) {
    guards.max_shrink = stream_.config.load.max_shrink;
    guards.allow_empty = stream_.config.load.allow_empty.value_or(false);
    // Whoever allows an empty result has answered the question about a smaller one.
    if (guards.allow_empty) guards.max_shrink = 1.0;
  }
  return guards;
}

arrow::Result<CommitResult> Loader::Commit(std::string cursor_after,
                                           std::stop_token stop) {
  meter_.SetPhase(StreamPhase::kCommitting);
  record_.cursor_after = std::move(cursor_after);
  std::vector<WriteReceipt> receipts;
  record_.rows = 0;
  for (auto& hand : hands_) {
    ARROW_ASSIGN_OR_RAISE(receipts.emplace_back(), hand.writer->Finish(stop));
    record_.rows += receipts.back().rows;
  }
  if (stream_.rejects) {
    ARROW_RETURN_NOT_OK(stream_.rejects->CheckShare());
    ARROW_RETURN_NOT_OK(context_.journal->HoldRejected(
        stream_.identity, record_.load_id, RejectStage::kLoad, TakeRejected()));
  }
  ARROW_RETURN_NOT_OK(context_.journal->RecordIntent(stream_.identity, record_));
  auto committed = stream_.destination->Commit(write_, record_, receipts, Guards(), stop);
  if (!committed.ok()) {
    if (!GetErrorInfo(committed.status()).outcome_unknown) {
      stream_.destination->Discard(receipts);
      ARROW_RETURN_NOT_OK(
          context_.journal->ClearIntent(stream_.identity, record_.load_id));
      return committed.status();
    }
    return Settle(committed.status());
  }
  for (auto& hand : hands_) hand.writer.reset();
  record_.rows_deleted = committed->rows_deleted;
  record_.target_ident = committed->target_ident;
  ARROW_RETURN_NOT_OK(context_.journal->SaveCheckpoint(stream_.identity, record_));
  ARROW_RETURN_NOT_OK(context_.journal->ClearIntent(stream_.identity, record_.load_id));
  ownership_.last = stream_.last = record_;
  return committed;
}

arrow::Result<CommitResult> Loader::Settle(const arrow::Status& failure) {
  // The fence is bumped through a new connection first, so that a commit which is still
  // on its way can no longer land; only then does the ledger's answer stand.
  meter_.Event(Severity::kWarning, "commit_unknown",
               "The answer to a commit was lost; looking it up in the target");
  for (auto& hand : hands_) hand.writer.reset();
  auto reopened = stream_.Reopen(context_);
  if (!reopened.ok()) return failure;
  auto settled = Own({});
  if (!settled.ok()) return failure;
  if (!*settled) {
    // Nothing was committed: an ordinary failure, which may be repeated.
    ErrorInfo info = GetErrorInfo(failure);
    info.outcome_unknown = false;
    return MakeError(std::move(info), failure.message());
  }
  CommitResult result;
  result.rows_written = (*settled)->rows;
  result.rows_deleted = (*settled)->rows_deleted;
  result.target_ident = (*settled)->target_ident;
  stream_.last = ownership_.last;
  return result;
}

}  // namespace dxt
