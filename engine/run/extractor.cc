#include "engine/run/extractor.h"

#include <algorithm>
#include <mutex>
#include <thread>
#include <utility>

#include <arrow/api.h>
#include <arrow/compute/api.h>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/error.h"
#include "connectors/sdk/cursor.h"
#include "engine/run/meter.h"
#include "engine/run/split_queue.h"

namespace dxt {
namespace {

arrow::Result<std::shared_ptr<arrow::Array>> LoadTime(const Field& field, Clock& clock) {
  const int64_t micros = std::chrono::duration_cast<std::chrono::microseconds>(
                             clock.Now().time_since_epoch())
                             .count();
  ARROW_ASSIGN_OR_RAISE(
      auto scalar,
      arrow::MakeScalar(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"), micros));
  ARROW_ASSIGN_OR_RAISE(auto array, arrow::MakeArrayFromScalar(*scalar, 1));
  Field from = field;
  from.type = FieldType{DType::kTimestampTz};
  ConversionOptions options;
  options.timezone = "UTC";
  ARROW_ASSIGN_OR_RAISE(auto conversion, Conversion::Make(from, field.type, options));
  return conversion->Apply(array);
}

/// The largest non-NULL cursor of a batch as text.
arrow::Result<std::optional<std::string>> Largest(
    const std::shared_ptr<arrow::Array>& array, const FieldType& type) {
  if (array->null_count() == array->length()) return std::nullopt;
  if (type.dtype != DType::kDecimal || type.precision != 0) {
    ARROW_ASSIGN_OR_RAISE(auto extremes, arrow::compute::MinMax(array));
    const auto& largest = *extremes.scalar_as<arrow::StructScalar>().value[1];
    ARROW_ASSIGN_OR_RAISE(auto single, arrow::MakeArrayFromScalar(largest, 1));
    ARROW_ASSIGN_OR_RAISE(auto text, CursorText(*single, 0, type));
    return text;
  }
  // Decimals without precision travel as text, whose order is not theirs.
  std::optional<std::string> best;
  for (int64_t row = 0; row < array->length(); ++row) {
    if (array->IsNull(row)) continue;
    ARROW_ASSIGN_OR_RAISE(auto text, CursorText(*array, row, type));
    if (!best || CompareCursors(text, *best, type) > 0) best = std::move(text);
  }
  return best;
}

arrow::Status WithKey(const arrow::Status& status, std::string key) {
  ErrorInfo more;
  more.key = std::move(key);
  return Annotate(status, more);
}

}  // namespace

std::string RowKey(const arrow::RecordBatch& batch, int64_t row,
                   const std::vector<std::string>& key_ids, int64_t rows_before) {
  nlohmann::ordered_json key;
  for (const auto& id : key_ids) {
    const auto column = batch.GetColumnByName(id);
    if (!column || row >= column->length()) continue;
    const auto scalar = column->GetScalar(row);
    if (!scalar.ok()) continue;
    if (!(*scalar)->is_valid) {
      key[id] = nullptr;
    } else if (arrow::is_integer(column->type_id()) &&
               column->type_id() != arrow::Type::UINT64) {
      key[id] = std::stoll((*scalar)->ToString());
    } else {
      key[id] = (*scalar)->ToString();
    }
  }
  if (key.empty()) key["row"] = rows_before + row + 1;
  return key.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

arrow::Result<std::unique_ptr<Extractor>> Extractor::Make(const PreparedStream& stream,
                                                          const RunContext& context,
                                                          StreamMeter& meter) {
  std::unique_ptr<Extractor> extractor(new Extractor(stream, context, meter));
  extractor->bytes_ = std::make_shared<std::atomic<int64_t>>(0);
  ARROW_RETURN_NOT_OK(extractor->Prepare());
  return extractor;
}

arrow::Result<std::unique_ptr<Extractor>> Extractor::Fork(int number) const {
  std::unique_ptr<Extractor> fork(new Extractor(stream_, context_, meter_));
  ARROW_RETURN_NOT_OK(fork->Prepare());
  // One load has one time.
  fork->constants_ = constants_;
  fork->bytes_ = bytes_;
  fork->readers_ = readers_;
  fork->place_.reader = number;
  return fork;
}

arrow::Status Extractor::Prepare() {
  read_ = stream_.read;
  if (!stream_.source_can.Has(Capability::kPushdown) ||
      (read_.cursor && read_.ref.kind == StreamKind::kQuery)) {
    for (const auto& name : RowFilter::RequiredColumns(read_)) {
      const bool read =
          std::any_of(read_.columns.begin(), read_.columns.end(),
                      [&](const ColumnRead& column) { return column.column == name; });
      if (read) continue;
      const Field* field = stream_.info.columns.Find(name);
      if (!field) continue;
      ColumnRead hidden;
      hidden.name = "_dxt_filter_" + name;
      hidden.column = name;
      hidden.type = field->type;
      hidden.native = field->native;
      read_.columns.push_back(std::move(hidden));
    }
    ARROW_ASSIGN_OR_RAISE(filter_, RowFilter::Make(read_));
    if (filter_->empty()) filter_.reset();
  }
  arrow::FieldVector arrow_fields;
  for (size_t i = 0; i < stream_.columns.columns.size(); ++i) {
    const PlannedColumn& column = stream_.columns.columns[i];
    Field field = column.field;
    field.name = column.id;
    fields_.fields.push_back(field);
    if (stream_.raw[i]) {
      arrow_fields.push_back(arrow::field(field.name, arrow::binary(), field.nullable));
    } else {
      arrow_fields.push_back(ArrowField(field));
    }
    conversions_.emplace_back();
    constants_.emplace_back();
    menders_.push_back(
        stream_.Mender(column.id, column.source, ValueDomain{.deliver = field.type}));
    if (column.read_index < 0) {
      ARROW_ASSIGN_OR_RAISE(constants_.back(), LoadTime(field, *context_.clock));
    } else if (!stream_.raw[i]) {
      ConversionOptions options;
      options.timezone = column.timezone;
      ARROW_ASSIGN_OR_RAISE(conversions_.back(),
                            Conversion::Make(column.source, field.type, options));
    }
  }
  if (stream_.windowed) {
    windows_.emplace(stream_.config.load, read_.cursor->type, *context_.clock);
  }
  fields_.primary_key = stream_.columns.key_ids;
  schema_ = arrow::schema(std::move(arrow_fields));
  return stream_.rejects ? PrepareRejecter() : arrow::Status::OK();
}

arrow::Status Extractor::PrepareRejecter() {
  StreamSchema arriving;
  for (size_t i = 0; i < stream_.columns.columns.size(); ++i) {
    const PlannedColumn& column = stream_.columns.columns[i];
    Field field = constants_[i] ? column.field : column.source;
    field.name = column.id;
    arriving.fields.push_back(std::move(field));
  }
  arriving.primary_key = stream_.columns.key_ids;
  ARROW_ASSIGN_OR_RAISE(
      rejecter_, RowRejecter::Make(stream_.rejects, arriving, stream_.columns.key_ids));
  return arrow::Status::OK();
}

void Extractor::SkipAtBoundary(std::unique_ptr<Boundary> boundary) {
  if (!boundary->empty()) boundary_ = std::move(boundary);
}

arrow::Status Extractor::Run(const Sink& sink, std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(auto plan,
                        stream_.source->PlanRead(read_, stream_.MostSplits(), stop));
  meter_.SetExpected(plan.estimated_rows);
  notes_ = std::move(plan.notes);
  readers_ = std::min(stream_.readers, static_cast<int>(plan.splits.size()));
  if (readers_ > 1) return RunTogether(std::move(plan.splits), sink, stop);
  for (const auto& split : plan.splits) {
    if (full_) break;
    ARROW_ASSIGN_OR_RAISE(auto reader,
                          stream_.source->OpenReader(read_, split, std::nullopt, stop));
    ARROW_RETURN_NOT_OK(ReadSplit(*reader, split.number, sink, stop));
  }
  return arrow::Status::OK();
}

arrow::Status Extractor::RunTogether(std::vector<Split> splits, const Sink& sink,
                                     std::stop_token stop) {
  std::vector<std::unique_ptr<Extractor>> forks;
  for (int i = 1; i < readers_; ++i) {
    ARROW_ASSIGN_OR_RAISE(forks.emplace_back(), Fork(i));
  }
  SplitQueue queue(std::move(splits), readers_);
  std::stop_source quit;
  const std::stop_callback forward(stop, [&] { quit.request_stop(); });
  std::mutex mutex;
  arrow::Status failure;
  const auto read = [&](Extractor& one) {
    const auto status = one.ReadFrom(queue, sink, quit.get_token());
    if (status.ok()) return;
    const std::lock_guard lock(mutex);
    if (failure.ok()) failure = status;
    quit.request_stop();
  };
  {
    std::vector<std::jthread> others;
    for (auto& fork : forks) others.emplace_back([&] { read(*fork); });
    read(*this);
  }
  ARROW_RETURN_NOT_OK(failure);
  for (const auto& fork : forks) {
    if (!held_back_) held_back_ = fork->held_back_;
    const auto& last = fork->last_cursor_;
    if (!last) continue;
    if (!last_cursor_ || CompareCursors(*last, *last_cursor_, read_.cursor->type) > 0) {
      last_cursor_ = last;
    }
  }
  return arrow::Status::OK();
}

arrow::Status Extractor::ReadFrom(SplitQueue& splits, const Sink& sink,
                                  std::stop_token stop) {
  while (auto split = splits.Take(place_.reader)) {
    auto reader = Open(splits, *split, stop);
    if (!reader.ok()) {
      if (!splits.HandBack(place_.reader, std::move(*split))) return reader.status();
      if (!stop.stop_requested()) {
        meter_.Event(Severity::kInfo, "reader_left",
                     "One reader fewer: " + reader.status().message());
      }
      return arrow::Status::OK();
    }
    splits.Opened(place_.reader);
    ARROW_RETURN_NOT_OK(ReadSplit(**reader, split->number, sink, stop));
  }
  return arrow::Status::OK();
}

arrow::Result<std::unique_ptr<Reader>> Extractor::Open(SplitQueue& splits,
                                                       const Split& split,
                                                       std::stop_token stop) {
  std::stop_source either;
  const auto quit = [&either] { either.request_stop(); };
  const std::stop_callback stopped(stop, quit);
  const std::stop_callback given_up(splits.Opening(place_.reader), quit);
  return stream_.source->OpenReader(read_, split, std::nullopt, either.get_token());
}

arrow::Status Extractor::ReadSplit(Reader& reader, int32_t number, const Sink& sink,
                                   std::stop_token stop) {
  place_.split = number;
  place_.row = 0;
  if (auto held = reader.held_back(); held && !held_back_) {
    if (place_.reader == 0) {
      meter_.Event(Severity::kInfo, "watermark_held",
                   "Rows from " + held->from + " on are left to a later run: a " +
                       "transaction that is open" +
                       (held->since.empty() ? "" : " since " + held->since) +
                       " may commit rows below them");
    }
    held_back_ = std::move(held);
  }
  int64_t counted = 0;
  const auto count = [&](int64_t rows) {
    const int64_t more = reader.bytes_read() - counted;
    counted += more;
    meter_.CountRead(rows, bytes_->fetch_add(more) + more);
  };
  while (!full_) {
    if (stop.stop_requested()) {
      return MakeError(ErrorClass::kCancelled, "cancelled", "The run was cancelled");
    }
    ARROW_ASSIGN_OR_RAISE(auto step, reader.Next(stop));
    if (!step.bad.empty()) {
      count(static_cast<int64_t>(step.bad.size()));
      ARROW_RETURN_NOT_OK(LeaveOutRecords(step.bad));
    }
    if (step.batch && step.batch->num_rows() > 0) {
      const int64_t rows = step.batch->num_rows();
      count(rows);
      ARROW_RETURN_NOT_OK(Take(std::move(step.batch), sink));
      place_.row += rows;
    }
    if (step.end) break;
  }
  count(0);
  return HandOutRejected(sink);
}

arrow::Status Extractor::LeaveOutRecords(const std::vector<BadRecord>& records) {
  for (const auto& record : records) {
    // Who cannot leave rows out is told of none.
    stream_.rejects->Saw(1);
    ARROW_ASSIGN_OR_RAISE(auto rejected, RejectRecord(record, *stream_.rejects));
    left_out_.push_back(std::move(rejected));
  }
  return arrow::Status::OK();
}

arrow::Status Extractor::HandOutRejected(const Sink& sink) {
  if (left_out_.empty()) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(auto none, arrow::RecordBatch::MakeEmpty(schema_));
  QueuedBatch last{std::move(none), std::exchange(window_end_, std::nullopt)};
  last.rejected = std::exchange(left_out_, {});
  last.place = place_;
  return sink(std::move(last));
}

arrow::Status Extractor::Take(std::shared_ptr<arrow::RecordBatch> batch,
                              const Sink& sink) {
  rows_seen_ += batch->num_rows();
  if (filter_) {
    ARROW_ASSIGN_OR_RAISE(batch, filter_->Apply(batch));
    if (batch->num_rows() == 0) return arrow::Status::OK();
  }
  if (read_.cursor && stream_.config.extract.null_cursor == NullCursor::kFail &&
      batch->column(stream_.columns.cursor_read)->null_count() > 0) {
    return MakeError(ErrorClass::kData, "cursor.null",
                     "The watermark field '" + stream_.config.extract.watermark_field +
                         "' is NULL in some rows, and extract.null_cursor is fail",
                     "Choose null_cursor: first, always or exclude");
  }
  ARROW_ASSIGN_OR_RAISE(const int64_t wanted, RowsWithinLimit(*batch));
  if (wanted == 0) return arrow::Status::OK();
  if (wanted < batch->num_rows()) batch = batch->Slice(0, wanted);
  return windows_ ? TakeWindows(batch, sink) : HandOut(std::move(batch), sink);
}

arrow::Status Extractor::TakeWindows(const std::shared_ptr<arrow::RecordBatch>& batch,
                                     const Sink& sink) {
  const auto& cursor = *batch->column(stream_.columns.cursor_read);
  for (int64_t at = 0; at < batch->num_rows();) {
    ARROW_ASSIGN_OR_RAISE(const auto part,
                          windows_->Next(cursor, at, meter_.bytes_read()));
    if (part.end > at) {
      ARROW_RETURN_NOT_OK(HandOut(batch->Slice(at, part.end - at), sink));
    }
    at = part.end;
    if (part.closed && window_filled_) {
      window_end_ = windows_->end();
      window_filled_ = false;
    }
  }
  return arrow::Status::OK();
}

arrow::Status Extractor::HandOut(std::shared_ptr<arrow::RecordBatch> batch,
                                 const Sink& sink) {
  const int64_t rows_before = rows_seen_ - batch->num_rows();
  ARROW_RETURN_NOT_OK(FollowCursor(*batch));
  std::vector<RejectedRow> rejected = std::exchange(left_out_, {});
  if (rejecter_) stream_.rejects->Saw(batch->num_rows());
  ValueChanges changed;
  auto converted = Convert(*batch, &changed);
  if (!converted.ok() && rejecter_) {
    ARROW_ASSIGN_OR_RAISE(batch, LeaveOut(batch, &rejected));
    converted = Convert(*batch, &changed);
  }
  const auto cursors = boundary_ ? batch->column(stream_.columns.cursor_read) : nullptr;
  if (!converted.ok()) {
    ErrorInfo info = GetErrorInfo(converted.status());
    if (info.key.empty())
      return WithKey(converted.status(),
                     "{\"row\":" + std::to_string(rows_before + 1) + "}");
    return converted.status();
  }
  batch = *converted;
  if (cursors) {
    ARROW_ASSIGN_OR_RAISE(batch, DropBoundary(std::move(batch), cursors));
    if (batch->num_rows() == 0 && rejected.empty()) return arrow::Status::OK();
  }
  window_filled_ = true;
  return sink({std::move(batch), std::exchange(window_end_, std::nullopt),
               std::move(rejected), std::move(changed), place_});
}

arrow::Result<int64_t> Extractor::RowsWithinLimit(const arrow::RecordBatch& batch) {
  const std::optional<int64_t>& limit = stream_.limit;
  const int64_t rows = batch.num_rows();
  if (!limit) return rows;
  if (rows_taken_ + rows < *limit) {
    rows_taken_ += rows;
    return rows;
  }
  int64_t row = std::max<int64_t>(0, *limit - rows_taken_);
  if (!read_.cursor) {
    full_ = true;
    rows_taken_ += row;
    return row;
  }
  const auto& cursor = *batch.column(stream_.columns.cursor_read);
  if (!limit_cursor_ && row > 0) {
    if (cursor.IsNull(row - 1)) {
      limit_cursor_ = "";
    } else {
      ARROW_ASSIGN_OR_RAISE(limit_cursor_,
                            CursorText(cursor, row - 1, read_.cursor->type));
    }
  }
  for (; row < rows; ++row) {
    std::string text;
    if (cursor.IsValid(row)) {
      ARROW_ASSIGN_OR_RAISE(text, CursorText(cursor, row, read_.cursor->type));
    }
    if (text != limit_cursor_.value_or("")) {
      full_ = true;
      break;
    }
  }
  rows_taken_ += row;
  return row;
}

arrow::Status Extractor::FollowCursor(const arrow::RecordBatch& batch) {
  if (!read_.cursor) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(
      auto text, Largest(batch.column(stream_.columns.cursor_read), read_.cursor->type));
  if (!text) return arrow::Status::OK();
  if (!last_cursor_ || CompareCursors(*text, *last_cursor_, read_.cursor->type) > 0) {
    last_cursor_ = std::move(text);
  }
  return arrow::Status::OK();
}

arrow::Result<std::shared_ptr<arrow::Array>> Extractor::ConvertColumn(
    const arrow::RecordBatch& batch, int column, int64_t from, int64_t* bad_row,
    ValueChanges* changed) const {
  if (constants_[column]) {
    ARROW_ASSIGN_OR_RAISE(auto scalar, constants_[column]->GetScalar(0));
    return arrow::MakeArrayFromScalar(*scalar, batch.num_rows() - from);
  }
  auto array = batch.column(stream_.columns.columns[column].read_index);
  if (from > 0) array = array->Slice(from);
  if (!conversions_[column]) return array;
  const auto convert = [&](const std::shared_ptr<arrow::Array>& values, int64_t* row) {
    return conversions_[column]->Apply(values, row);
  };
  return menders_[column].Apply(array, convert, bad_row, changed);
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> Extractor::LeaveOut(
    const std::shared_ptr<arrow::RecordBatch>& batch,
    std::vector<RejectedRow>* rejected) {
  arrow::ArrayVector columns;
  for (size_t i = 0; i < conversions_.size(); ++i) {
    const int read = stream_.columns.columns[i].read_index;
    columns.push_back(constants_[i] ? nullptr : batch->column(read));
    if (columns.back()) continue;
    ARROW_ASSIGN_OR_RAISE(
        columns.back(), ConvertColumn(*batch, static_cast<int>(i), 0, nullptr, nullptr));
  }
  return rejecter_->LeaveOut(
      batch, columns,
      [&](int column, int64_t from, int64_t* bad_row) {
        ValueChanges sought;  // Counted once the rows that stay are converted.
        return ConvertColumn(*batch, column, from, bad_row, &sought);
      },
      rejected);
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> Extractor::Convert(
    const arrow::RecordBatch& batch, ValueChanges* changed) {
  changed->clear();
  std::vector<std::shared_ptr<arrow::Array>> arrays;
  arrays.reserve(conversions_.size());
  for (size_t i = 0; i < conversions_.size(); ++i) {
    int64_t bad_row = -1;
    auto converted = ConvertColumn(batch, static_cast<int>(i), 0, &bad_row, changed);
    if (!converted.ok()) {
      return WithKey(converted.status(),
                     RowKey(batch, std::max<int64_t>(bad_row, 0), stream_.columns.key_ids,
                            rows_seen_ - batch.num_rows()));
    }
    arrays.push_back(*converted);
  }
  return arrow::RecordBatch::Make(schema_, batch.num_rows(), std::move(arrays));
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> Extractor::DropBoundary(
    std::shared_ptr<arrow::RecordBatch> batch,
    const std::shared_ptr<arrow::Array>& cursors) {
  ARROW_ASSIGN_OR_RAISE(const auto known, boundary_->Known(cursors, *batch));
  const int64_t dropped = std::count(known.begin(), known.end(), 1);
  if (dropped == 0) return batch;
  rows_skipped_ += dropped;
  arrow::BooleanBuilder keep;
  ARROW_RETURN_NOT_OK(keep.Reserve(batch->num_rows()));
  for (const uint8_t is_known : known) keep.UnsafeAppend(is_known == 0);
  ARROW_ASSIGN_OR_RAISE(auto mask, keep.Finish());
  ARROW_ASSIGN_OR_RAISE(auto kept, arrow::compute::Filter(batch, mask));
  return kept.record_batch();
}

}  // namespace dxt
