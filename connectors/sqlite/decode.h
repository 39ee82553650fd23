#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "connectors/sdk/types.h"
#include "connectors/sqlite/types.h"

struct sqlite3_stmt;

namespace dxt::sqlite {

/// Turns one result column into Arrow arrays, refusing every value whose storage class or
/// text is not one of the type's. Its builder is reused for batch after batch.
class ColumnDecoder {
 public:
  virtual ~ColumnDecoder() = default;
  /// kUnsupported for types that a SQLite source never describes.
  static arrow::Result<std::unique_ptr<ColumnDecoder>> Make(const FieldType& type,
                                                            NumericTime numbers);

  /// Makes room for a batch.
  virtual arrow::Status Reserve(int64_t rows) = 0;
  /// Takes the statement's current value; false when it is none of the type, or there is
  /// no memory for it. Adds what it took to `bytes`.
  virtual bool Append(sqlite3_stmt* statement, int column, int64_t* bytes) = 0;
  virtual arrow::Result<std::shared_ptr<arrow::Array>> Finish() = 0;
};

/// What the current value is, for messages: "the text 'abc'", "the integer 17".
std::string DescribeValue(sqlite3_stmt* statement, int column);

}  // namespace dxt::sqlite
