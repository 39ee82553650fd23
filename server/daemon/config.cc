#include "server/daemon/config.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <sstream>

#include <sys/un.h>

#include "base/spelling.h"
#include "engine/plan/checker.h"
#include "engine/plan/yaml.h"
#include "server/daemon/config_defaults.h"
#include "server/daemon/config_text.h"
#include "server/daemon/open_telemetry.h"
#include "server/daemon/options.h"

namespace dxt {
namespace {

namespace fs = std::filesystem;
using Kind = ConfigValue::Kind;

constexpr char kConfigVariable[] = "DXTD_CONFIG";

std::string Get(const std::map<std::string, std::string>& map, const std::string& name) {
  const auto found = map.find(name);
  return found == map.end() ? std::string() : found->second;
}

/// Puts the value at a dotted path, making the maps on the way.
void Put(ConfigValue& tree, std::string_view path, ConfigValue value) {
  ConfigValue* at = &tree;
  while (true) {
    at->kind = Kind::kMap;
    const size_t dot = path.find('.');
    const std::string key(path.substr(0, dot));
    auto item = std::find_if(at->map.begin(), at->map.end(),
                             [&](const auto& entry) { return entry.first == key; });
    if (item == at->map.end()) {
      item = at->map.insert(at->map.end(), {key, ConfigValue()});
    }
    at = &item->second;
    if (dot == std::string_view::npos) break;
    path.remove_prefix(dot + 1);
  }
  *at = std::move(value);
}

const ConfigValue* At(const ConfigValue& tree, std::string_view path) {
  const ConfigValue* at = &tree;
  while (at != nullptr && !path.empty()) {
    const size_t dot = path.find('.');
    at = at->Get(path.substr(0, dot));
    path.remove_prefix(dot == std::string_view::npos ? path.size() : dot + 1);
  }
  return at != nullptr && at->kind != Kind::kNull ? at : nullptr;
}

/// Merges the layers and keeps where each value came from.
class Loader {
 public:
  explicit Loader(const ConfigSources& sources) : sources_(sources) {}

  LoadedConfig Load() {
    ReadFile();
    ReadEnvironment();
    for (const auto& option : DaemonOptions()) Merge(option);
    Derive();
    CheckListening();
    CheckPlaces();
    problems_.Tidy();
    loaded_.problems = std::move(problems_.items());
    return std::move(loaded_);
  }

 private:
  fs::path FindFile() const {
    if (sources_.file) return *sources_.file;
    if (const auto named = Get(sources_.environment, kConfigVariable); !named.empty()) {
      return named;
    }
    std::vector<fs::path> candidates;
    const std::string xdg = Get(sources_.environment, "XDG_CONFIG_HOME");
    const std::string home = Get(sources_.environment, "HOME");
    if (!xdg.empty()) candidates.push_back(fs::path(xdg) / "dxt/dxtd.yaml");
    if (xdg.empty() && !home.empty() && !sources_.root) {
      candidates.push_back(fs::path(home) / ".config/dxt/dxtd.yaml");
    }
    candidates.push_back("/etc/dxt/dxtd.yaml");
    std::error_code error;
    for (const auto& candidate : candidates) {
      if (fs::exists(candidate, error)) return candidate;
    }
    return {};
  }

  void ReadFile() {
    if (sources_.read_file) loaded_.file = FindFile();
    if (loaded_.file.empty()) return;
    loaded_.file = fs::absolute(loaded_.file);
    errno = 0;
    std::ifstream file(loaded_.file);
    std::stringstream text;
    text << file.rdbuf();
    if (!file) {
      const std::string why = errno != 0 ? std::strerror(errno) : "it is no file of text";
      problems_.Error(
          {loaded_.file.string(), 0, 0}, "", "server.config_unreadable",
          "cannot read the configuration file " + loaded_.file.string() + ": " + why,
          "name another one with --config");
      return;
    }
    if (text.str().find_first_not_of(" \t\r\n") == std::string::npos) return;
    auto parsed = ParseYaml({loaded_.file.string(), text.str()}, loaded_.file.string(),
                            problems_.items());
    if (!parsed || parsed->kind == Kind::kNull) return;
    Checker(problems_).Check(*parsed, DaemonKeys(), "");
    file_ = std::move(*parsed);
  }

  void ReadEnvironment() {
    std::vector<std::string> known = {kConfigVariable};
    for (const auto& option : DaemonOptions()) known.push_back(option.environment);
    for (const auto& [name, value] : sources_.environment) {
      if (!name.starts_with("DXTD_")) continue;
      if (std::find(known.begin(), known.end(), name) != known.end()) continue;
      problems_.Error({name, 0, 0}, name, "config.unknown_key",
                      "the environment has " + name + ", which dxtd does not know",
                      DidYouMean(name, known));
    }
  }

