#include <algorithm>
#include <set>

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/compute/cast.h>
#include <arrow/extension_type.h>
#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/schema.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <simdjson.h>

#include "base/error.h"
#include "connectors/file/file_reader.h"
#include "connectors/file/int96.h"
#include "connectors/file/json_text.h"
#include "connectors/file/store.h"

namespace dxt::file {
namespace {

constexpr int64_t kLocalBuffer = 256 << 10;
constexpr int64_t kRemoteBuffer = 4 << 20;

arrow::Status Damaged(const std::string& path, const arrow::Status& status, bool local) {
  if (!local && status.IsIOError()) {
    return MakeError(ErrorClass::kTransient, "file.io",
                     "Could not read '" + path + "': " + status.message());
  }
  return MakeError(ErrorClass::kData, "file.corrupt",
                   "'" + path + "' is not a whole Parquet file: " + status.message(),
                   "Get the file again from where it came");
}

bool IsUuid(const arrow::DataType& type) {
  return type.id() == arrow::Type::EXTENSION &&
         static_cast<const arrow::ExtensionType&>(type).extension_name() == "arrow.uuid";
}

/// FieldTypeOf, and what it leaves open: NULL columns are string, uuid is its text,
/// arrays of anything but scalars travel as JSON.
arrow::Result<FieldType> TypeOf(const arrow::Field& field) {
  FieldType type;
  if (field.type()->id() == arrow::Type::NA || IsUuid(*field.type())) return type;
  ARROW_ASSIGN_OR_RAISE(type, FieldTypeOf(field));
  if (type.dtype == DType::kArray && type.element) {
    const DType element = type.element->dtype;
    if (element == DType::kArray || element == DType::kObject ||
        element == DType::kJson) {
      type.element = nullptr;
    }
  }
  return type;
}

struct OpenParquet {
  std::shared_ptr<arrow::io::RandomAccessFile> file;
  std::unique_ptr<parquet::arrow::FileReader> reader;
};

/// Opens a file with little memory: column chunks are streamed, not loaded.
arrow::Result<OpenParquet> Open(Store& store, const std::string& path) {
  OpenParquet open;
  ARROW_ASSIGN_OR_RAISE(open.file, store.OpenRandom(path));
  parquet::ReaderProperties properties = parquet::default_reader_properties();
  properties.enable_buffered_stream();
  properties.set_buffer_size(store.is_local() ? kLocalBuffer : kRemoteBuffer);
  parquet::ArrowReaderProperties arrow_properties =
      parquet::default_arrow_reader_properties();
  arrow_properties.set_use_threads(false);
  arrow_properties.set_pre_buffer(false);
  arrow_properties.set_arrow_extensions_enabled(true);
  const auto opened = [&]() -> arrow::Status {
    parquet::arrow::FileReaderBuilder builder;
    ARROW_RETURN_NOT_OK(builder.Open(open.file, properties));
    builder.properties(arrow_properties);
    ARROW_ASSIGN_OR_RAISE(open.reader, builder.Build());
    return arrow::Status::OK();
  }();
  if (!opened.ok()) return Damaged(store.Show(path), opened, store.is_local());
  return open;
}

void Leaves(const parquet::arrow::SchemaField& field, std::vector<int>* leaves) {
  if (field.is_leaf()) leaves->push_back(field.column_index);
  for (const auto& child : field.children) Leaves(child, leaves);
}

arrow::Result<std::shared_ptr<arrow::Array>> UuidText(const arrow::Array& array) {
  const auto& storage = static_cast<const arrow::FixedSizeBinaryArray&>(
      *static_cast<const arrow::ExtensionArray&>(array).storage());
  static constexpr char kHex[] = "0123456789abcdef";
  arrow::StringBuilder builder;
  for (int64_t row = 0; row < storage.length(); ++row) {
    if (storage.IsNull(row)) {
      ARROW_RETURN_NOT_OK(builder.AppendNull());
      continue;
    }
    char text[36];
    char* at = text;
    for (int i = 0; i < 16; ++i) {
      if (i == 4 || i == 6 || i == 8 || i == 10) *at++ = '-';
      *at++ = kHex[storage.Value(row)[i] >> 4];
      *at++ = kHex[storage.Value(row)[i] & 15];
    }
    ARROW_RETURN_NOT_OK(builder.Append(text, 36));
  }
  return builder.Finish();
}

arrow::Result<std::shared_ptr<arrow::Array>> JsonTexts(const arrow::Array& array) {
  arrow::StringBuilder builder;
  std::string text;
  for (int64_t row = 0; row < array.length(); ++row) {
    if (array.IsNull(row)) {
      ARROW_RETURN_NOT_OK(builder.AppendNull());
      continue;
    }
    text.clear();
    ARROW_RETURN_NOT_OK(AppendJson(array, row, {true}, &text));
    ARROW_RETURN_NOT_OK(builder.Append(text));
  }
  return builder.Finish();
}

bool ValidTexts(const arrow::Array& array) {
  if (array.type_id() != arrow::Type::STRING) return true;
  const auto& texts = static_cast<const arrow::StringArray&>(array);
  const int64_t size = texts.total_values_length();
  if (size == 0) return true;
  return simdjson::validate_utf8(
      reinterpret_cast<const char*>(texts.value_data()->data()) + texts.value_offset(0),
      static_cast<size_t>(size));
}

class ParquetReader final : public FileReader {
 public:
  ParquetReader(OpenParquet open, const FileRead& read, std::string shown, bool local)
      : open_(std::move(open)),
        columns_(read.columns),
        shown_(std::move(shown)),
        local_(local) {}

