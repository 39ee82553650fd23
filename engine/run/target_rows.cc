#include "engine/run/target_rows.h"

#include <arrow/api.h>

#include "base/error.h"
#include "engine/plan/convert.h"
#include "engine/run/filter.h"

namespace dxt {

arrow::Result<std::unique_ptr<TargetRows>> TargetRows::Open(
    const PreparedStream& stream, const PipelineDocument& pipeline,
    const RunContext& context, std::stop_token stop) {
  std::unique_ptr<TargetRows> rows(new TargetRows(stream));
  ARROW_ASSIGN_OR_RAISE(rows->source_, OpenSource(pipeline.target, context, stop));
  rows->ref_ = {StreamKind::kTable, stream.config.target, {}};
  if (!stream.target_can.Has(Capability::kSql)) rows->DeclareTypes();
  ARROW_ASSIGN_OR_RAISE(rows->info_, rows->source_->Describe(rows->ref_, stop));
  return rows;
}

void TargetRows::DeclareTypes() {
  ConfigValue columns;
  columns.kind = ConfigValue::Kind::kMap;
  for (const auto& column : stream_.table_plan.columns) {
    ConfigValue type;
    type.kind = ConfigValue::Kind::kScalar;
    type.scalar = ToString(column.domain.deliver);
    columns.map.emplace_back(column.name, std::move(type));
  }
  ref_.options = stream_.config.load.options;
  ref_.options.kind = ConfigValue::Kind::kMap;
  std::erase_if(ref_.options.map,
                [](const auto& entry) { return entry.first == "columns"; });
  ref_.options.map.emplace_back("columns", std::move(columns));
}

const Field* TargetRows::Find(const std::string& column) const {
  return info_.columns.Find(column);
}

arrow::Status TargetRows::Read(const std::vector<Wanted>& wanted,
                               std::vector<Filter> filters, const Sink& sink,
                               std::stop_token stop) {
  ReadSpec read;
  read.ref = ref_;
  std::vector<std::unique_ptr<Conversion>> conversions;
  arrow::FieldVector fields;
  const auto add = [&](const std::string& name, const std::string& column) {
    const Field* field = Find(column);
    if (field) {
      read.columns.push_back({name, column, "", field->type, field->native, false});
    }
    return field;
  };
  for (const auto& column : wanted) {
    const Field* from = add(column.name, column.column);
    if (!from) {
      return MakeError(ErrorClass::kConfig, "plan.column_missing",
                       "The target " + stream_.target.reference + " has no column '" +
                           column.column + "'");
    }
    ARROW_ASSIGN_OR_RAISE(conversions.emplace_back(),
                          Conversion::Make(*from, column.type, {}));
    Field to;
    to.name = column.name;
    to.type = column.type;
    fields.push_back(ArrowField(to));
  }
  // The columns that only filters need stand behind, and are not delivered.
  for (const auto& filter : filters) add("_dxt_filter_" + filter.column, filter.column);
  read.filters = std::move(filters);
  std::unique_ptr<RowFilter> filter;
  if (!stream_.target_can.Has(Capability::kPushdown)) {
    ARROW_ASSIGN_OR_RAISE(filter, RowFilter::Make(read));
  }
  const auto schema = arrow::schema(std::move(fields));
  ARROW_ASSIGN_OR_RAISE(auto plan, source_->PlanRead(read, 1, stop));
  for (const auto& split : plan.splits) {
    ARROW_ASSIGN_OR_RAISE(auto reader,
                          source_->OpenReader(read, split, std::nullopt, stop));
    while (true) {
      ARROW_ASSIGN_OR_RAISE(auto step, reader->Next(stop));
      if (step.batch && step.batch->num_rows() > 0) {
        auto batch = step.batch;
        if (filter) {
          ARROW_ASSIGN_OR_RAISE(batch, filter->Apply(batch));
        }
        std::vector<std::shared_ptr<arrow::Array>> arrays;
        for (size_t i = 0; i < conversions.size(); ++i) {
          ARROW_ASSIGN_OR_RAISE(
              arrays.emplace_back(),
              conversions[i]->Apply(batch->column(static_cast<int>(i))));
        }
        const int64_t rows = batch->num_rows();
        ARROW_RETURN_NOT_OK(
            sink(*arrow::RecordBatch::Make(schema, rows, std::move(arrays))));
      }
      if (step.end) break;
    }
  }
  return arrow::Status::OK();
}

}  // namespace dxt
