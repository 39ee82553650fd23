#pragma once
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "client/dxtctl/result.h"

namespace dxt::ctl {

/// A YAML document as JSON: plain scalars that are numbers, booleans or null become such.
Result<nlohmann::ordered_json> ReadYaml(const std::string& text);

}  // namespace dxt::ctl