  arrow::Status Start(const FileRead& read) {
    ARROW_RETURN_NOT_OK(Select());
    const auto metadata = open_.reader->parquet_reader()->metadata();
    const int groups = metadata->num_row_groups();
    const int last = read.last_group < 0 ? groups : std::min(read.last_group, groups);
    std::vector<int> wanted;
    int64_t rows = 0, bytes = 0;
    for (int i = read.first_group; i < last; ++i) {
      wanted.push_back(i);
      const auto group = metadata->RowGroup(i);
      rows += group->num_rows();
      for (const int leaf : leaves_) {
        bytes += group->ColumnChunk(leaf)->total_uncompressed_size();
        bytes_on_disk_ += group->ColumnChunk(leaf)->total_compressed_size();
      }
    }
    rows_ = rows;
    const int64_t row_bytes = rows > 0 ? std::max<int64_t>(bytes / rows, 1) : 1;
    open_.reader->set_batch_size(std::clamp<int64_t>(
        read.batch_bytes / row_bytes, 1, std::max<int64_t>(read.batch_rows, 1)));
    timestamps_ = std::make_unique<Int96Check>(*open_.reader->parquet_reader(), wanted,
                                               leaves_, shown_);
    auto batches = open_.reader->GetRecordBatchReader(wanted, leaves_);
    if (!batches.ok()) return Damaged(shown_, batches.status(), local_);
    batches_ = std::move(*batches);
    return arrow::Status::OK();
  }

  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Next(std::stop_token) override {
    std::shared_ptr<arrow::RecordBatch> batch;
    const arrow::Status read = batches_->ReadNext(&batch);
    if (!read.ok()) return Damaged(shown_, read, local_);
    if (!batch) return batch;
    ARROW_RETURN_NOT_OK(timestamps_->Advance(batch->num_rows()));
    done_ += batch->num_rows();
    arrow::ArrayVector arrays;
    for (size_t i = 0; i < columns_.size(); ++i) {
      ARROW_ASSIGN_OR_RAISE(auto array,
                            Convert(batch->column(positions_[i]), columns_[i]));
      arrays.push_back(std::move(array));
    }
    return arrow::RecordBatch::Make(schema_, batch->num_rows(), std::move(arrays));
  }

  int64_t bytes_read() const override {
    return rows_ == 0 ? 0
                      : static_cast<int64_t>(static_cast<double>(bytes_on_disk_) *
                                             static_cast<double>(done_) /
                                             static_cast<double>(rows_));
  }

 private:
  /// Finds the leaf columns, and where each wanted column will stand in the batches.
  arrow::Status Select() {
    const auto& fields = open_.reader->manifest().schema_fields;
    std::set<int> chosen;
    for (const auto& column : columns_) {
      int at = -1;
      for (size_t i = 0; i < fields.size(); ++i) {
        if (fields[i].field->name() == column.column) at = static_cast<int>(i);
      }
      if (at < 0) {
        return MakeError(ErrorClass::kData, "file.schema_differs",
                         "'" + shown_ + "' has no column '" + column.column +
                             "', which the stream's first file has",
                         "Read files of different shape as streams of their own");
      }
      chosen.insert(at);
      positions_.push_back(at);
    }
    for (const int at : chosen) Leaves(fields[static_cast<size_t>(at)], &leaves_);
    arrow::FieldVector out;
    for (size_t i = 0; i < columns_.size(); ++i) {
      positions_[i] =
          static_cast<int>(std::distance(chosen.begin(), chosen.find(positions_[i])));
      out.push_back(arrow::field(columns_[i].name, ArrowType(columns_[i].type)));
    }
    schema_ = arrow::schema(std::move(out));
    return arrow::Status::OK();
  }

