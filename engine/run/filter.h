#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "connectors/sdk/stream.h"

namespace dxt {

/// Applies a ReadSpec's filters and cursor range to batches, for sources that do not do
/// it themselves. Immutable; safe from any thread.
class RowFilter {
 public:
  virtual ~RowFilter() = default;

  /// Source columns that the filters and the cursor need, each once: the engine reads
  /// those that no column of the spec delivers as hidden ones.
  static std::vector<std::string> RequiredColumns(const ReadSpec& spec);

  /// Filters find their column among `spec.columns` by source column; the cursor by
  /// CursorRange::name. kConfig "filter.column_missing" when it is not read,
  /// "filter.invalid" for a value that the column's type cannot be compared with.
  static arrow::Result<std::unique_ptr<RowFilter>> Make(const ReadSpec& spec);

  /// Nothing is filtered: Apply returns its argument.
  virtual bool empty() const = 0;
  /// The rows that pass, in order; the same batch when all do. NULL passes no filter, and
  /// the cursor range only with `include_null`.
  virtual arrow::Result<std::shared_ptr<arrow::RecordBatch>> Apply(
      const std::shared_ptr<arrow::RecordBatch>& batch) const = 0;
  /// One byte per row: 1 = it passes.
  virtual std::vector<uint8_t> Passing(const arrow::RecordBatch& batch) const = 0;
};

}  // namespace dxt
