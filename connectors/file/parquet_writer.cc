#include <algorithm>
#include <string_view>
#include <unordered_set>

#include <arrow/array.h>
#include <arrow/extension/json.h>
#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/byte_size.h>
#include <parquet/arrow/writer.h>
#include <parquet/exception.h>
#include <parquet/properties.h>
#include <simdjson.h>

#include "base/error.h"
#include "connectors/file/file_writer.h"

namespace dxt::file {
namespace {

constexpr int64_t kGroupRows = 256 << 10;
constexpr int64_t kGroupBytes = 64 << 20;
/// Rows looked at before the encodings are chosen.
constexpr int64_t kSampleRows = 16 << 10;
constexpr int64_t kSampleBytesKept = 8 << 20;

parquet::Compression::type CodecOf(Compression compression) {
  switch (compression) {
    case Compression::kSnappy:
      return parquet::Compression::SNAPPY;
    case Compression::kZstd:
      return parquet::Compression::ZSTD;
    case Compression::kGzip:
      return parquet::Compression::GZIP;
    case Compression::kNone:
      return parquet::Compression::UNCOMPRESSED;
  }
  return parquet::Compression::SNAPPY;
}

class ParquetWriter final : public FileWriter {
 public:
  ParquetWriter(std::shared_ptr<arrow::io::OutputStream> sink,
                const FormatOptions& options, const StreamSchema& schema)
      : sink_(std::move(sink)),
        compression_(options.compression),
        fields_(schema.fields) {
    arrow::FieldVector fields;
    for (const auto& field : schema.fields) {
      auto arrow_field = ArrowField(field);
      if (field.type.dtype == DType::kJson) {
        arrow_field = arrow_field->WithType(arrow::extension::json());
      }
      fields.push_back(std::move(arrow_field));
    }
    schema_ = arrow::schema(std::move(fields));
  }

  arrow::Status Write(const arrow::RecordBatch& batch) override {
    arrow::ArrayVector columns;
    for (int i = 0; i < batch.num_columns(); ++i) {
      ARROW_ASSIGN_OR_RAISE(auto column,
                            Prepare(batch.column(i), static_cast<size_t>(i)));
      columns.push_back(std::move(column));
    }
    auto prepared =
        arrow::RecordBatch::Make(schema_, batch.num_rows(), std::move(columns));
    if (writer_) return Put(*prepared);
    sample_rows_ += prepared->num_rows();
    sample_bytes_ += arrow::util::TotalBufferSize(*prepared);
    sample_.push_back(std::move(prepared));
    if (sample_rows_ < kSampleRows && sample_bytes_ < kSampleBytesKept) {
      return arrow::Status::OK();
    }
    return Open();
  }

  arrow::Status Close() override {
    if (!writer_) ARROW_RETURN_NOT_OK(Open());
    ARROW_RETURN_NOT_OK(writer_->Close());
    return sink_->Close();
  }

  int64_t bytes() const override {
    const auto position = sink_->Tell();
    return (position.ok() ? *position : 0) + group_bytes_;
  }

 private:
  arrow::Result<std::shared_ptr<arrow::Array>> Prepare(
      const std::shared_ptr<arrow::Array>& column, size_t index) const {
    if (column->type_id() == arrow::Type::STRING) {
      const auto& texts = static_cast<const arrow::StringArray&>(*column);
      const int64_t size = texts.total_values_length();
      if (size > 0 && !simdjson::validate_utf8(
                          reinterpret_cast<const char*>(texts.value_data()->data()) +
                              texts.value_offset(0),
                          static_cast<size_t>(size))) {
        ErrorInfo info;
        info.error_class = ErrorClass::kData;
        info.code = "file.invalid_utf8";
        info.column = fields_[index].name;
        return MakeError(std::move(info), "Column '" + fields_[index].name +
                                              "' holds bytes that are not UTF-8");
      }
    }
    const auto& wanted = schema_->field(static_cast<int>(index))->type();
    if (wanted->id() != arrow::Type::EXTENSION) return column;
    return arrow::ExtensionType::WrapArray(wanted, column);
  }

