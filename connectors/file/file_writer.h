#pragma once
#include <memory>
#include <string>
#include <vector>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "connectors/file/format.h"
#include "connectors/sdk/types.h"

namespace arrow::io {
class InputStream;
class OutputStream;
}  // namespace arrow::io

namespace dxt::file {

/// Encodes batches into one file. Used by one thread.
class FileWriter {
 public:
  virtual ~FileWriter() = default;
  /// Columns of `batch` are those of the schema, in its order.
  virtual arrow::Status Write(const arrow::RecordBatch& batch) = 0;
  /// Writes what is left and closes the sink.
  virtual arrow::Status Close() = 0;
  /// Bytes of the file so far, buffered ones included.
  virtual int64_t bytes() const = 0;
};

/// `old`: the text of a file whose rows come first, decompressed; null for a new file.
/// What is no array cannot be continued as JSON: kUnsupported "file.not_an_array".
arrow::Result<std::unique_ptr<FileWriter>> MakeTextWriter(
    std::shared_ptr<arrow::io::OutputStream> sink, const FormatOptions& options,
    const StreamSchema& schema, arrow::io::InputStream* old);
arrow::Result<std::unique_ptr<FileWriter>> MakeParquetWriter(
    std::shared_ptr<arrow::io::OutputStream> sink, const FormatOptions& options,
    const StreamSchema& schema);
/// A writer of a new file of any format.
arrow::Result<std::unique_ptr<FileWriter>> MakeFileWriter(
    std::shared_ptr<arrow::io::OutputStream> sink, const FormatOptions& options,
    const StreamSchema& schema);

/// The values that a column of a new file of `format` can hold; kUnsupported where §7
/// says R.
arrow::Result<ValueDomain> DomainOf(Format format, const FieldType& type);

}  // namespace dxt::file
