#pragma once
// Where the read of a stream begins, where it ends, and in what order it goes.
#include <stop_token>
#include <string>

#include <arrow/status.h>

#include "engine/run/prepared_stream.h"

namespace dxt {

/// --full-refresh is asked of this stream.
bool Refreshed(const RunOptions& options, const std::string& stream);

/// Sets the watermark, or the range of a backfill, and with it the bounds, the order and
/// the windows of `stream.read`. Columns and target must be decided.
arrow::Status DecideCursor(PreparedStream& stream, const RunOptions& options,
                           const RunContext& context, std::stop_token stop);

}  // namespace dxt
