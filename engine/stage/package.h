#pragma once
// A package: one extracted window of one stream on disk, waiting to be loaded.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "connectors/sdk/destination.h"
#include "connectors/sdk/types.h"

namespace dxt {

/// How segments are written.
enum class SegmentFormat : uint8_t { kParquet, kCsv, kJsonl };
std::string_view SegmentFormatName(SegmentFormat format);

/// One sealed file of a package.
struct Segment {
  std::string file;  ///< Name inside the package folder.
  int64_t rows = 0;
  int64_t bytes = 0;
  std::string sha256;  ///< Hex.
};

/// What is known before the first row.
struct PackageSpec {
  StreamIdentity identity;
  std::string load_id;
  std::string run;
  std::string document_hash;
  bool full = true;  ///< Phase: full or incremental.
  /// Nothing of the source was left out: no cursor, no filter, no limit.
  bool whole = false;
  std::string cursor_before;  ///< "" = none.
  std::string read_from;
  StreamSchema schema;  ///< Field ids in batch order, their types and native types.
  SegmentFormat format = SegmentFormat::kParquet;
  std::string compression;  ///< "" = the format's default (parquet: snappy, text: none).
  int64_t segment_bytes = 128LL << 20;
};

/// What is known after the last row.
struct PackageSeal {
  std::string cursor_after;
  int64_t rows_read = 0;   ///< By the source, before filters and de-duplication.
  int64_t bytes_read = 0;  ///< Over the source's wire.
  std::vector<std::pair<std::string, std::string>> warnings;  ///< Code, message.
};

/// manifest.json of a sealed package.
struct PackageManifest {
  PackageSpec spec;
  PackageSeal seal;
  std::vector<Segment> segments;
  int64_t rows = 0;
  int64_t bytes = 0;
  std::string created_at;  ///< RFC 3339, UTC.
  std::string sha256;      ///< Of the manifest file: LoadRecord::package_hash.
  std::filesystem::path folder;

  /// Absolute paths of the segments, for Writer::AppendFiles (parquet only).
  std::vector<std::string> Paths() const;
};

/// Writes one package: Append* -> Seal | Abort. Destroying it unsealed aborts.
class PackageWriter {
 public:
  virtual ~PackageWriter() = default;
  /// `batch` must have the schema ArrowSchema(spec.schema). kTransient "buffer.io",
  /// "buffer.disk_full". The package holds its rows by `split`, in the order in which
  /// those of one split came. Splits that come at the same time each need a `lane`: one
  /// thread at a time for each, and one split after the other.
  virtual arrow::Status Append(const arrow::RecordBatch& batch, int lane,
                               int32_t split) = 0;
  arrow::Status Append(const arrow::RecordBatch& batch) { return Append(batch, 0, 0); }
  /// Makes the package durable: segments and manifest are fsynced, then the manifest
  /// appears under its name. From here it survives a crash and is pending.
  virtual arrow::Result<PackageManifest> Seal(const PackageSeal& seal) = 0;
  /// Removes everything. Safe after any failure and when called twice; nothing after
  /// Seal.
  virtual void Abort() noexcept = 0;
  virtual int64_t rows() const = 0;
};

/// Reads a sealed package in the order that its writer gave it. Used by one thread at a
/// time.
class PackageReader {
 public:
  virtual ~PackageReader() = default;
  virtual const PackageManifest& manifest() const = 0;
  /// The next batch (at most `batch_rows`, of ArrowSchema(spec.schema)); null at the end.
  /// kData "buffer.corrupt" when the content is not what the manifest says.
  virtual arrow::Result<std::shared_ptr<arrow::RecordBatch>> Next() = 0;
};

}  // namespace dxt
