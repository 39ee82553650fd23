#pragma once
#include "client/dxtctl/invocation.h"

namespace CLI {
class App;
}

namespace dxt::ctl {

/// Adds every option and verb to a new parser.
void BuildCommandLine(CLI::App& app, Invocation& invocation);

/// Parses, acts and reports; the process's exit code.
int RunCommandLine(int argc, char** argv);

}  // namespace dxt::ctl
