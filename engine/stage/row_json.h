#pragma once
// Single records as JSON text that reads back as the very same record.
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "connectors/sdk/types.h"

namespace dxt {

class Conversion;

/// Writes records of one schema as JSON objects by field id: numbers with all their
/// digits, other values as the text of a JSONL buffer; text that is not UTF-8 is
/// {"$base64": "…"}. Used by one thread at a time.
class RowJsonWriter {
 public:
  static arrow::Result<std::unique_ptr<RowJsonWriter>> Make(const StreamSchema& schema);
  ~RowJsonWriter();

  /// `columns`: one array for each field of the schema.
  arrow::Result<std::string> Write(const arrow::ArrayVector& columns, int64_t row) const;
  /// The schema as text, for ReadRowSchema.
  const std::string& schema_text() const { return schema_text_; }

 private:
  explicit RowJsonWriter(const StreamSchema& schema);

  const StreamSchema schema_;
  std::string schema_text_;
  std::vector<std::unique_ptr<Conversion>> conversions_;  ///< Null where text is text.
};

/// kData "dlq.unreadable" for what RowJsonWriter did not write.
arrow::Result<StreamSchema> ReadRowSchema(const std::string& schema_text);
arrow::Result<std::shared_ptr<arrow::RecordBatch>> ReadRows(
    const StreamSchema& schema, std::span<const std::string> rows);

}  // namespace dxt
