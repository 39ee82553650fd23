#include "client/dxtctl/yaml_reading.h"

#include <yaml-cpp/yaml.h>
#include <nlohmann/json.hpp>

namespace dxt::ctl {
namespace {

using Json = nlohmann::ordered_json;

Json Scalar(const YAML::Node& node) {
  const std::string& text = node.Scalar();
  if (node.Tag() == "!") return text;  // It was quoted.
  if (text.empty() || text == "~" || text == "null") return nullptr;
  // JSON's numbers, true and false are YAML's; what is none of them is text.
  const Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return value.is_number() || value.is_boolean() ? value : Json(text);
}

Json Convert(const YAML::Node& node) {
  if (node.IsMap()) {
    Json object = Json::object();
    for (const auto& entry : node) object[entry.first.Scalar()] = Convert(entry.second);
    return object;
  }
  if (node.IsSequence()) {
    Json array = Json::array();
    for (const auto& item : node) array.push_back(Convert(item));
    return array;
  }
  return node.IsScalar() ? Scalar(node) : Json();
}

}  // namespace

Result<Json> ReadYaml(const std::string& text) {
  try {
    return Convert(YAML::Load(text));
  } catch (const YAML::Exception& error) {
    return UsageError(std::string("This is no YAML: ") + error.what());
  }
}

}  // namespace dxt::ctl
