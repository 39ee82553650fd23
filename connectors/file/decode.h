#pragma once
#include <memory>
#include <string>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "connectors/file/cells.h"
#include "connectors/file/text_value.h"
#include "connectors/sdk/types.h"

namespace dxt::file {

/// How one column of cells becomes an array.
struct ColumnDecoder {
  std::string name;
  int column = -1;  ///< Of the block; -1 = the file has no such column: all NULL.
  FieldType type;
  Reading reading = Reading::kInferred;
  bool json = false;
  char quote = '"';

  /// Fails with the row in `bad_row` when a cell does not hold a value of `type`; any
  /// other failure leaves it at -1.
  arrow::Result<std::shared_ptr<arrow::Array>> Decode(const CellBlock& block,
                                                      int64_t* bad_row) const;
};

}  // namespace dxt::file
