#pragma once
// One segment in one of the formats. Not for other folders: packages are the way in.
#include <filesystem>
#include <memory>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "engine/stage/package.h"

namespace dxt {

class SegmentFile;

/// Writes batches of one schema into one file. Append* -> Close.
class SegmentWriter {
 public:
  virtual ~SegmentWriter() = default;
  virtual arrow::Status Append(const arrow::RecordBatch& batch) = 0;
  /// Writes the rest; the file can then be synced.
  virtual arrow::Status Close() = 0;
  /// Size that the file would have at least, were it closed now (within a row group).
  virtual int64_t bytes() const = 0;
};

/// Reads what a SegmentWriter wrote.
class SegmentReader {
 public:
  virtual ~SegmentReader() = default;
  /// Null at the end. A failure of the content is a bare Arrow status.
  virtual arrow::Result<std::shared_ptr<arrow::RecordBatch>> Next() = 0;
};

/// ".parquet", ".csv.gz" …; kConfig "buffer.compression" for a compression that the
/// format does not have.
arrow::Result<std::string> SegmentExtension(SegmentFormat format,
                                            const std::string& compression);

arrow::Result<std::unique_ptr<SegmentWriter>> OpenSegmentWriter(
    const PackageSpec& spec, std::shared_ptr<SegmentFile> file);
arrow::Result<std::unique_ptr<SegmentReader>> OpenSegmentReader(
    const PackageSpec& spec, const std::filesystem::path& path, int64_t batch_rows);

arrow::Result<std::unique_ptr<SegmentWriter>> MakeParquetWriter(
    const PackageSpec& spec, std::shared_ptr<SegmentFile> file);
arrow::Result<std::unique_ptr<SegmentReader>> MakeParquetReader(
    const PackageSpec& spec, const std::filesystem::path& path, int64_t batch_rows);
arrow::Result<std::unique_ptr<SegmentWriter>> MakeTextWriter(
    const PackageSpec& spec, std::shared_ptr<SegmentFile> file);
arrow::Result<std::unique_ptr<SegmentReader>> MakeTextReader(
    const PackageSpec& spec, const std::filesystem::path& path, int64_t batch_rows);

}  // namespace dxt
