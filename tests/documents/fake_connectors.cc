#include "tests/documents/fake_connectors.h"

#include "base/error.h"
#include "connectors/sdk/connector.h"
#include "connectors/sdk/source.h"

namespace dxt {
namespace {

ConfigValue Text(std::string text) {
  ConfigValue value;
  value.kind = ConfigValue::Kind::kScalar;
  value.scalar = std::move(text);
  return value;
}

OptionSpec Option(std::string name, OptionKind kind = OptionKind::kString) {
  OptionSpec option;
  option.name = std::move(name);
  option.kind = kind;
  option.help = "An option.";
  return option;
}

/// Describes itself and takes connection strings; opens nothing.
class FakeConnector : public Connector {
 public:
  FakeConnector(ConnectorInfo info, ConfigSpec spec)
      : info_(std::move(info)), spec_(std::move(spec)) {}
  const ConnectorInfo& info() const override { return info_; }
  const ConfigSpec& spec() const override { return spec_; }

  arrow::Result<ConfigValue> ParseUrl(std::string_view url) const override {
    ConfigValue options;
    options.kind = ConfigValue::Kind::kMap;
    const auto set = [&](const char* key, std::string_view text) {
      if (!text.empty()) options.map.emplace_back(key, Text(std::string(text)));
    };
    std::string_view rest = url.substr(url.find(':') + 1);
    if (info_.name == "memory" && rest.size() > 8) {
      return MakeError(
          ErrorClass::kConfig, "connection.bad_url",
          "'" + std::string(url) + "' holds the long name " + std::string(rest));
    }
    if (info_.name != "postgres") {
      if (rest.starts_with("//")) rest.remove_prefix(rest.starts_with("////") ? 3 : 2);
      if (rest.empty()) {
        return MakeError(ErrorClass::kConfig, "connection.bad_url",
                         "The connection string names no path");
      }
      set(spec_.options[0].name.c_str(), rest);
      return options;
    }
    rest.remove_prefix(2);
    const size_t at = rest.rfind('@');
    if (at != std::string_view::npos) {
      const std::string_view user = rest.substr(0, at);
      set("user", user.substr(0, user.find(':')));
      if (user.find(':') != user.npos) set("password", user.substr(user.find(':') + 1));
      rest.remove_prefix(at + 1);
    }
    const std::string_view host = rest.substr(0, rest.find('/'));
    set("host", host.substr(0, host.find(':')));
    if (host.find(':') != host.npos) set("port", host.substr(host.find(':') + 1));
    if (rest.find('/') != rest.npos) set("database", rest.substr(rest.find('/') + 1));
    return options;
  }

  std::string Identity(const ConfigView& config) const override {
    for (const char* key : {"path", "url", "host"}) {
      if (config.Has(key)) return config.String(key);
    }
    return {};
  }

 private:
  ConnectorInfo info_;
  ConfigSpec spec_;
};

void Add(ConnectorRegistry& registry, std::string_view name,
         std::vector<std::string_view> aliases, std::vector<std::string_view> schemes,
         std::vector<OptionSpec> options) {
  ConnectorInfo info;
  info.name = name;
  info.summary = "A connector.";
  info.support = "core";
  info.aliases = std::move(aliases);
  info.url_schemes = std::move(schemes);
  info.capabilities = Capability::kRead | Capability::kWrite;
  ConfigSpec spec;
  spec.options = std::move(options);
  const auto status =
      registry.Add(std::make_unique<FakeConnector>(std::move(info), std::move(spec)));
  if (!status.ok()) status.Abort();
}

OptionSpec PathOption(std::string name) {
  OptionSpec option = Option(std::move(name));
  option.path = true;
  option.required = true;
  return option;
}

}  // namespace

void AddFakeConnectors(ConnectorRegistry& registry) {
  OptionSpec port = Option("port", OptionKind::kInteger);
  port.minimum = 1;
  port.maximum = 65535;
  OptionSpec password = Option("password");
  password.secret = true;
  OptionSpec url = Option("url");
  url.secret = true;
  OptionSpec sslmode = Option("sslmode");
  sslmode.choices = {"disable", "prefer", "require", "verify-full"};
  Add(registry, "postgres", {"postgres_bulk"}, {"postgresql", "postgres"},
      {Option("host"), port, Option("database"), Option("user"), password, sslmode,
       Option("schema"), url});
  OptionSpec path = PathOption("path");
  path.aliases = {"database"};
  Add(registry, "sqlite", {}, {"sqlite"}, {path, Option("busy", OptionKind::kDuration)});
  Add(registry, "duckdb", {}, {"duckdb"},
      {path, Option("threads", OptionKind::kInteger)});
  OptionSpec folder = PathOption("url");
  folder.aliases = {"path"};
  Add(registry, "file", {}, {"file", "s3"},
      {folder, Option("header", OptionKind::kBoolean),
       Option("options", OptionKind::kMap)});
  Add(registry, "memory", {}, {"memory"}, {Option("name")});
}

}  // namespace dxt
