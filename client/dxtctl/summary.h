#pragma once
#include <string>

#include "client/dxtctl/invocation.h"

namespace dxt::ctl {

/// Prints a dxt.run_result/1 on stdout in the chosen format, `-o json` verbatim; in the
/// formats for people, warnings and errors follow on stderr, one paragraph each.
void PrintRunResult(Invocation& invocation, const std::string& run_name,
                    const std::string& result_json);

}  // namespace dxt::ctl
