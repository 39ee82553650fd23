#pragma once
#include <stop_token>

#include "engine/run/engine.h"
#include "engine/run/result.h"

namespace dxt {

/// Loads dead letters of one stream again, as its document says today, on a chain of
/// their own: neither watermark nor other rows are touched. A mode that takes rows away
/// (replace, mirror, delete_insert) only adds here, by key where it has keys. What cannot
/// be loaded this time either stays a dead letter, with the new reason.
///
/// Exactly once: the letters are tied to the load before its intent is recorded, and are
/// marked in the transaction that saves its checkpoint. A process that dies between the
/// target's commit and that leaves the intent; the next replay looks the load up in the
/// target, settles it, and only then reads which letters wait.
///
/// Blocks until it has ended; never returns a bare error.
StreamResult ReplayStream(const PipelineDocument& pipeline, const StreamConfig& config,
                          const RunOptions& options, const RunContext& context,
                          std::stop_token stop);

}  // namespace dxt
