#include "engine/stage/segment.h"

#include "base/error.h"

namespace dxt {

std::string_view SegmentFormatName(SegmentFormat format) {
  switch (format) {
    case SegmentFormat::kParquet:
      return "parquet";
    case SegmentFormat::kCsv:
      return "csv";
    case SegmentFormat::kJsonl:
      return "jsonl";
  }
  return "parquet";
}

arrow::Result<std::string> SegmentExtension(SegmentFormat format,
                                            const std::string& compression) {
  const std::string name(SegmentFormatName(format));
  const auto unknown = [&](const char* known) {
    return MakeError(ErrorClass::kConfig, "buffer.compression",
                     "The " + name + " buffer has no compression '" + compression + "'",
                     std::string("Write one of: ") + known);
  };
  if (format == SegmentFormat::kParquet) {
    for (const auto known : {"", "snappy", "zstd", "gzip", "lz4", "none"}) {
      if (compression == known) return ".parquet";
    }
    return unknown("snappy, zstd, gzip, lz4, none");
  }
  if (compression.empty() || compression == "none") return "." + name;
  if (compression == "gzip") return "." + name + ".gz";
  if (compression == "zstd") return "." + name + ".zst";
  return unknown("gzip, zstd, none");
}

arrow::Result<std::unique_ptr<SegmentWriter>> OpenSegmentWriter(
    const PackageSpec& spec, std::shared_ptr<SegmentFile> file) {
  if (spec.format == SegmentFormat::kParquet)
    return MakeParquetWriter(spec, std::move(file));
  return MakeTextWriter(spec, std::move(file));
}

arrow::Result<std::unique_ptr<SegmentReader>> OpenSegmentReader(
    const PackageSpec& spec, const std::filesystem::path& path, int64_t batch_rows) {
  if (spec.format == SegmentFormat::kParquet)
    return MakeParquetReader(spec, path, batch_rows);
  return MakeTextReader(spec, path, batch_rows);
}

}  // namespace dxt