  void Merge(const DaemonOption& option) {
    ConfigValue value;
    std::string source = "default";
    const auto flag = sources_.flags.find(option.path);
    const auto variable = sources_.environment.find(option.environment);
    if (flag != sources_.flags.end()) {
      source = option.flag;
      value = FromTexts(*option.spec, flag->second, source, problems_);
      Checker(problems_).Check(value, *option.spec, source);
    } else if (variable != sources_.environment.end()) {
      source = option.environment;
      const bool many =
          option.spec->kind == OptionKind::kList || option.spec->kind == OptionKind::kMap;
      value = FromTexts(*option.spec,
                        many ? SplitAtCommas(variable->second)
                             : std::vector<std::string>{variable->second},
                        source, problems_);
      Checker(problems_).Check(value, *option.spec, source);
    } else if (const ConfigValue* written = At(file_, option.path)) {
      value = *written;
      source = loaded_.file.string() + ":" + std::to_string(value.mark.line);
    } else if (const auto standard =
                   FromOpenTelemetry(option.path, sources_.environment)) {
      source = standard->name;
      value = FromTexts(*option.spec, {standard->value}, source, problems_);
      Checker(problems_).Check(value, *option.spec, source);
    } else {
      value = DefaultOf(option, sources_);
    }
    loaded_.options.push_back({option.path, Shown(option, value), source});
    marks_[option.path] = value.mark.line > 0 ? value.mark : Mark{source, 0, 0};
    Put(merged_, option.path, std::move(value));
  }

  /// A secret that stands where its place should is a problem, and is not shown.
  static std::string Shown(const DaemonOption& option, ConfigValue value) {
    if (option.path == "secrets" || option.path == "otel.headers") {
      for (auto& [name, place] : value.map) {
        if (!IsSecretPlace(place.scalar)) place = ScalarValue("***");
      }
    }
    return ToText(value);
  }

  std::string Text(std::string_view path) const {
    const ConfigValue* value = At(merged_, path);
    return value != nullptr ? value->scalar : std::string();
  }
  std::vector<std::string> Texts(std::string_view path) const {
    std::vector<std::string> texts;
    if (const ConfigValue* value = At(merged_, path)) {
      for (const auto& item : value->list) {
        if (item.kind == Kind::kScalar) texts.push_back(item.scalar);
      }
    }
    return texts;
  }
  std::map<std::string, std::string> Map(std::string_view path) const {
    std::map<std::string, std::string> map;
    if (const ConfigValue* value = At(merged_, path)) {
      for (const auto& [name, item] : value->map) map[name] = item.scalar;
    }
    return map;
  }
  int64_t Number(std::string_view path) const {
    const std::string text = Text(path);
    int64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
  }
  std::chrono::milliseconds Duration(std::string_view path) const {
    return std::chrono::milliseconds(ParseDurationMillis(Text(path)).value_or(0));
  }
  /// Relative to the configuration file when it is written there.
  fs::path Place(const std::string& path, const std::string& text) const {
    if (text.empty() || text == "-") return text;
    const Mark mark = marks_.count(path) ? marks_.at(path) : Mark();
    const fs::path base = mark.line > 0 ? loaded_.file.parent_path() : fs::current_path();
    return (base / text).lexically_normal();
  }
  fs::path Place(const std::string& path) const { return Place(path, Text(path)); }

  Problem& Error(const std::string& path, std::string code, std::string message,
                 std::string suggestion = {}) {
    const auto mark = marks_.find(path);
    return problems_.Error(mark == marks_.end() ? Mark() : mark->second, path,
                           std::move(code), std::move(message), std::move(suggestion));
  }

  void Derive() {
    DaemonConfig& config = loaded_.config;
    config.state_dir = Place("state_dir");
    config.socket_mode =
        static_cast<unsigned>(std::strtoul(Text("socket_mode").c_str(), nullptr, 8));
    config.socket_group = Text("socket_group");
    config.tls_cert = Place("tls.cert");
    config.tls_key = Place("tls.key");
    config.tls_client_ca = Place("tls.client_ca");
    config.token_file = Place("auth.token_file");
    config.insecure_listen = ParseBoolean(Text("insecure_listen")).value_or(false);
    config.reflection = ParseBoolean(Text("reflection")).value_or(false);
    config.workers = static_cast<int>(Number("workers"));
    config.memory_budget = ParseByteSize(Text("memory_budget")).value_or(0);
    config.pipelines_dir = Place("pipelines_dir");
    for (const auto& root : Texts("files.roots")) {
      config.file_roots.push_back(Place("files.roots", root));
    }
    config.variables = Map("variables");
    config.secrets = Map("secrets");
    config.retention_age =
        std::chrono::duration_cast<std::chrono::seconds>(Duration("retention.runs"));
    config.retention_per_pipeline =
        static_cast<int>(Number("retention.runs_per_pipeline"));
    config.retention_audit =
        std::chrono::duration_cast<std::chrono::seconds>(Duration("retention.audit"));
    config.shutdown_grace = Duration("shutdown_grace");
    const std::string level = Text("log.level");
    config.log.level = level == "debug"     ? LogLevel::kDebug
                       : level == "warning" ? LogLevel::kWarning
                       : level == "error"   ? LogLevel::kError
                                            : LogLevel::kInfo;
    config.log.json = Text("log.format") != "text";
    config.log.file = Place("log.file");
    config.traces.url = TracesUrl(Text("otel.endpoint"), marks_["otel.endpoint"].file);
    config.traces.service_name = Text("otel.service_name");
    config.traces.headers = Map("otel.headers");
    config.traces.secret_headers =
        StandardPairs("HEADERS", sources_.environment, problems_);
    config.traces.resource =
        StandardPairs("RESOURCE_ATTRIBUTES", sources_.environment, problems_);
  }

