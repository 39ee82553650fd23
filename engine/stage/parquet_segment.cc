#include <algorithm>

#include <arrow/io/file.h>
#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/byte_size.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/writer.h>
#include <parquet/properties.h>

#include "base/error.h"
#include "engine/stage/segment.h"
#include "engine/stage/segment_file.h"

namespace dxt {
namespace {

/// A row group is held in memory until it ends, so wide rows end it by bytes.
constexpr int64_t kRowGroupBytes = 16 << 20;
constexpr int64_t kRowGroupRows = 256 << 10;

arrow::Compression::type CodecOf(const std::string& compression) {
  if (compression == "zstd") return arrow::Compression::ZSTD;
  if (compression == "gzip") return arrow::Compression::GZIP;
  if (compression == "lz4") return arrow::Compression::LZ4;
  if (compression == "none") return arrow::Compression::UNCOMPRESSED;
  return arrow::Compression::SNAPPY;
}

class ParquetWriter : public SegmentWriter {
 public:
  ParquetWriter(std::shared_ptr<SegmentFile> file,
                std::unique_ptr<parquet::arrow::FileWriter> writer)
      : file_(std::move(file)), writer_(std::move(writer)) {}

  arrow::Status Append(const arrow::RecordBatch& batch) override {
    const auto referenced = arrow::util::ReferencedBufferSize(batch);
    const int64_t bytes =
        referenced.ok() ? *referenced : arrow::util::TotalBufferSize(batch);
    if (group_rows_ > 0 && (group_bytes_ + bytes > kRowGroupBytes ||
                            group_rows_ + batch.num_rows() > kRowGroupRows)) {
      ARROW_RETURN_NOT_OK(writer_->NewBufferedRowGroup());
      group_rows_ = group_bytes_ = 0;
    }
    ARROW_RETURN_NOT_OK(writer_->WriteRecordBatch(batch));
    group_rows_ += batch.num_rows();
    group_bytes_ += bytes;
    return arrow::Status::OK();
  }

  arrow::Status Close() override { return writer_->Close(); }

  int64_t bytes() const override { return *file_->Tell() + group_bytes_; }

 private:
  const std::shared_ptr<SegmentFile> file_;
  const std::unique_ptr<parquet::arrow::FileWriter> writer_;
  int64_t group_rows_ = 0, group_bytes_ = 0;
};

class ParquetReader : public SegmentReader {
 public:
  ParquetReader(std::shared_ptr<arrow::Schema> schema,
                std::unique_ptr<parquet::arrow::FileReader> file,
                std::unique_ptr<arrow::RecordBatchReader> batches)
      : schema_(std::move(schema)),
        file_(std::move(file)),
        batches_(std::move(batches)) {}

  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Next() override {
    ARROW_ASSIGN_OR_RAISE(auto batch, batches_->Next());
    if (!batch) return nullptr;
    return arrow::RecordBatch::Make(schema_, batch->num_rows(), batch->columns());
  }

 private:
  const std::shared_ptr<arrow::Schema> schema_;
  const std::unique_ptr<parquet::arrow::FileReader> file_;
  const std::unique_ptr<arrow::RecordBatchReader> batches_;
};

}  // namespace

arrow::Result<std::unique_ptr<SegmentWriter>> MakeParquetWriter(
    const PackageSpec& spec, std::shared_ptr<SegmentFile> file) {
  auto properties = parquet::WriterProperties::Builder()
                        .version(parquet::ParquetVersion::PARQUET_2_6)
                        ->compression(CodecOf(spec.compression))
                        ->max_row_group_length(kRowGroupRows)
                        ->enable_store_decimal_as_integer()
                        ->build();
  auto arrow_properties =
      parquet::ArrowWriterProperties::Builder().store_schema()->build();
  ARROW_ASSIGN_OR_RAISE(auto writer,
                        parquet::arrow::FileWriter::Open(
                            *ArrowSchema(spec.schema), arrow::default_memory_pool(), file,
                            std::move(properties), std::move(arrow_properties)));
  return std::make_unique<ParquetWriter>(std::move(file), std::move(writer));
}

arrow::Result<std::unique_ptr<SegmentReader>> MakeParquetReader(
    const PackageSpec& spec, const std::filesystem::path& path, int64_t batch_rows) {
  ARROW_ASSIGN_OR_RAISE(auto file, arrow::io::ReadableFile::Open(path.string()));
  parquet::arrow::FileReaderBuilder builder;
  parquet::ReaderProperties properties;
  properties.enable_buffered_stream();
  ARROW_RETURN_NOT_OK(builder.Open(std::move(file), properties));
  parquet::ArrowReaderProperties arrow_properties(/*use_threads=*/false);
  arrow_properties.set_batch_size(batch_rows);
  arrow_properties.set_pre_buffer(false);
  builder.properties(arrow_properties);
  std::unique_ptr<parquet::arrow::FileReader> reader;
  ARROW_RETURN_NOT_OK(builder.Build(&reader));
  ARROW_ASSIGN_OR_RAISE(auto batches, reader->GetRecordBatchReader());
  auto schema = ArrowSchema(spec.schema);
  if (!batches->schema()->Equals(*schema, /*check_metadata=*/false)) {
    return arrow::Status::Invalid("its columns are not those of the manifest");
  }
  return std::make_unique<ParquetReader>(std::move(schema), std::move(reader),
                                         std::move(batches));
}

}  // namespace dxt
