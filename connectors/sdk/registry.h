#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

namespace dxt {

class Connector;

/// Connectors by name. Filled once in main(), then read-only: no locks, no static
/// initializers, a fresh one in every test.
class ConnectorRegistry {
 public:
  ConnectorRegistry();
  ~ConnectorRegistry();
  ConnectorRegistry(const ConnectorRegistry&) = delete;
  ConnectorRegistry& operator=(const ConnectorRegistry&) = delete;

  /// Fails with kInternal when a name, alias or URL scheme is taken.
  arrow::Status Add(std::unique_ptr<Connector> connector);
  /// By name or alias; kConfig "connection.unknown_type" with 'did you mean'.
  arrow::Result<const Connector*> Find(std::string_view name) const;
  /// By the scheme of an inline connection string; null when none claims it.
  const Connector* FindByUrl(std::string_view url) const;
  std::vector<const Connector*> List() const;

 private:
  std::vector<std::unique_ptr<Connector>> connectors_;
};

/// Generated from connectors/CMakeLists.txt, in that order.
arrow::Status RegisterBuiltinConnectors(ConnectorRegistry& registry);

}  // namespace dxt
