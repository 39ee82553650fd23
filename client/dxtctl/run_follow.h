#pragma once
// Following runs of a daemon that goes on without its clients.
#include <chrono>
#include <optional>
#include <string>

#include "client/dxtctl/invocation.h"

namespace dxt::v1 {
class Run;
}

namespace dxt::ctl {

struct FollowOptions {
  std::optional<std::chrono::seconds> timeout;
  /// Lines on stdout, one a change, where nothing can be redrawn; else they go to stderr.
  bool lines_on_stdout = false;
};

/// Follows a run to its end, over lost connections, and prints its result as `run` does;
/// the run's exit code, or kExitTimedOut. Ctrl-C leaves the run alone and says how to
/// come back to it.
Result<int> FollowRun(Invocation& invocation, const ResourceServer& server,
                      const std::string& name, const FollowOptions& options);

/// "QUEUED", "RUNNING", …
std::string StateText(const v1::Run& run);

}  // namespace dxt::ctl
