#pragma once
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "client/dxtctl/result.h"

namespace dxt::ctl {

/// A variable of this process; "" = unset.
std::string EnvironmentText(const char* name);

/// Names in `${NAME}` and `${NAME:-default}`; `$${` is literal text, any other `$` too.
std::set<std::string> VariableNames(std::string_view text);

/// Reads the text of a `.env` file: NAME=value lines, `export` before them, # comments,
/// values bare, in 'single' quotes (as they are) or in "double" ones (\n \t \" \\ \$).
/// `file` is for messages.
Result<std::map<std::string, std::string>> ParseEnvFile(std::string_view text,
                                                        const std::string& file);

/// Values for `names`: from the process environment, else from `env_file`. Names that
/// neither has are left out: the server knows their defaults, and where they are missed.
std::map<std::string, std::string> VariableValues(
    const std::set<std::string>& names,
    const std::map<std::string, std::string>& env_file);

}  // namespace dxt::ctl
