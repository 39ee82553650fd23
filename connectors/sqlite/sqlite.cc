#include "connectors/sqlite/sqlite.h"

#include <filesystem>

#include "base/error.h"
#include "connectors/sdk/source.h"
#include "connectors/sqlite/destination.h"
#include "connectors/sqlite/files.h"
#include "connectors/sqlite/source.h"

namespace dxt {
namespace sqlite {
namespace {

class SqliteConnector final : public Connector {
 public:
  const ConnectorInfo& info() const override {
    static const ConnectorInfo info = {
        .name = "sqlite",
        .summary = "A SQLite database file.",
        .support = "core",
        .aliases = {"sqlite3"},
        .url_schemes = {"sqlite", "sqlite3"},
        .capabilities =
            Capability::kRead | Capability::kDiscover | Capability::kPushdown |
            Capability::kSql | Capability::kReadAgain | Capability::kWrite |
            Capability::kAppend | Capability::kReplace | Capability::kUpsert |
            Capability::kDelete | Capability::kHistory | Capability::kAtomicCommit |
            Capability::kLedger | Capability::kEmbedded,
        .guarantee = Guarantee::kExactlyOnceTxn};
    return info;
  }

  const ConfigSpec& spec() const override {
    static const ConfigSpec spec = [] {
      OptionSpec path;
      path.name = "path";
      path.aliases = {"database"};
      path.path = true;
      path.required = true;
      path.help =
          "The database file; a source must exist, a target is made when missing.";
      path.example = "data/shop.db";
      OptionSpec wait;
      wait.name = "lock_wait";
      wait.kind = OptionKind::kDuration;
      wait.help = "How long to wait for a lock that another program holds.";
      wait.default_value = "25s";
      wait.example = "5s";
      wait.minimum = 0;
      return ConfigSpec{{path, wait}};
    }();
    return spec;
  }

  arrow::Result<ConfigValue> ParseUrl(std::string_view url) const override {
    const size_t colon = url.find(':');
    std::string_view path = colon == std::string_view::npos ? "" : url.substr(colon + 1);
    if (path.starts_with("//")) {
      // sqlite:///p and sqlite:////p are both the absolute /p (contracts 1.5).
      path.remove_prefix(2);
      if (!path.starts_with('/')) path = {};
      while (path.starts_with("//")) path.remove_prefix(1);
    }
    if (path.empty() || path == "/") {
      return MakeError(ErrorClass::kConfig, "sqlite.url",
                       "'" + std::string(url) + "' names no SQLite file",
                       "Write sqlite:///absolute/file.db or sqlite:relative.db");
    }
    ConfigValue value;
    value.kind = ConfigValue::Kind::kScalar;
    value.scalar = std::string(path);
    ConfigValue values;
    values.kind = ConfigValue::Kind::kMap;
    values.map.emplace_back("path", std::move(value));
    return values;
  }

  std::string Identity(const ConfigView& config) const override {
    std::error_code error;
    const std::filesystem::path path = config.String("path");
    auto real = std::filesystem::weakly_canonical(path, error);
    return "sqlite:" + (error ? std::filesystem::absolute(path) : real).string();
  }

  arrow::Result<std::unique_ptr<Source>> OpenSource(const ConfigView& config,
                                                    const ConnectorContext& context,
                                                    std::stop_token) const override {
    ARROW_ASSIGN_OR_RAISE(auto path, PathOf(config));
    return MakeSource(std::move(path), files_, LockWait(config, context));
  }

  arrow::Result<std::unique_ptr<Destination>> OpenDestination(
      const ConfigView& config, const ConnectorContext& context,
      std::stop_token) const override {
    ARROW_ASSIGN_OR_RAISE(auto path, PathOf(config));
    return MakeDestination(std::move(path), files_, LockWait(config, context));
  }

 private:
  static arrow::Result<std::string> PathOf(const ConfigView& config) {
    const std::string path = config.String("path");
    if (path.empty() || path == ":memory:" || path.find('\0') != std::string::npos) {
      return MakeError(
          ErrorClass::kConfig, "sqlite.path",
          "`path` of a sqlite connection must name a file, not '" + path + "'",
          "For tables that live in memory only use type: memory or duckdb");
    }
    return std::filesystem::absolute(path).lexically_normal().string();
  }

  static std::chrono::milliseconds LockWait(const ConfigView& config,
                                            const ConnectorContext& context) {
    const auto written = config.Has("lock_wait")
                             ? ParseDurationMillis(config.String("lock_wait"))
                             : std::nullopt;
    return std::chrono::milliseconds(written.value_or(context.lock_wait_ms));
  }

  mutable FileRegistry files_;
};

}  // namespace
}  // namespace sqlite

std::unique_ptr<Connector> MakeSqliteConnector() {
  return std::make_unique<sqlite::SqliteConnector>();
}

}  // namespace dxt
