#pragma once
// `extract.boundary: inclusive` with append: which rows at the watermark are loaded
// already.
#include <cstdint>
#include <memory>
#include <stop_token>
#include <vector>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "engine/run/filter.h"
#include "engine/run/key_set.h"
#include "engine/run/prepared_stream.h"

namespace dxt {

/// True when rows at the lower bound are read again and only keys can tell old from new.
bool NeedsBoundaryKeys(const PreparedStream& stream);

/// The keys of the target's rows whose cursor equals the watermark. The PreparedStream
/// must outlive it. Immutable once read.
class Boundary {
 public:
  /// At most 64 MiB of keys: kUnsupported "cursor.boundary_memory". kConfig
  /// "cursor.boundary_keys" when the stream has no keys or does not load its watermark
  /// field. Blocks on the target.
  static arrow::Result<std::unique_ptr<Boundary>> Read(const PreparedStream& stream,
                                                       const PipelineDocument& pipeline,
                                                       const RunContext& context,
                                                       std::stop_token stop);

  /// One byte per row: 1 = the target has it. `cursors` as the source delivers them,
  /// `rows` as fields.
  arrow::Result<std::vector<uint8_t>> Known(const std::shared_ptr<arrow::Array>& cursors,
                                            const arrow::RecordBatch& rows) const;

  bool empty() const { return keys_.empty(); }

 private:
  explicit Boundary(const PreparedStream& stream) : stream_(stream) {}

  arrow::Status Add(const arrow::RecordBatch& rows);

  const PreparedStream& stream_;
  std::unique_ptr<RowFilter> at_watermark_;
  KeySet keys_;
};

}  // namespace dxt
