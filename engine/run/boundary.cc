#include "engine/run/boundary.h"

#include <arrow/api.h>

#include "base/error.h"
#include "engine/plan/convert.h"
#include "engine/run/extractor.h"
#include "engine/run/filter.h"

namespace dxt {
namespace {

arrow::Status NoKeys(const PreparedStream& stream) {
  return MakeError(
      ErrorClass::kConfig, "cursor.boundary_keys",
      "extract.boundary: inclusive of stream '" + stream.config.id +
          "' needs keys, and the watermark field among the loaded columns, to "
          "tell which rows at the watermark are loaded already",
      "Name load.upsert_keys (append may have them too) and select the field");
}

/// Reads the target as a source: the key columns where the cursor column has the value.
arrow::Result<ReadSpec> BoundaryRead(const PreparedStream& stream,
                                     const StreamInfo& target) {
  ReadSpec read;
  read.ref = {StreamKind::kTable, stream.config.target, {}};
  for (const auto& id : stream.columns.key_ids) {
    const std::string& name = stream.Column(id)->wanted.name;
    const Field* field = target.columns.Find(name);
    if (!field) return NoKeys(stream);
    read.columns.push_back({id, name, "", field->type, field->native, false});
  }
  const std::string& cursor = stream.columns.cursor_target;
  const Field* field = target.columns.Find(cursor);
  if (!field) return NoKeys(stream);
  Filter at;
  at.column = cursor;
  at.op = FilterOp::kEq;
  at.values = {*stream.watermark.value};
  at.type = field->type;
  read.filters = {at};
  read.columns.push_back({"_dxt_cursor", cursor, "", field->type, field->native, false});
  return read;
}

class KeySet {
 public:
  KeySet(const PreparedStream& stream, const ReadSpec& read)
      : stream_(stream), read_(read) {}

  arrow::Status Add(const arrow::RecordBatch& batch) {
    // Keys are compared as the stream's own type, whatever the target made of it.
    const auto& ids = stream_.columns.key_ids;
    std::vector<std::shared_ptr<arrow::Array>> arrays;
    arrow::FieldVector fields;
    for (size_t i = 0; i < ids.size(); ++i) {
      Field from;
      from.name = ids[i];
      from.type = read_.columns[i].type;
      const Field& to = stream_.Column(ids[i])->field;
      ARROW_ASSIGN_OR_RAISE(auto conversion, Conversion::Make(from, to.type, {}));
      ARROW_ASSIGN_OR_RAISE(auto array,
                            conversion->Apply(batch.column(static_cast<int>(i))));
      arrays.push_back(std::move(array));
      Field named = to;
      named.name = ids[i];
      fields.push_back(ArrowField(named));
    }
    const auto keys = arrow::RecordBatch::Make(arrow::schema(std::move(fields)),
                                               batch.num_rows(), std::move(arrays));
    for (int64_t row = 0; row < keys->num_rows(); ++row) {
      std::string key = RowKey(*keys, row, ids, 0);
      bytes_ += key.size() + kPerKey;
      keys_.insert(std::move(key));
    }
    if (bytes_ <= kLimit) return arrow::Status::OK();
    return MakeError(ErrorClass::kUnsupported, "cursor.boundary_memory",
                     "The keys of the rows at the watermark " + *stream_.watermark.value +
                         " take more than 64 MiB",
                     "Use load.mode: upsert, which needs no such memory");
  }

  std::unordered_set<std::string> Take() { return std::move(keys_); }

 private:
  static constexpr size_t kLimit = 64 << 20;
  static constexpr size_t kPerKey = 64;  ///< What the set itself needs for one.

  const PreparedStream& stream_;
  const ReadSpec& read_;
  std::unordered_set<std::string> keys_;
  size_t bytes_ = 0;
};

}  // namespace

bool NeedsBoundaryKeys(const PreparedStream& stream) {
  return stream.config.extract.inclusive && stream.watermark.inclusive &&
         stream.watermark.source != "initial" && stream.mode == LoadMode::kAppend &&
         stream.target.exists;
}

arrow::Result<std::unordered_set<std::string>> ReadBoundaryKeys(
    const PreparedStream& stream, const PipelineDocument& pipeline,
    const RunContext& context, std::stop_token stop) {
  if (stream.columns.key_ids.empty() || stream.columns.cursor_target.empty()) {
    return NoKeys(stream);
  }
  ARROW_ASSIGN_OR_RAISE(auto source, OpenSource(pipeline.target, context, stop));
  StreamRef ref{StreamKind::kTable, stream.config.target, {}};
  ARROW_ASSIGN_OR_RAISE(auto info, source->Describe(ref, stop));
  ARROW_ASSIGN_OR_RAISE(auto read, BoundaryRead(stream, info));
  std::unique_ptr<RowFilter> filter;
  if (!stream.target_can.Has(Capability::kPushdown)) {
    ARROW_ASSIGN_OR_RAISE(filter, RowFilter::Make(read));
  }
  ARROW_ASSIGN_OR_RAISE(auto plan, source->PlanRead(read, 1, stop));
  KeySet keys(stream, read);
  for (const auto& split : plan.splits) {
    ARROW_ASSIGN_OR_RAISE(auto reader,
                          source->OpenReader(read, split, std::nullopt, stop));
    while (true) {
      ARROW_ASSIGN_OR_RAISE(auto step, reader->Next(stop));
      if (step.batch && step.batch->num_rows() > 0) {
        std::shared_ptr<arrow::RecordBatch> batch = step.batch;
        if (filter) {
          ARROW_ASSIGN_OR_RAISE(batch, filter->Apply(batch));
        }
        ARROW_RETURN_NOT_OK(keys.Add(*batch));
      }
      if (step.end) break;
    }
  }
  return keys.Take();
}

}  // namespace dxt
