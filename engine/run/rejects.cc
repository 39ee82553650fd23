#include "engine/run/rejects.h"

#include <algorithm>
#include <map>
#include <utility>

#include <arrow/api.h>
#include <arrow/compute/api.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "engine/run/extractor.h"
#include "engine/stage/row_json.h"

namespace dxt {
namespace {

/// A larger row is nothing to look at, and would have to pass through every listing.
constexpr size_t kMostRowBytes = 256 << 10;

/// Dead letters of one stream in one run, whatever max_rejected allows.
constexpr int64_t kMostBytes = 128 << 20;

struct BadRow {
  int column;
  arrow::Status why;
};

/// The rows that a step refuses, each for its first column that it cannot take.
arrow::Result<std::map<int64_t, BadRow>> FindBadRows(int columns, int64_t rows,
                                                     const RowRejecter::ColumnStep& step,
                                                     RejectTally& tally) {
  std::map<int64_t, BadRow> bad_rows;
  for (int column = 0; column < columns; ++column) {
    for (int64_t at = 0; at < rows;) {
      int64_t bad_row = -1;
      const auto made = step(column, at, &bad_row);
      if (made.ok()) break;
      const arrow::Status& why = made.status();
      if (bad_row < 0 || !tally.Takes(GetErrorInfo(why))) return why;
      const bool found = bad_rows.emplace(at + bad_row, BadRow{column, why}).second;
      if (found) ARROW_RETURN_NOT_OK(tally.Count(why));
      at += bad_row + 1;
    }
  }
  return bad_rows;
}

arrow::Status CheckSize(const RejectedRow& rejected, const arrow::Status& why) {
  if (rejected.row.size() <= kMostRowBytes) return arrow::Status::OK();
  ErrorInfo more;
  more.hint = "The row is too large for a dead letter (" +
              std::to_string(rejected.row.size()) +
              " bytes): correct it at the source, or use load.on_error: skip";
  return Annotate(why, more);
}

/// Its names are no field ids of a stream.
StreamSchema RecordText() {
  StreamSchema schema;
  schema.fields = {{"$file", {DType::kString}, false, {}},
                   {"$line", {DType::kInt64}, false, {}},
                   {"$text", {DType::kString}, false, {}}};
  return schema;
}

template <typename Builder, typename Value>
arrow::Result<std::shared_ptr<arrow::Array>> Single(const Value& value) {
  Builder builder;
  ARROW_RETURN_NOT_OK(builder.Append(value));
  return builder.Finish();
}

}  // namespace

bool IsRecordText(const StreamSchema& letter) {
  const StreamSchema text = RecordText();
  return std::equal(letter.fields.begin(), letter.fields.end(), text.fields.begin(),
                    text.fields.end(),
                    [](const Field& a, const Field& b) { return a.name == b.name; });
}

arrow::Result<RejectedRow> RejectRecord(const BadRecord& record, RejectTally& tally) {
  ARROW_RETURN_NOT_OK(tally.Count(record.why));
  RejectedRow rejected;
  rejected.code = GetErrorInfo(record.why).code;
  rejected.message = record.why.message();
  rejected.position = record.line;
  if (!tally.stores()) return rejected;
  const nlohmann::ordered_json key = {{"$file", record.file}, {"$line", record.line}};
  rejected.key = key.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  arrow::ArrayVector columns(3);
  ARROW_ASSIGN_OR_RAISE(columns[0], Single<arrow::StringBuilder>(record.file));
  ARROW_ASSIGN_OR_RAISE(columns[1], Single<arrow::Int64Builder>(record.line));
  ARROW_ASSIGN_OR_RAISE(columns[2], Single<arrow::StringBuilder>(record.text));
  ARROW_ASSIGN_OR_RAISE(const auto writer, RowJsonWriter::Make(RecordText()));
  ARROW_ASSIGN_OR_RAISE(rejected.row, writer->Write(columns, 0));
  rejected.schema = writer->schema_text();
  ARROW_RETURN_NOT_OK(CheckSize(rejected, record.why));
  ARROW_RETURN_NOT_OK(
      tally.Keep(static_cast<int64_t>(rejected.row.size() + rejected.schema.size())));
  return rejected;
}

RejectTally::RejectTally(const LoadConfig& load, std::string stream)
    : takes_all_(load.on_error != OnError::kFail),
      stores_(load.on_error != OnError::kSkip),
      values_(load.values),
      max_rows_(load.max_rejected),
      max_percent_(load.max_rejected_percent),
      stream_(std::move(stream)) {}

bool RejectTally::Takes(const ErrorInfo& why) const {
  if (why.error_class != ErrorClass::kData) return false;
  const auto kind = ValueKindOf(why.code);
  return takes_all_ || (kind && values_.For(*kind) == ValuePolicy::kQuarantine);
}

arrow::Status RejectTally::TooMany(const std::string& limit,
                                   const std::string& last) const {
  return MakeError(
      ErrorClass::kData, "load.too_many_rejected",
      "More than " + limit + " of stream '" + stream_ + "' cannot be loaded" +
          (last.empty() ? "" : "; the last one: " + last),
      "Correct the rows or the fields' types, or allow more with load.max_rejected");
}

arrow::Status RejectTally::Count(const arrow::Status& why) {
  const int64_t rejected = ++rejected_;
  if (max_percent_ || rejected <= max_rows_) return arrow::Status::OK();
  return TooMany(std::to_string(max_rows_) + " rows", why.message());
}

arrow::Status RejectTally::Keep(int64_t bytes) {
  if ((bytes_ += bytes) <= kMostBytes) return arrow::Status::OK();
  return TooMany(std::to_string(kMostBytes >> 20) + " MiB of the rows", "");
}

arrow::Status RejectTally::CheckShare() const {
  if (!max_percent_) return arrow::Status::OK();
  const auto most = *max_percent_ * static_cast<double>(seen_) / 100;
  if (static_cast<double>(rejected_) <= most) return arrow::Status::OK();
  std::string percent = std::to_string(*max_percent_);
  percent.erase(percent.find_last_not_of('0') + 1);
  if (percent.ends_with('.')) percent.pop_back();
  return TooMany(percent + " % of the " + std::to_string(seen_) + " rows read", "");
}

bool IsReadAsText(const FieldType& type) {
  const DType dtype = type.dtype;
  return dtype <= DType::kDecimal || dtype == DType::kBool ||
         (dtype >= DType::kDate && dtype <= DType::kTimestampTz);
}

RowRejecter::RowRejecter(std::shared_ptr<RejectTally> tally, const StreamSchema& schema,
                         std::vector<std::string> key_ids)
    : tally_(std::move(tally)), schema_(schema), key_ids_(std::move(key_ids)) {}
RowRejecter::~RowRejecter() = default;

arrow::Result<std::unique_ptr<RowRejecter>> RowRejecter::Make(
    std::shared_ptr<RejectTally> tally, const StreamSchema& schema,
    std::vector<std::string> key_ids) {
  std::unique_ptr<RowRejecter> rejecter(
      new RowRejecter(std::move(tally), schema, std::move(key_ids)));
  if (rejecter->tally_->stores()) {
    ARROW_ASSIGN_OR_RAISE(rejecter->writer_, RowJsonWriter::Make(schema));
  }
  return rejecter;
}

arrow::Result<RejectedRow> RowRejecter::Describe(const arrow::RecordBatch& columns,
                                                 int64_t row, int column,
                                                 const arrow::Status& why) const {
  const ErrorInfo info = GetErrorInfo(why);
  RejectedRow rejected;
  rejected.code = info.code;
  rejected.field = schema_.fields[column].name;
  rejected.message = why.message();
  if (!key_ids_.empty()) rejected.key = RowKey(columns, row, key_ids_, 0);
  if (!writer_) return rejected;
  ARROW_ASSIGN_OR_RAISE(rejected.row, writer_->Write(columns.columns(), row));
  rejected.schema = writer_->schema_text();
  ARROW_RETURN_NOT_OK(CheckSize(rejected, why));
  return rejected;
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> RowRejecter::LeaveOut(
    const std::shared_ptr<arrow::RecordBatch>& batch, const arrow::ArrayVector& columns,
    const ColumnStep& step, std::vector<RejectedRow>* rejected) {
  const int64_t rows = batch->num_rows();
  ARROW_ASSIGN_OR_RAISE(const auto bad_rows, FindBadRows(static_cast<int>(columns.size()),
                                                         rows, step, *tally_));
  arrow::FieldVector fields;
  for (size_t i = 0; i < columns.size(); ++i) {
    fields.push_back(arrow::field(schema_.fields[i].name, columns[i]->type()));
  }
  const auto named = arrow::RecordBatch::Make(arrow::schema(fields), rows, columns);
  arrow::BooleanBuilder keep;
  ARROW_RETURN_NOT_OK(keep.Reserve(rows));
  for (int64_t row = 0; row < rows; ++row) keep.UnsafeAppend(!bad_rows.contains(row));
  for (const auto& [row, bad] : bad_rows) {
    ARROW_ASSIGN_OR_RAISE(auto letter, Describe(*named, row, bad.column, bad.why));
    ARROW_RETURN_NOT_OK(
        tally_->Keep(static_cast<int64_t>(letter.row.size() + letter.schema.size())));
    letter.position = rows_before_ + row;
    rejected->push_back(std::move(letter));
  }
  rows_before_ += rows;
  ARROW_ASSIGN_OR_RAISE(auto mask, keep.Finish());
  ARROW_ASSIGN_OR_RAISE(auto kept, arrow::compute::Filter(batch, mask));
  return kept.record_batch();
}

}  // namespace dxt
