#include "connectors/sqlite/reader.h"

#include <sqlite3.h>

#include <arrow/api.h>

#include "base/error.h"
#include "connectors/sqlite/connection.h"
#include "connectors/sqlite/decode.h"

namespace dxt::sqlite {
namespace {

class SqliteReader final : public Reader {
 public:
  SqliteReader(std::unique_ptr<Connection> connection, const ReadSpec& spec,
               Selection selection)
      : connection_(std::move(connection)),
        selection_(std::move(selection)),
        source_(spec.ref.source),
        columns_(spec.columns),
        batch_rows_(spec.batch_rows),
        batch_bytes_(spec.batch_bytes) {}

  arrow::Status Start() {
    StreamSchema wanted;
    for (const auto& column : columns_) {
      ARROW_ASSIGN_OR_RAISE(auto decoder,
                            ColumnDecoder::Make(column.type, selection_.numbers));
      decoders_.push_back(std::move(decoder));
      wanted.fields.push_back({column.name, column.type, true, column.native});
    }
    schema_ = ArrowSchema(wanted);
    ARROW_RETURN_NOT_OK(connection_->Execute("BEGIN"));
    ARROW_ASSIGN_OR_RAISE(auto statement, connection_->Prepare(selection_.sql));
    statement_ = std::make_unique<Statement>(std::move(statement));
    return BindValues(selection_, statement_.get());
  }

  const std::shared_ptr<arrow::Schema>& schema() const override { return schema_; }
  int64_t bytes_read() const override { return bytes_read_; }

  arrow::Result<ReadStep> Next(std::stop_token stop) override {
    ReadStep step;
    step.end = done_;
    if (done_) return step;
    connection_->Watch(stop);
    for (const auto& decoder : decoders_)
      ARROW_RETURN_NOT_OK(decoder->Reserve(batch_rows_));
    rowids_.clear();
    int64_t rows = 0, bytes = 0;
    while (rows < batch_rows_ && bytes < batch_bytes_) {
      ARROW_ASSIGN_OR_RAISE(const bool more, statement_->Step());
      if (!more) {
        done_ = true;
        break;
      }
      ARROW_RETURN_NOT_OK(TakeRow(&bytes));
      ++rows;
    }
    if (stop.stop_requested()) {
      return MakeError(ErrorClass::kCancelled, "cancelled", "Cancelled");
    }
    if (done_) {
      // The file's lock goes with the transaction, so that writers need not wait for what
      // becomes of the rows.
      statement_.reset();
      connection_->Rollback();
    }
    bytes_read_ += bytes;
    step.end = rows == 0;
    if (rows == 0) return step;
    ARROW_ASSIGN_OR_RAISE(step.batch, FinishBatch(rows));
    return step;
  }

 private:
  arrow::Status TakeRow(int64_t* bytes) {
    sqlite3_stmt* handle = statement_->handle();
    const int count = static_cast<int>(decoders_.size());
    if (selection_.has_rowid) rowids_.push_back(sqlite3_column_int64(handle, count));
    for (int i = 0; i < count; ++i) {
      if (decoders_[i]->Append(handle, i, bytes)) continue;
      const std::string native = columns_[i].native.type.empty()
                                     ? ""
                                     : " (declared " + columns_[i].native.type + ")";
      return Refuse(i, static_cast<int64_t>(rowids_.size()) - 1, "sqlite.storage_class",
                    "is read as " + ToString(columns_[i].type) + native + " but holds " +
                        DescribeValue(handle, i));
    }
    ++row_;
    return arrow::Status::OK();
  }

  /// `batch_row` indexes rowids_.
  arrow::Status Refuse(int column, int64_t batch_row, std::string_view code,
                       const std::string& why) const {
    const auto& read = columns_[column];
    const bool known = selection_.has_rowid && batch_row >= 0;
    const int64_t number = known ? rowids_[batch_row] : row_ + 1;
    ErrorInfo info;
    info.error_class = ErrorClass::kData;
    info.code = code;
    info.column = read.name;
    info.key =
        std::string(known ? "{\"rowid\":" : "{\"row\":") + std::to_string(number) + "}";
    info.hint = "Correct the row, or read the column by an expression, e.g. CAST(\"" +
                (read.column.empty() ? read.name : read.column) + "\" AS TEXT)";
    return MakeError(std::move(info), "In the row with " +
                                          std::string(known ? "rowid " : "number ") +
                                          std::to_string(number) + " of " + source_ +
                                          ", the column '" + read.name + "' " + why);
  }

  arrow::Result<std::shared_ptr<arrow::RecordBatch>> FinishBatch(int64_t rows) {
    arrow::ArrayVector arrays;
    for (size_t i = 0; i < decoders_.size(); ++i) {
      ARROW_ASSIGN_OR_RAISE(auto array, decoders_[i]->Finish());
      if (array->type_id() == arrow::Type::STRING) {
        ARROW_RETURN_NOT_OK(CheckText(static_cast<int>(i),
                                      static_cast<const arrow::StringArray&>(*array)));
      }
      arrays.push_back(std::move(array));
    }
    return arrow::RecordBatch::Make(schema_, rows, std::move(arrays));
  }

  arrow::Status CheckText(int column, const arrow::StringArray& array) const {
    if (array.ValidateUTF8().ok()) return arrow::Status::OK();
    for (int64_t row = 0; row < array.length(); ++row) {
      const arrow::StringArray one(
          1, arrow::SliceBuffer(array.value_offsets(), row * 4, 8), array.value_data());
      if (array.IsNull(row) || one.ValidateUTF8().ok()) continue;
      return Refuse(column, row, "sqlite.invalid_utf8",
                    "holds text that is not valid UTF-8");
    }
    return arrow::Status::OK();
  }

  std::unique_ptr<Connection> connection_;
  Selection selection_;
  std::string source_;
  std::vector<ColumnRead> columns_;
  int64_t batch_rows_, batch_bytes_;
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<std::unique_ptr<ColumnDecoder>> decoders_;
  std::unique_ptr<Statement> statement_;
  std::vector<int64_t> rowids_;
  int64_t row_ = 0, bytes_read_ = 0;
  bool done_ = false;
};

}  // namespace

arrow::Result<std::unique_ptr<Reader>> MakeReader(std::unique_ptr<Connection> connection,
                                                  const ReadSpec& spec,
                                                  Selection selection) {
  auto reader =
      std::make_unique<SqliteReader>(std::move(connection), spec, std::move(selection));
  ARROW_RETURN_NOT_OK(reader->Start());
  return reader;
}

}  // namespace dxt::sqlite
