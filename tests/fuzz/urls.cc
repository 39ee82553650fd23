// Connection strings: each connector's own parser, the name that messages show, and where
// a password stands.
#include "base/percent.h"
#include "base/secret.h"
#include "base/url_password.h"
#include "connectors/sdk/connector.h"
#include "connectors/sdk/registry.h"
#include "engine/plan/connections.h"
#include "tests/fuzz/fuzz.h"

namespace dxt::fuzz {
namespace {

const ConnectorRegistry& Connectors() {
  static const auto* registry = [] {
    auto* made = new ConnectorRegistry;
    const arrow::Status status = RegisterBuiltinConnectors(*made);
    Promise(status.ok(), "the connectors register", status.ToString());
    return made;
  }();
  return *registry;
}

size_t Count(std::string_view text, std::string_view part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string_view::npos;
       at = text.find(part, at + 1))
    ++count;
  return count;
}

/// A password that stands in the string once stands in no name made of it.
void CheckName(const std::string& url, const std::string& name,
               const std::string& password) {
  if (password.size() < 3 || Count(url, password) != 1) return;
  Promise(name.find(password) == std::string::npos, "a name shows no password", name);
}

}  // namespace
}  // namespace dxt::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dxt;
  const std::string url(reinterpret_cast<const char*>(data), size);
  const std::string shown = WithoutSecrets(url);
  if (const auto password = UrlPassword(url)) {
    fuzz::CheckName(url, shown, std::string(*password));
    const auto named = PasswordAsVariable(url, "PASSWORD");
    fuzz::Promise(named && UrlPassword(*named) == "${PASSWORD}",
                  "a variable takes the password's place", url);
  }
  for (const Connector* connector : fuzz::Connectors().List()) {
    const auto values = connector->ParseUrl(url);
    if (!values.ok()) continue;
    const ConfigView config(&connector->spec(), *values);
    const std::string identity = connector->Identity(config);
    for (const auto& option : connector->spec().options) {
      if (!option.secret || option.name == "url" || !config.Has(option.name)) continue;
      fuzz::CheckName(url, identity, config.String(option.name));
      fuzz::CheckName(url, shown, config.String(option.name));
    }
  }
  ProjectDocument project;
  const auto connection = ResolveConnection(project, url, fuzz::Connectors());
  if (connection.ok()) {
    for (const auto& option : connection->connector->spec().options) {
      if (!option.secret || option.name == "url" || !connection->config.Has(option.name))
        continue;
      fuzz::CheckName(url, connection->name, connection->config.String(option.name));
    }
  }
  return 0;
}
