#pragma once
// `extract.boundary: inclusive` with append: which rows at the watermark are loaded
// already.
#include <stop_token>
#include <string>
#include <unordered_set>

#include <arrow/result.h>

#include "engine/run/prepared_stream.h"

namespace dxt {

/// True when rows at the lower bound are read again and only keys can tell old from new.
bool NeedsBoundaryKeys(const PreparedStream& stream);

/// Reads, from the target, the keys of the rows whose cursor equals the watermark, as
/// RowKey texts. At most 64 MiB of them: kUnsupported "cursor.boundary_memory". kConfig
/// "cursor.boundary_keys" when the stream has no keys or does not load its watermark
/// field.
arrow::Result<std::unordered_set<std::string>> ReadBoundaryKeys(
    const PreparedStream& stream, const PipelineDocument& pipeline,
    const RunContext& context, std::stop_token stop);

}  // namespace dxt
