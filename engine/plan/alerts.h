#pragma once
#include <string>
#include <vector>

#include "engine/plan/compile.h"

namespace dxt {

/// The rules of an `alerts:` list; a webhook is remembered as a secret.
std::vector<AlertRule> CompileAlerts(const ConfigValue& document,
                                     CompileContext& context);

/// All that hold for a pipeline: its own come first, so that they win.
std::vector<AlertRule> JoinAlerts(std::vector<AlertRule> pipelines,
                                  const std::vector<AlertRule>& projects);

}  // namespace dxt
