#pragma once
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "connectors/file/format.h"
#include "connectors/sdk/stream.h"

namespace dxt::file {

class Store;

/// Reads one file. Used by one thread.
class FileReader {
 public:
  virtual ~FileReader() = default;
  /// The next rows, in the order and types of the FileRead's columns; null at the end.
  virtual arrow::Result<std::shared_ptr<arrow::RecordBatch>> Next(
      std::stop_token stop) = 0;
  virtual int64_t bytes_read() const = 0;
  /// What was met since the last call; only with FileRead::tells_bad_records.
  virtual std::vector<BadRecord> TakeBad() { return {}; }
};

/// What is wanted from a file of a stream whose shape is known.
struct FileRead {
  std::string path;
  FormatOptions options;
  StreamSchema schema;              ///< Of the stream: what every file must have.
  std::vector<ColumnRead> columns;  ///< Without lineage columns.
  int64_t batch_rows = 10000;
  int64_t batch_bytes = 256 << 10;
  int first_group = 0;             ///< Parquet: row groups of this split.
  int last_group = -1;             ///< Exclusive; -1 = all.
  bool tells_bad_records = false;  ///< StreamRef's.
};

/// kData "file.schema_differs" when the file's columns are not the stream's,
/// "file.inferred_type" or "file.value" with file, line and column for a cell that is not
/// of its column's type.
arrow::Result<std::unique_ptr<FileReader>> MakeTextReader(Store& store,
                                                          const FileRead& read);
arrow::Result<std::unique_ptr<FileReader>> MakeParquetReader(Store& store,
                                                             const FileRead& read);
arrow::Result<std::unique_ptr<FileReader>> MakeFileReader(Store& store,
                                                          const FileRead& read);

/// Columns and types of a stream's text files, from their first 16 MiB (contracts 2.6)
/// and what the options declare. `tolerant`: from what of them can be read.
arrow::Result<StreamSchema> InferTextSchema(Store& store,
                                            const std::vector<std::string>& paths,
                                            const FormatOptions& options,
                                            int64_t sample_bytes, bool tolerant = false);

struct ParquetShape {
  StreamSchema schema;
  std::vector<int64_t> group_rows;
  int64_t rows = 0;
};
/// Reads a footer; kData "file.corrupt" when it is not one.
arrow::Result<ParquetShape> ReadParquetShape(Store& store, const std::string& path);

constexpr char kFileNameColumn[] = "_file_name";
constexpr char kRowIdColumn[] = "_row_id";
constexpr int64_t kSampleBytes = 16 << 20;

}  // namespace dxt::file
