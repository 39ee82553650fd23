#include "server/daemon/config_defaults.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include <unistd.h>

#include "server/daemon/config_text.h"

namespace dxt {
namespace {

namespace fs = std::filesystem;
using Kind = ConfigValue::Kind;

std::string Variable(const ConfigSources& sources, const char* name) {
  const auto found = sources.environment.find(name);
  return found == sources.environment.end() ? std::string() : found->second;
}

/// A folder that systemd made; it may list several.
std::string FirstFolder(const ConfigSources& sources, const char* name) {
  const std::string folders = Variable(sources, name);
  return folders.substr(0, folders.find(':'));
}

std::string StateDir(const ConfigSources& sources) {
  if (auto given = FirstFolder(sources, "STATE_DIRECTORY"); !given.empty()) return given;
  if (sources.root) return "/var/lib/dxt";
  if (auto xdg = Variable(sources, "XDG_STATE_HOME"); !xdg.empty()) {
    return fs::path(xdg) / "dxt/daemon";
  }
  return fs::path(Variable(sources, "HOME")) / ".local/state/dxt/daemon";
}

std::string Listen(const ConfigSources& sources) {
  if (auto given = FirstFolder(sources, "RUNTIME_DIRECTORY"); !given.empty()) {
    return "unix:" + given + "/dxtd.sock";
  }
  if (sources.root) return "unix:/run/dxt/dxtd.sock";
  if (auto xdg = Variable(sources, "XDG_RUNTIME_DIR"); !xdg.empty()) {
    return "unix:" + xdg + "/dxt/dxtd.sock";
  }
  return "unix:/tmp/dxt-" + std::to_string(getuid()) + "/dxtd.sock";
}

std::string Workers(const ConfigSources&) {
  return std::to_string(std::max(1u, std::thread::hardware_concurrency()));
}

/// Half of what the cgroup or the machine has, at most 4 GiB.
std::string MemoryBudget(const ConfigSources&) {
  const auto first_number = [](const char* path) {
    std::ifstream file(path);
    int64_t number = 0;
    return file >> number ? number : int64_t{0};
  };
  int64_t memory = int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
  for (const char* limit :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    if (const int64_t bytes = first_number(limit); bytes > 0)
      memory = std::min(memory, bytes);
  }
  return std::to_string(std::min<int64_t>(memory / 2, int64_t{4} << 30));
}

std::string Nothing(const ConfigSources&) { return {}; }

std::string ServiceName(const ConfigSources&) { return "dxtd"; }

/// Of the options whose default in the table is words for people.
struct Described {
  std::string_view path;
  std::string (*value)(const ConfigSources& sources);
};
constexpr Described kDescribed[] = {
    {"state_dir", StateDir},
    {"listen", Listen},
    {"socket_group", Nothing},
    {"workers", Workers},
    {"memory_budget", MemoryBudget},
    {"otel.endpoint", Nothing},
    {"otel.service_name", ServiceName},
};

}  // namespace

ConfigValue DefaultOf(const DaemonOption& option, const ConfigSources& sources) {
  std::string text = option.spec->default_value;
  for (const auto& described : kDescribed) {
    if (described.path == option.path) text = described.value(sources);
  }
  ConfigValue value;
  switch (option.spec->kind) {
    case OptionKind::kList:
      value.kind = Kind::kList;
      if (!text.empty()) value.list.push_back(ScalarValue(std::move(text)));
      return value;
    case OptionKind::kMap:
      value.kind = Kind::kMap;
      return value;
    default:
      return ScalarValue(std::move(text));
  }
}

}  // namespace dxt
