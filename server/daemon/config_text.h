#pragma once
#include <string>
#include <vector>

#include "connectors/sdk/config.h"
#include "engine/plan/checker.h"

namespace dxt {

ConfigValue ScalarValue(std::string text, const Mark& mark = {});

std::vector<std::string> SplitAtCommas(const std::string& text);

/// What a flag or variable says, in the shape of its key. `name` is its mark.
ConfigValue FromTexts(const OptionSpec& spec, std::vector<std::string> texts,
                      const std::string& name, ProblemList& problems);

/// As YAML, on one line.
std::string ToText(const ConfigValue& value);

/// env:NAME or file:/path: where a secret is, and not a secret.
bool IsSecretPlace(std::string_view text);

}  // namespace dxt
