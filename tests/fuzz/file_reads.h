#pragma once
// One file, read as the connector reads a stream of it.
#include <string>
#include <utility>

#include <arrow/api.h>

#include "connectors/file/file_reader.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/memory_store.h"

namespace dxt::fuzz {

struct Reading {
  std::string status;  ///< "OK", or why not.
  std::shared_ptr<arrow::Table> table;
};

inline std::vector<ColumnRead> AllColumns(const StreamSchema& schema) {
  std::vector<ColumnRead> columns;
  for (const auto& field : schema.fields) {
    ColumnRead column;
    column.name = column.column = field.name;
    column.type = field.type;
    column.native = field.native;
    columns.push_back(std::move(column));
  }
  return columns;
}

/// Every batch must be valid.
inline Reading Drain(file::FileReader& reader, const StreamSchema& schema) {
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  for (;;) {
    auto batch = reader.Next({});
    if (!batch.ok()) return {batch.status().ToString(), nullptr};
    if (!*batch) break;
    const arrow::Status valid = (*batch)->ValidateFull();
    Promise(valid.ok(), "what is read is valid", valid.ToString());
    batches.push_back(*batch);
  }
  auto table = batches.empty()
                   ? arrow::Table::MakeEmpty(ArrowSchema(schema))
                   : arrow::Table::FromRecordBatches(batches.front()->schema(), batches);
  Promise(table.ok(), "all batches have one schema", table.status().ToString());
  return {"OK", *table};
}

inline Reading ReadText(const std::string& text, int64_t piece,
                        const file::FormatOptions& options) {
  MemoryStore store(text, piece);
  const std::string path = "/t/t." + std::string(FormatName(options.format));
  auto schema = file::InferTextSchema(store, {path}, options, file::kSampleBytes);
  if (!schema.ok()) return {schema.status().ToString(), nullptr};
  file::FileRead read;
  read.path = path;
  read.options = options;
  read.schema = *schema;
  read.columns = AllColumns(*schema);
  read.batch_rows = 3;
  auto reader = file::MakeTextReader(store, read);
  if (!reader.ok()) return {reader.status().ToString(), nullptr};
  return Drain(**reader, *schema);
}

/// The same rows, or the same refusal, in whatever pieces the text comes.
inline void CheckPieces(const std::string& text, int64_t piece,
                        const file::FormatOptions& options) {
  const Reading whole = ReadText(text, INT64_MAX, options);
  const Reading pieces = ReadText(text, piece, options);
  Promise(whole.status == pieces.status, "the outcome does not depend on the pieces",
          whole.status + "\n" + pieces.status);
  if (!whole.table) return;
  Promise(whole.table->Equals(*pieces.table, arrow::EqualOptions().nans_equal(true)),
          "the rows do not depend on the pieces",
          whole.table->ToString() + pieces.table->ToString());
}

}  // namespace dxt::fuzz
