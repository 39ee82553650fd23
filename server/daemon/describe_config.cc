#include <algorithm>

#include "server/daemon/config.h"

namespace dxt {

std::string DescribeConfig(const LoadedConfig& loaded) {
  std::string text = loaded.file.empty() ? std::string("# no configuration file\n")
                                         : "# " + loaded.file.string() + "\n";
  size_t width = 0;
  std::vector<std::string> lines;
  std::string section;
  for (const auto& option : loaded.options) {
    const size_t dot = option.path.find('.');
    const std::string parent =
        dot == std::string::npos ? std::string() : option.path.substr(0, dot);
    std::string line;
    if (parent != section && !parent.empty()) lines.push_back(parent + ":");
    section = parent;
    line = parent.empty() ? option.path : "  " + option.path.substr(dot + 1);
    line += ": " + option.value;
    lines.push_back(line);
    width = std::max(width, std::min<size_t>(line.size(), 60));
  }
  size_t next = 0;
  for (auto& line : lines) {
    if (!line.ends_with(':') || line.starts_with(' ')) {
      line.resize(std::max(width, line.size()), ' ');
      line += "  # " + loaded.options[next++].source;
    }
    text += line + "\n";
  }
  for (const auto& problem : loaded.problems) text += FormatProblem(problem) + "\n";
  return text;
}

}  // namespace dxt
