#include "engine/run/boundary.h"

#include <arrow/api.h>

#include "base/error.h"
#include "engine/run/filter.h"
#include "engine/run/target_rows.h"

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
  ARROW_ASSIGN_OR_RAISE(auto target, TargetRows::Open(stream, pipeline, context, stop));
  std::vector<TargetRows::Wanted> keys;
  for (const auto& id : stream.columns.key_ids) {
    // Keys are compared as the stream's own types, whatever the target made of them.
    const PlannedColumn& column = *stream.Column(id);
    if (!target->Find(column.wanted.name)) return NoKeys(stream);
    keys.push_back({id, column.wanted.name, column.field.type});
  }
  const Field* cursor = target->Find(stream.columns.cursor_target);
  if (!cursor) return NoKeys(stream);
  Filter at;
  at.column = stream.columns.cursor_target;
  at.op = FilterOp::kEq;
  at.values = {*stream.watermark.value};
  at.type = cursor->type;
  std::unique_ptr<Boundary> boundary(new Boundary(stream));
  ARROW_ASSIGN_OR_RAISE(boundary->at_watermark_, AtWatermark(stream));
  ARROW_RETURN_NOT_OK(target->Read(
      keys, {at}, [&](const arrow::RecordBatch& rows) { return boundary->Add(rows); },
      stop));
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
