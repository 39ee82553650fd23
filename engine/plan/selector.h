#pragma once
#include <string>
#include <vector>

#include <arrow/result.h>

#include "engine/plan/documents.h"

namespace dxt {

/// Keeps the streams that `--select` names and `--exclude` does not, in their order.
///   id | glob with * and ? | tag:NAME (a glob too) | all;  `+` = and, `,` = or, `+`
///   first.
/// "" selects all, or excludes none. kConfig: "selector.invalid"; "selector.unknown" for
/// an id without a glob that no stream has; "selector.empty" when nothing is left. With
/// `allow_empty` the last two are not errors.
arrow::Result<std::vector<StreamConfig>> SelectStreams(std::vector<StreamConfig> streams,
                                                       const std::string& select,
                                                       const std::string& exclude,
                                                       bool allow_empty = false);

}  // namespace dxt
