#include "engine/run/boundary.h"

#include <arrow/api.h>

#include "base/error.h"
#include "engine/plan/convert.h"
#include "engine/run/filter.h"

namespace dxt {
namespace {

constexpr char kCursor[] = "_dxt_cursor";
/// What the keys of the rows at the watermark may take (contracts 4.3).
constexpr size_t kMemory = 64 << 20;

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
  read.columns.push_back({kCursor, cursor, "", field->type, field->native, false});
  return read;
}

/// The key columns of rows of the target, as the stream's own types: keys are compared as
/// those, whatever the target made of them.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> KeysOf(
    const PreparedStream& stream, const ReadSpec& read, const arrow::RecordBatch& rows) {
  const auto& ids = stream.columns.key_ids;
  std::vector<std::shared_ptr<arrow::Array>> arrays;
  arrow::FieldVector fields;
  for (size_t i = 0; i < ids.size(); ++i) {
    Field from;
    from.name = ids[i];
    from.type = read.columns[i].type;
    Field to = stream.Column(ids[i])->field;
    to.name = ids[i];
    ARROW_ASSIGN_OR_RAISE(auto conversion, Conversion::Make(from, to.type, {}));
    ARROW_ASSIGN_OR_RAISE(auto array,
                          conversion->Apply(rows.column(static_cast<int>(i))));
    arrays.push_back(std::move(array));
    fields.push_back(ArrowField(to));
  }
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), rows.num_rows(),
                                  std::move(arrays));
}

/// Passes rows of one column, the cursor, whose value is the watermark.
arrow::Result<std::unique_ptr<RowFilter>> AtWatermark(const PreparedStream& stream) {
  ReadSpec cursor;
  ColumnRead read;
  read.name = read.column = kCursor;
  read.type = stream.read.cursor->type;
  cursor.columns = {read};
  Filter at;
  at.column = kCursor;
  at.op = FilterOp::kEq;
  at.values = {*stream.watermark.value};
  at.type = read.type;
  cursor.filters = {at};
  return RowFilter::Make(cursor);
}

}  // namespace

bool NeedsBoundaryKeys(const PreparedStream& stream) {
  return stream.config.extract.inclusive && stream.watermark.inclusive &&
         stream.watermark.source != "initial" && stream.mode == LoadMode::kAppend &&
         stream.target.exists;
}

arrow::Result<std::unique_ptr<Boundary>> Boundary::Read(const PreparedStream& stream,
                                                        const PipelineDocument& pipeline,
                                                        const RunContext& context,
                                                        std::stop_token stop) {
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
  std::unique_ptr<Boundary> boundary(new Boundary(stream));
  ARROW_ASSIGN_OR_RAISE(boundary->at_watermark_, AtWatermark(stream));
  ARROW_ASSIGN_OR_RAISE(auto plan, source->PlanRead(read, 1, stop));
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
        ARROW_ASSIGN_OR_RAISE(batch, KeysOf(stream, read, *batch));
        ARROW_RETURN_NOT_OK(boundary->Add(*batch));
      }
      if (step.end) break;
    }
  }
  return boundary;
}

arrow::Status Boundary::Add(const arrow::RecordBatch& rows) {
  ARROW_ASSIGN_OR_RAISE(auto keys, RowKeys::Make(rows, stream_.columns.key_ids));
  for (int64_t row = 0; row < rows.num_rows(); ++row) keys_.Add(keys.At(row));
  if (keys_.bytes() <= kMemory) return arrow::Status::OK();
  return MakeError(ErrorClass::kUnsupported, "cursor.boundary_memory",
                   "The keys of the rows at the watermark " + *stream_.watermark.value +
                       " take more than 64 MiB",
                   "Use load.mode: upsert, which needs no such memory");
}

arrow::Result<std::vector<uint8_t>> Boundary::Known(
    const std::shared_ptr<arrow::Array>& cursors, const arrow::RecordBatch& rows) const {
  const auto column =
      arrow::RecordBatch::Make(arrow::schema({arrow::field(kCursor, cursors->type())}),
                               rows.num_rows(), {cursors});
  // A known key with a later cursor is another version of its row.
  auto known = at_watermark_->Passing(*column);
  ARROW_ASSIGN_OR_RAISE(auto keys, RowKeys::Make(rows, stream_.columns.key_ids));
  for (int64_t row = 0; row < rows.num_rows(); ++row) {
    uint8_t& here = known[static_cast<size_t>(row)];
    here = here && keys_.Contains(keys.At(row));
  }
  return known;
}

}  // namespace dxt
