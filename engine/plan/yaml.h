#pragma once
#include <optional>
#include <string>
#include <vector>

#include "engine/plan/documents.h"

namespace dxt {

/// What a document may hold, before its keys are looked at.
struct YamlLimits {
  size_t bytes = 1 << 20;
  int depth = 64;
  int nodes = 20000;
};

/// Reads one YAML (or JSON) document into a tree with marks. Refuses anchors, aliases,
/// tags, duplicate keys, keys that are not text, several documents, control characters
/// and invalid UTF-8, and whatever passes the limits; appends to `problems` and returns
/// nullopt where there was one. Time and memory are linear in the text. Columns count
/// characters.
std::optional<ConfigValue> ParseYaml(const DocumentText& document,
                                     const std::string& name,
                                     std::vector<Problem>& problems,
                                     const YamlLimits& limits = {});

}  // namespace dxt