  std::optional<Address> TakeAddress(const std::string& path, const std::string& text) {
    auto address = ParseAddress(text);
    if (!address) {
      Error(path, "server.bad_address",
            "'" + Shortened(text, 80) + "' is no address to listen at",
            "write unix:/path or host:port");
    } else if (address->is_unix &&
               address->text.size() >= sizeof(sockaddr_un::sun_path)) {
      Error(path, "server.bad_address",
            "the socket's path " + address->text + " is longer than 107 bytes");
      return std::nullopt;
    }
    return address;
  }

  void CheckListening() {
    DaemonConfig& config = loaded_.config;
    const bool mutual = !config.tls_client_ca.empty();
    for (const auto& text : Texts("listen")) {
      const auto address = TakeAddress("listen", text);
      if (!address) continue;
      const bool open = !address->is_unix && !mutual && config.token_file.empty();
      if (open && !config.insecure_listen) {
        Error("listen", "server.listen_unprotected",
              "anyone who reaches " + address->text + " could use this daemon",
              "set auth.token_file, or tls.cert, tls.key and tls.client_ca; for a test, "
              "insecure_listen: true");
      } else if (open) {
        problems_.Warn(marks_["insecure_listen"], "insecure_listen", "server.insecure",
                       "anyone who reaches " + address->text + " can use this daemon");
      }
      config.listen.push_back(*address);
    }
    if (config.listen.empty() && Texts("listen").empty()) {
      Error("listen", "config.empty", "dxtd has nowhere to listen",
            "write unix:/path or host:port");
    }
    if (config.tls_cert.empty() != config.tls_key.empty()) {
      Error(config.tls_cert.empty() ? "tls.key" : "tls.cert", "config.missing_key",
            "tls.cert and tls.key belong together");
    }
    if (mutual && config.tls_cert.empty()) {
      Error("tls.client_ca", "config.missing_key",
            "tls.client_ca needs tls.cert and tls.key beside it");
    }
    if (const auto text = Text("http.listen"); !text.empty()) {
      config.http_listen = TakeAddress("http.listen", text);
    }
  }

  void CheckPlaces() {
    const DaemonConfig& config = loaded_.config;
    std::error_code error;
    for (const auto& root : config.file_roots) {
      if (!fs::is_directory(root, error)) {
        Error("files.roots", "server.folder_missing",
              root.string() + " is no folder that dxtd can see");
      }
    }
    if (!config.pipelines_dir.empty() && !fs::is_directory(config.pipelines_dir, error)) {
      Error("pipelines_dir", "server.folder_missing",
            config.pipelines_dir.string() + " is no folder that dxtd can see");
    }
    CheckSecrets("secrets", config.secrets);
    CheckSecrets("otel.headers", config.traces.headers);
  }

  void CheckSecrets(const std::string& path,
                    const std::map<std::string, std::string>& places) {
    for (const auto& [name, place] : places) {
      if (IsSecretPlace(place)) continue;
      Error(path, "config.bad_name",
            "the secret " + name + " says a value, not where one is",
            "write env:NAME or file:/path");
    }
  }

  const ConfigSources& sources_;
  LoadedConfig loaded_;
  ProblemList problems_;
  ConfigValue file_, merged_;
  std::map<std::string, Mark> marks_;
};

}  // namespace

bool LoadedConfig::ok() const {
  return std::none_of(problems.begin(), problems.end(), [](const Problem& problem) {
    return problem.level == Problem::Level::kError;
  });
}

LoadedConfig LoadDaemonConfig(const ConfigSources& sources) {
  return Loader(sources).Load();
}

std::vector<EffectiveOption> NeedRestart(const LoadedConfig& running,
                                         const LoadedConfig& read) {
  std::vector<EffectiveOption> changed;
  // Both have every option, in the order of the table.
  for (size_t i = 0; i < std::min(running.options.size(), read.options.size()); ++i) {
    const auto& option = read.options[i];
    const bool applied = option.path.starts_with("log.") || option.path == "variables" ||
                         option.path == "secrets";
    if (!applied && option.value != running.options[i].value) changed.push_back(option);
  }
  return changed;
}

}  // namespace dxt
