#pragma once
#include <string>
#include <vector>

#include "engine/plan/compile.h"

namespace dxt {

/// The rules of an `alerts:` list; a webhook is remembered as a secret.
std::vector<AlertRule> CompileAlerts(const ConfigValue& document,
                                     CompileContext& context);

}  // namespace dxt
