#include "connectors/memory/memory.h"

#include <map>
#include <mutex>

#include "base/error.h"
#include "connectors/memory/database.h"
#include "connectors/memory/destination.h"
#include "connectors/memory/source.h"
#include "connectors/sdk/source.h"

namespace dxt {
namespace memory {

struct MemoryConnector::Databases {
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<MemoryDatabase>> by_name;
};

MemoryConnector::MemoryConnector() : databases_(std::make_unique<Databases>()) {}
MemoryConnector::~MemoryConnector() = default;

const ConnectorInfo& MemoryConnector::info() const {
  static const ConnectorInfo info = {
      .name = "memory",
      .summary = "Tables inside the daemon's process, gone when it ends; for tests.",
      .support = "core",
      .aliases = {},
      .url_schemes = {"memory"},
      .capabilities = Capability::kRead | Capability::kDiscover | Capability::kSplit |
                      Capability::kResume | Capability::kReadAgain | Capability::kWrite |
                      Capability::kAppend | Capability::kReplace | Capability::kUpsert |
                      Capability::kHistory | Capability::kAtomicCommit |
                      Capability::kLedger,
      .guarantee = Guarantee::kExactlyOnceTxn};
  return info;
}

const ConfigSpec& MemoryConnector::spec() const {
  static const ConfigSpec spec = [] {
    OptionSpec name;
    name.name = "name";
    name.help = "Name of the database; two connections of one name share their tables.";
    name.default_value = "main";
    name.example = "scratch";
    return ConfigSpec{{name}};
  }();
  return spec;
}

arrow::Result<ConfigValue> MemoryConnector::ParseUrl(std::string_view url) const {
  const size_t colon = url.find(':');
  std::string_view name = colon == std::string_view::npos ? "" : url.substr(colon + 1);
  while (name.starts_with('/')) name.remove_prefix(1);
  ConfigValue values;
  values.kind = ConfigValue::Kind::kMap;
  if (!name.empty()) {
    ConfigValue value;
    value.kind = ConfigValue::Kind::kScalar;
    value.scalar = std::string(name);
    values.map.emplace_back("name", std::move(value));
  }
  return values;
}

std::string MemoryConnector::Identity(const ConfigView& config) const {
  return "memory:" + config.String("name");
}

arrow::Result<std::unique_ptr<Source>> MemoryConnector::OpenSource(
    const ConfigView& config, const ConnectorContext&, std::stop_token) const {
  return MakeSource(Database(config.String("name")));
}

arrow::Result<std::unique_ptr<Destination>> MemoryConnector::OpenDestination(
    const ConfigView& config, const ConnectorContext&, std::stop_token) const {
  return MakeDestination(Database(config.String("name")));
}

std::shared_ptr<MemoryDatabase> MemoryConnector::Database(const std::string& name) const {
  const std::lock_guard lock(databases_->mutex);
  auto& database = databases_->by_name[name.empty() ? "main" : name];
  if (!database) database = std::make_shared<MemoryDatabase>();
  return database;
}

}  // namespace memory

std::unique_ptr<Connector> MakeMemoryConnector() {
  return std::make_unique<memory::MemoryConnector>();
}

}  // namespace dxt
