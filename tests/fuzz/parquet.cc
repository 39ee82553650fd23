// Parquet files from anywhere: read whole and valid, or refused.
#include "tests/fuzz/file_reads.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dxt;
  fuzz::MemoryStore store(std::string(reinterpret_cast<const char*>(data), size),
                          INT64_MAX);
  const std::string path = "/t/t.parquet";
  const auto shape = file::ReadParquetShape(store, path);
  if (!shape.ok()) return 0;
  file::FileRead read;
  read.path = path;
  read.options.format = file::Format::kParquet;
  read.schema = shape->schema;
  read.columns = fuzz::AllColumns(shape->schema);
  auto reader = file::MakeParquetReader(store, read);
  if (!reader.ok()) return 0;
  fuzz::Drain(**reader, shape->schema);
  return 0;
}
