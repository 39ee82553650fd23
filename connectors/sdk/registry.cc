#include "connectors/sdk/registry.h"

#include "base/error.h"
#include "base/spelling.h"
#include "connectors/sdk/connector.h"

namespace dxt {
namespace {

bool Answers(const ConnectorInfo& info, std::string_view name) {
  if (info.name == name) return true;
  for (const auto alias : info.aliases) {
    if (alias == name) return true;
  }
  return false;
}

}  // namespace

ConnectorRegistry::ConnectorRegistry() = default;
ConnectorRegistry::~ConnectorRegistry() = default;

arrow::Status ConnectorRegistry::Add(std::unique_ptr<Connector> connector) {
  const ConnectorInfo& added = connector->info();
  for (const auto& existing : connectors_) {
    const ConnectorInfo& info = existing->info();
    bool taken = Answers(info, added.name);
    for (const auto alias : added.aliases) taken = taken || Answers(info, alias);
    for (const auto scheme : added.url_schemes) {
      for (const auto other : info.url_schemes) taken = taken || scheme == other;
    }
    if (taken) {
      return MakeError(ErrorClass::kInternal, "connector.registered_twice",
                       "Connector " + std::string(added.name) + " clashes with " +
                           std::string(info.name));
    }
  }
  connectors_.push_back(std::move(connector));
  return arrow::Status::OK();
}

arrow::Result<const Connector*> ConnectorRegistry::Find(std::string_view name) const {
  std::vector<std::string> names;
  for (const auto& connector : connectors_) {
    if (Answers(connector->info(), name)) return connector.get();
    names.emplace_back(connector->info().name);
  }
  const std::string nearest = NearestSpelling(name, names);
  return MakeError(ErrorClass::kConfig, "connection.unknown_type",
                   "There is no connector '" + std::string(name) + "'",
                   nearest.empty() ? "dxtctl connectors lists them"
                                   : "Did you mean '" + nearest + "'?");
}

const Connector* ConnectorRegistry::FindByUrl(std::string_view url) const {
  const size_t colon = url.find(':');
  if (colon == std::string_view::npos || colon == 0) return nullptr;
  const std::string_view scheme = url.substr(0, colon);
  for (const auto& connector : connectors_) {
    for (const auto known : connector->info().url_schemes) {
      if (known == scheme) return connector.get();
    }
  }
  return nullptr;
}

std::vector<const Connector*> ConnectorRegistry::List() const {
  std::vector<const Connector*> list;
  for (const auto& connector : connectors_) list.push_back(connector.get());
  return list;
}

}  // namespace dxt
