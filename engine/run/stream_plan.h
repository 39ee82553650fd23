#pragma once
// Decides what a run of one stream does.
#include <memory>
#include <stop_token>

#include <arrow/result.h>

#include "engine/run/prepared_stream.h"

namespace dxt {

/// Opens both ends, reads both catalogues and decides. Writes nothing anywhere.
arrow::Result<std::unique_ptr<PreparedStream>> PrepareStream(
    const PipelineDocument& pipeline, const StreamConfig& config,
    const RunOptions& options, const RunContext& context, std::stop_token stop);

/// The same for a sealed package, whose schema stands in for the source.
arrow::Result<std::unique_ptr<PreparedStream>> PreparePackage(
    const PipelineDocument& pipeline, const StreamConfig& config,
    const StreamSchema& package, const RunOptions& options, const RunContext& context,
    std::stop_token stop);

}  // namespace dxt
