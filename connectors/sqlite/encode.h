#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "connectors/sqlite/types.h"

struct sqlite3_stmt;

namespace dxt::sqlite {

/// Binds the values of one column of a batch to a statement. The bound bytes stay those
/// of the batch or of the binder: step before the next Bind.
class ColumnBinder {
 public:
  virtual ~ColumnBinder() = default;
  /// `affinity` of the target column decides which texts SQLite would turn into numbers.
  static arrow::Result<std::unique_ptr<ColumnBinder>> Make(const arrow::DataType& type,
                                                           const FieldType& field,
                                                           Affinity affinity);

  /// The batch's column; must outlive the Binds that follow.
  virtual void Use(const arrow::Array& array) = 0;
  /// False when the target column would store the value as another one.
  virtual bool Bind(sqlite3_stmt* statement, int parameter, int64_t row) = 0;
};

}  // namespace dxt::sqlite
