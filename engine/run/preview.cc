#include <arrow/api.h>

#include "base/error.h"
#include "engine/run/cell_text.h"
#include "engine/run/engine.h"
#include "engine/run/stream_plan.h"

namespace dxt {
arrow::Result<PreviewTable> PreviewStream(const PipelineDocument& pipeline,
                                          const std::string& stream, int64_t rows,
                                          const RunContext& context,
                                          std::stop_token stop) {
  const StreamConfig* config = nullptr;
  for (const auto& candidate : pipeline.streams) {
    if (candidate.id == stream || stream.empty()) {
      config = &candidate;
      break;
    }
  }
  if (!config) {
    return MakeError(ErrorClass::kConfig, "selection.empty",
                     "There is no stream '" + stream + "' in pipeline " + pipeline.name);
  }
  ARROW_ASSIGN_OR_RAISE(auto source, OpenSource(pipeline.source, context, stop));
  StreamRef ref{config->kind, config->source, config->extract.options};
  ARROW_ASSIGN_OR_RAISE(auto info, source->Describe(ref, stop));
  StreamConfig plain = *config;
  plain.extract.incremental = false;
  std::vector<Field> typed;
  if (const auto expressions = ExpressionsOf(plain); !expressions.empty()) {
    ARROW_ASSIGN_OR_RAISE(typed, source->DescribeExpressions(ref, expressions, stop));
  }
  ARROW_ASSIGN_OR_RAISE(auto columns, ResolveColumns(plain, info, typed));
  ReadSpec read;
  read.ref = ref;
  read.columns = columns.reads;
  read.where = config->where;
  read.limit = rows;
  for (const auto& [name, value] : pipeline.variables)
    read.variables.emplace_back(name, value);
  PreviewTable table;
  for (const auto& column : columns.reads) {
    table.columns.push_back(column.name);
    table.dtypes.push_back(ToString(column.type));
  }
  ARROW_ASSIGN_OR_RAISE(auto plan, source->PlanRead(read, 1, stop));
  ARROW_ASSIGN_OR_RAISE(
      auto reader, source->OpenReader(read, plan.splits.front(), std::nullopt, stop));
  while (static_cast<int64_t>(table.rows.size()) < rows) {
    ARROW_ASSIGN_OR_RAISE(auto step, reader->Next(stop));
    const int64_t got = step.batch ? step.batch->num_rows() : 0;
    for (int64_t row = 0; row < got && static_cast<int64_t>(table.rows.size()) < rows;
         ++row) {
      std::vector<std::optional<std::string>> cells;
      for (int i = 0; i < step.batch->num_columns(); ++i) {
        cells.push_back(CellText(*step.batch->column(i), row, columns.reads[i].type));
      }
      table.rows.push_back(std::move(cells));
    }
    if (step.end) break;
  }
  return table;
}

}  // namespace dxt
