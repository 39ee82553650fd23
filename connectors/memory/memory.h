#pragma once
#include <memory>
#include <string>

#include "connectors/sdk/connector.h"

namespace dxt {

namespace memory {

class MemoryDatabase;

/// Tables inside this process. Each connector object owns its databases by name (option
/// `name`); nothing is shared between two objects, so every test has its own world.
class MemoryConnector final : public Connector {
 public:
  MemoryConnector();
  ~MemoryConnector() override;

  const ConnectorInfo& info() const override;
  const ConfigSpec& spec() const override;
  arrow::Result<ConfigValue> ParseUrl(std::string_view url) const override;
  std::string Identity(const ConfigView& config) const override;
  arrow::Result<std::unique_ptr<Source>> OpenSource(const ConfigView& config,
                                                    const ConnectorContext& context,
                                                    std::stop_token stop) const override;
  arrow::Result<std::unique_ptr<Destination>> OpenDestination(
      const ConfigView& config, const ConnectorContext& context,
      std::stop_token stop) const override;

  /// The database of that name, made when missing. It lives as long as the connector or
  /// whatever still holds it.
  std::shared_ptr<MemoryDatabase> Database(const std::string& name = "main") const;

 private:
  struct Databases;
  std::unique_ptr<Databases> databases_;
};

}  // namespace memory

std::unique_ptr<Connector> MakeMemoryConnector();

}  // namespace dxt
