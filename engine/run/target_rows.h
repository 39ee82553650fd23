#pragma once
// The target as something to read from: what a run compares its rows with.
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "connectors/sdk/source.h"
#include "engine/run/prepared_stream.h"

namespace dxt {

/// Reads the table that a stream loads into. Used by one thread; the PreparedStream must
/// outlive it.
class TargetRows {
 public:
  using Sink = std::function<arrow::Status(const arrow::RecordBatch&)>;
  /// A column to deliver: under `name`, in the type that the stream gives its values.
  struct Wanted {
    std::string name;
    std::string column;  ///< Of the target.
    FieldType type;
  };

  /// Blocks on the target, which must exist.
  static arrow::Result<std::unique_ptr<TargetRows>> Open(const PreparedStream& stream,
                                                         const PipelineDocument& pipeline,
                                                         const RunContext& context,
                                                         std::stop_token stop);

  /// Null when the target has no such column.
  const Field* Find(const std::string& column) const;
  /// The rows that pass all filters, whose types are the target's own; kConfig
  /// "plan.column_missing". Blocks.
  arrow::Status Read(const std::vector<Wanted>& wanted, std::vector<Filter> filters,
                     const Sink& sink, std::stop_token stop);

 private:
  explicit TargetRows(const PreparedStream& stream) : stream_(stream) {}

  /// Text files have no types of their own.
  void DeclareTypes();

  const PreparedStream& stream_;
  StreamRef ref_;
  std::unique_ptr<Source> source_;
  StreamInfo info_;
};

}  // namespace dxt
