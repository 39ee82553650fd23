#pragma once
#include "server/daemon/config.h"
#include "server/daemon/options.h"

namespace dxt {

/// What an option is that nobody gave: of the table of options, or, where that only
/// describes it, worked out from the machine and the environment.
ConfigValue DefaultOf(const DaemonOption& option, const ConfigSources& sources);

}  // namespace dxt