  arrow::Result<std::shared_ptr<arrow::Array>> Convert(
      std::shared_ptr<arrow::Array> array, const ColumnRead& column) {
    const auto wanted = ArrowType(column.type);
    if (IsUuid(*array->type()) && wanted->id() == arrow::Type::STRING) {
      return UuidText(*array);
    }
    while (array->type_id() == arrow::Type::EXTENSION) {
      array = static_cast<const arrow::ExtensionArray&>(*array).storage();
    }
    const bool nested = arrow::is_nested(array->type_id());
    if (nested && wanted->id() == arrow::Type::STRING) {
      ARROW_ASSIGN_OR_RAISE(array, JsonTexts(*array));
    }
    if (!array->type()->Equals(*wanted)) {
      auto cast = arrow::compute::Cast(*array, wanted);
      if (!cast.ok()) {
        ErrorInfo info;
        info.error_class = ErrorClass::kData;
        info.code = "file.value";
        info.column = column.column;
        info.hint = "Declare the type that the column has in the file";
        return MakeError(std::move(info), shown_ + ": column '" + column.column +
                                              "' holds a value that is not exactly " +
                                              ToString(column.type) + ": " +
                                              cast.status().message());
      }
      array = std::move(*cast);
    }
    if (!ValidTexts(*array)) {
      ErrorInfo info;
      info.error_class = ErrorClass::kData;
      info.code = "file.invalid_utf8";
      info.column = column.column;
      info.hint = "Give the field dtype binary, or write the file again with UTF-8 text";
      return MakeError(std::move(info),
                       shown_ + ": column '" + column.column +
                           "' is text, but holds bytes that are not UTF-8");
    }
    return array;
  }

  OpenParquet open_;
  std::vector<ColumnRead> columns_;
  std::string shown_;
  bool local_;
  std::vector<int> leaves_;
  std::vector<int> positions_;
  std::shared_ptr<arrow::Schema> schema_;
  std::unique_ptr<arrow::RecordBatchReader> batches_;
  std::unique_ptr<Int96Check> timestamps_;
  int64_t rows_ = 0;
  int64_t done_ = 0;
  int64_t bytes_on_disk_ = 0;
};

}  // namespace

arrow::Result<std::unique_ptr<FileReader>> MakeParquetReader(Store& store,
                                                             const FileRead& read) {
  ARROW_ASSIGN_OR_RAISE(auto open, Open(store, read.path));
  auto reader = std::make_unique<ParquetReader>(std::move(open), read,
                                                store.Show(read.path), store.is_local());
  ARROW_RETURN_NOT_OK(reader->Start(read));
  return std::unique_ptr<FileReader>(std::move(reader));
}

arrow::Result<ParquetShape> ReadParquetShape(Store& store, const std::string& path) {
  ARROW_ASSIGN_OR_RAISE(auto open, Open(store, path));
  std::shared_ptr<arrow::Schema> schema;
  const arrow::Status got = open.reader->GetSchema(&schema);
  if (!got.ok()) return Damaged(store.Show(path), got, store.is_local());
  ParquetShape shape;
  std::set<std::string> seen;
  for (const auto& arrow_field : schema->fields()) {
    Field field;
    field.name = arrow_field->name();
    if (!seen.insert(field.name).second) {
      return MakeError(
          ErrorClass::kData, "file.duplicate_column",
          "'" + store.Show(path) + "' has two columns named '" + field.name + "'",
          "Rename one of them in the file");
    }
    auto type = TypeOf(*arrow_field);
    if (!type.ok()) return Prefix(type.status(), store.Show(path));
    field.type = *type;
    field.nullable = arrow_field->nullable();
    shape.schema.fields.push_back(std::move(field));
  }
  const auto metadata = open.reader->parquet_reader()->metadata();
  shape.rows = metadata->num_rows();
  for (int i = 0; i < metadata->num_row_groups(); ++i) {
    shape.group_rows.push_back(metadata->RowGroup(i)->num_rows());
  }
  return shape;
}

}  // namespace dxt::file
