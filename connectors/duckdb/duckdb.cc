#include "connectors/duckdb/duckdb.h"

#include <filesystem>
#include <system_error>

#include "base/error.h"
#include "connectors/duckdb/database.h"
#include "connectors/duckdb/destination.h"
#include "connectors/duckdb/source.h"
#include "connectors/sdk/source.h"

namespace dxt {
namespace duckdb {
namespace {

class DuckdbConnector : public Connector {
 public:
  const ConnectorInfo& info() const override {
    static const ConnectorInfo info = {
        .name = "duckdb",
        .summary = "DuckDB database files.",
        .support = "core",
        .aliases = {},
        .url_schemes = {"duckdb"},
        .capabilities =
            Capability::kRead | Capability::kDiscover | Capability::kPushdown |
            Capability::kSql | Capability::kReadAgain | Capability::kWrite |
            Capability::kAppend | Capability::kReplace | Capability::kUpsert |
            Capability::kDelete | Capability::kHistory | Capability::kAtomicCommit |
            Capability::kLedger | Capability::kReadsParquet | Capability::kEmbedded,
        .guarantee = Guarantee::kExactlyOnceTxn};
    return info;
  }

  const ConfigSpec& spec() const override {
    static const ConfigSpec spec = [] {
      OptionSpec path;
      path.name = "path";
      path.help = "The database file, or :memory: for one that lives as long as dxtd.";
      path.example = "warehouse.duckdb";
      path.required = true;
      path.path = true;
      path.aliases = {"database"};
      OptionSpec schema;
      schema.name = "schema";
      schema.help = "Schema of tables that are named without one.";
      schema.default_value = "main";
      schema.example = "raw";
      OptionSpec wait;
      wait.name = "lock_wait";
      wait.kind = OptionKind::kDuration;
      wait.help = "How long to wait for a lock that another program holds.";
      wait.default_value = "25s";
      wait.example = "5s";
      wait.minimum = 0;
      return ConfigSpec{{path, schema, wait}};
    }();
    return spec;
  }

  arrow::Result<ConfigValue> ParseUrl(std::string_view url) const override {
    constexpr std::string_view scheme = "duckdb:";
    std::string_view rest = url.starts_with(scheme) ? url.substr(scheme.size()) : url;
    if (rest.starts_with("//")) {
      // Three or four slashes are an absolute path (contracts 1.5); two name a host.
      rest.remove_prefix(2);
      if (!rest.starts_with('/')) {
        return MakeError(
            ErrorClass::kConfig, "connection.invalid_url",
            "A duckdb: URL has no host; '" + std::string(rest) + "' stands there",
            "Write duckdb:///absolute/path or duckdb:relative/path");
      }
      while (rest.starts_with("//")) rest.remove_prefix(1);
      if (rest == "/:memory:") rest.remove_prefix(1);
    }
    if (rest.empty() || rest == "/") {
      return MakeError(ErrorClass::kConfig, "connection.invalid_url",
                       "A duckdb: URL needs a path", "Write duckdb:///absolute/path");
    }
    ConfigValue path;
    path.kind = ConfigValue::Kind::kScalar;
    path.scalar = rest;
    ConfigValue values;
    values.kind = ConfigValue::Kind::kMap;
    values.map.emplace_back("path", std::move(path));
    return values;
  }

  std::string Identity(const ConfigView& config) const override {
    const std::string path = config.String("path");
    if (path == kMemory) return "duckdb::memory:";
    std::error_code failed;
    const auto real = std::filesystem::weakly_canonical(path, failed);
    return "duckdb:" + (failed ? path : real.string());
  }

  arrow::Result<std::unique_ptr<Source>> OpenSource(const ConfigView& config,
                                                    const ConnectorContext& context,
                                                    std::stop_token stop) const override {
    ARROW_ASSIGN_OR_RAISE(auto database,
                          pool_->Open(config.String("path"), /*create=*/false,
                                      WithLockWait(config, context), stop));
    return MakeSource(std::move(database), config.String("schema"));
  }

  arrow::Result<std::unique_ptr<Destination>> OpenDestination(
      const ConfigView& config, const ConnectorContext& context,
      std::stop_token) const override {
    return MakeDestination(pool_, config.String("path"), config.String("schema"),
                           WithLockWait(config, context));
  }

 private:
  static ConnectorContext WithLockWait(const ConfigView& config,
                                       ConnectorContext context) {
    const auto written = config.Has("lock_wait")
                             ? ParseDurationMillis(config.String("lock_wait"))
                             : std::nullopt;
    context.lock_wait_ms = written.value_or(context.lock_wait_ms);
    return context;
  }

  std::shared_ptr<DatabasePool> pool_ = std::make_shared<DatabasePool>();
};

}  // namespace
}  // namespace duckdb

std::unique_ptr<Connector> MakeDuckdbConnector() {
  return std::make_unique<duckdb::DuckdbConnector>();
}

}  // namespace dxt
