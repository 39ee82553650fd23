#pragma once
#include <stop_token>
#include <vector>

#include <arrow/result.h>

#include "engine/run/engine.h"

namespace dxt {

/// The streams of a run: `schema.*` becomes one for each table that the source has there
/// (asks the source), then the selection, without those that are left out. kConfig
/// "selection.…", "selector.…".
arrow::Result<std::vector<StreamConfig>> SelectedStreams(const PipelineDocument& pipeline,
                                                         const RunOptions& options,
                                                         const RunContext& context,
                                                         std::stop_token stop);

/// What SelectedStreams would refuse of the selection, as far as that is known without
/// the source: all of it, unless a stream is `schema.*`. Asks nothing.
arrow::Status CheckSelection(const PipelineDocument& pipeline, const RunOptions& options);

}  // namespace dxt