  /// A dictionary pays where texts repeat; numbers are cheaper as they are.
  bool WantsDictionary(size_t column) const {
    if (fields_[column].type.dtype != DType::kString) return false;
    constexpr size_t kLookedAt = 4096;
    std::unordered_set<std::string_view> distinct;
    size_t seen = 0;
    for (const auto& batch : sample_) {
      const auto& texts = static_cast<const arrow::StringArray&>(
          *batch->column(static_cast<int>(column)));
      for (int64_t row = 0; row < texts.length() && seen < kLookedAt; ++row) {
        if (texts.IsNull(row)) continue;
        distinct.insert(texts.GetView(row));
        ++seen;
      }
    }
    return distinct.size() * 4 <= seen;
  }

  arrow::Status Open() {
    parquet::WriterProperties::Builder properties;
    properties.compression(CodecOf(compression_));
    if (compression_ == Compression::kZstd) properties.compression_level(1);
    properties.disable_dictionary();
    for (size_t i = 0; i < fields_.size(); ++i) {
      if (WantsDictionary(i)) {
        properties.enable_dictionary(
            parquet::schema::ColumnPath::FromDotString(fields_[i].name)->ToDotString());
      }
    }
    properties.enable_store_decimal_as_integer();
    properties.max_row_group_length(kGroupRows);
    parquet::ArrowWriterProperties::Builder arrow_properties;
    arrow_properties.store_schema();
    ARROW_ASSIGN_OR_RAISE(writer_, parquet::arrow::FileWriter::Open(
                                       *schema_, arrow::default_memory_pool(), sink_,
                                       properties.build(), arrow_properties.build()));
    for (const auto& batch : sample_) ARROW_RETURN_NOT_OK(Put(*batch));
    sample_.clear();
    return arrow::Status::OK();
  }

  arrow::Status Put(const arrow::RecordBatch& batch) {
    if (group_rows_ >= kGroupRows || group_bytes_ >= kGroupBytes) {
      ARROW_RETURN_NOT_OK(writer_->NewBufferedRowGroup());
      group_rows_ = 0;
      group_bytes_ = 0;
    }
    group_rows_ += batch.num_rows();
    ARROW_ASSIGN_OR_RAISE(const int64_t size, arrow::util::ReferencedBufferSize(batch));
    group_bytes_ += size;
    return writer_->WriteRecordBatch(batch);
  }

  std::shared_ptr<arrow::io::OutputStream> sink_;
  Compression compression_;
  std::vector<Field> fields_;
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<std::shared_ptr<arrow::RecordBatch>> sample_;
  int64_t sample_rows_ = 0;
  int64_t sample_bytes_ = 0;
  std::unique_ptr<parquet::arrow::FileWriter> writer_;
  int64_t group_rows_ = 0;
  int64_t group_bytes_ = 0;
};

}  // namespace

arrow::Result<std::unique_ptr<FileWriter>> MakeParquetWriter(
    std::shared_ptr<arrow::io::OutputStream> sink, const FormatOptions& options,
    const StreamSchema& schema) {
  return std::unique_ptr<FileWriter>(
      std::make_unique<ParquetWriter>(std::move(sink), options, schema));
}

arrow::Result<ValueDomain> DomainOf(Format format, const FieldType& type) {
  ValueDomain domain;
  domain.deliver = type;
  domain.first_day = -719162;  // 0001-01-01
  domain.last_day = 2932896;   // 9999-12-31
  domain.fraction_digits = type.nanoseconds ? 9 : 6;
  if (format == Format::kJson || format == Format::kJsonl) {
    domain.nan = domain.infinity = false;
    // As a string, an undeclared decimal may be anything its source calls one.
    if (type.dtype == DType::kDecimal && type.precision == 0)
      domain.nan = domain.infinity = true;
    return domain;
  }
  if (format != Format::kParquet) return domain;
  domain.first_day = INT64_MIN;
  domain.last_day = INT64_MAX;
  domain.end_of_day = false;
  if (type.dtype != DType::kDecimal) return domain;
  domain.nan = domain.infinity = false;
  if (type.precision > 38) {
    return MakeError(ErrorClass::kUnsupported, "file.parquet_decimal",
                     "Parquet holds decimals of at most 38 digits, not " + ToString(type),
                     "Set target.dtype: string, or decimal(38,s)");
  }
  if (type.precision == 0) {
    domain.deliver.precision = 38;
    domain.deliver.scale = 9;
    domain.max_integer_digits = 29;
    domain.max_fraction_digits = 9;
  }
  return domain;
}

}  // namespace dxt::file
