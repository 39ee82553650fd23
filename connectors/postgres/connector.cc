#include <pwd.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "base/error.h"
#include "base/spelling.h"
#include "connectors/postgres/destination.h"
#include "connectors/postgres/postgres.h"
#include "connectors/postgres/source.h"
#include "connectors/sdk/connector.h"
#include "connectors/sdk/source.h"

namespace dxt::postgres {
namespace {

OptionSpec Option(std::string name, OptionKind kind, std::string help,
                  std::string default_value, std::string example,
                  std::vector<std::string> aliases = {}) {
  OptionSpec option;
  option.name = std::move(name);
  option.kind = kind;
  option.help = std::move(help);
  option.default_value = std::move(default_value);
  option.example = std::move(example);
  option.aliases = std::move(aliases);
  return option;
}

OptionSpec MetadataOption() {
  OptionSpec off = Option("", OptionKind::kString, "Keep no ledger.", "", "off");
  off.choices = {"on", "off"};
  OptionSpec prefix = Option("prefix", OptionKind::kString,
                             "What the names of the tables begin with.", "_dxt_", "etl_");
  prefix.pattern = "[A-Za-z_][A-Za-z0-9_]{0,39}";
  prefix.pattern_help = "letters, digits and _, at most 40, beginning with no digit";
  OptionSpec place = Option("", OptionKind::kObject, "Where it is kept.", "", "");
  place.fields = {
      Option("schema", OptionKind::kString,
             "Schema of its tables; default is the target table's.", "", "etl"),
      std::move(prefix)};
  OptionSpec option = Option(
      "metadata", OptionKind::kAny,
      "Where a target keeps the ledger of its loads; `off` = nowhere: an append is "
      "then loaded at least once, and cursors are in the state store alone.",
      "on", "{schema: etl}");
  option.items = {std::move(off), std::move(place)};
  return option;
}

ConfigSpec MakeSpec() {
  ConfigSpec spec;
  spec.options = {
      Option("host", OptionKind::kString,
             "Server name, address, or folder of its socket.", "localhost",
             "db.example.com"),
      Option("port", OptionKind::kInteger, "Port of the server.", "5432", "5432"),
      Option("database", OptionKind::kString, "Database; default is the user's name.", "",
             "shop", {"dbname"}),
      Option("user", OptionKind::kString,
             "Role to connect as; default is the operating system's user.", "", "loader",
             {"username"}),
      Option("password", OptionKind::kString, "Password of the role.", "",
             "${PGPASSWORD}"),
      Option("sslmode", OptionKind::kString, "How much TLS is asked for, as in libpq.",
             "", "verify-full"),
      Option("schema", OptionKind::kString,
             "Schema of names without one; default is the server's search path.", "",
             "analytics"),
      Option("connect_timeout", OptionKind::kDuration,
             "How long to wait for the server to answer.", "10", "10"),
      Option("url", OptionKind::kString,
             "The same as one connection string; keys beside it win over it.", "",
             "postgresql://loader@db.example.com:5432/shop"),
      Option("options", OptionKind::kMap,
             "Further libpq parameters (sslrootcert, application_name …), and "
             "session_timezone, in which the user's SQL runs.",
             "", "{sslrootcert: /etc/ssl/ca.pem}"),
  };
  spec.options.push_back(MetadataOption());
  for (auto& option : spec.options) {
    if (option.name == "password" || option.name == "url") option.secret = true;
    if (option.name == "sslmode") {
      option.choices = {"disable", "allow",     "prefer",
                        "require", "verify-ca", "verify-full"};
    }
    if (option.name == "port") {
      option.minimum = 1;
      option.maximum = 65535;
    }
    if (option.name == "options")
      option.items = {Option("", OptionKind::kString, "", "", "")};
  }
  return spec;
}

ConfigValue Scalar(std::string text) {
  ConfigValue value;
  value.kind = ConfigValue::Kind::kScalar;
  value.scalar = std::move(text);
  return value;
}

/// libpq's own parser knows percent-encoding, several hosts and `?key=value`.
arrow::Result<ConfigValue> ParseConnectionUrl(std::string_view url) {
  ConfigValue values;
  values.kind = ConfigValue::Kind::kMap;
  char* message = nullptr;
  PQconninfoOption* parsed = PQconninfoParse(std::string(url).c_str(), &message);
  PQfreemem(message);  // It may quote a part of the password.
  if (!parsed) {
    return MakeError(
        ErrorClass::kConfig, "pg.invalid_url",
        "The connection string is not a PostgreSQL URL",
        "Write postgresql://user:password@host:port/database; characters like @ "
        "and / inside a part are percent-encoded");
  }
  ConfigValue further;
  further.kind = ConfigValue::Kind::kMap;
  for (const PQconninfoOption* option = parsed; option->keyword; ++option) {
    if (!option->val || !*option->val) continue;
    const std::string_view key = option->keyword;
    const std::string name = key == "dbname" ? "database" : std::string(key);
    if (name == "host" || name == "port" || name == "database" || name == "user" ||
        name == "password" || name == "sslmode" || name == "connect_timeout") {
      values.map.emplace_back(name, Scalar(option->val));
    } else {
      further.map.emplace_back(name, Scalar(option->val));
    }
  }
  PQconninfoFree(parsed);
  // The host then begins with the rest of a password, which errors would show.
  const ConfigValue* host = values.Get("host");
  const bool cut =
      host &&
      (host->scalar.find('@', 1) != std::string::npos ||
       (host->scalar.starts_with('@') && url.find("@@") != std::string_view::npos));
  if (cut) {
    return MakeError(ErrorClass::kConfig, "pg.invalid_url",
                     "The user or the password of the connection string holds an @",
                     "Write it as %40, or give host, user and password as keys of the "
                     "connection");
  }
  if (!further.map.empty()) values.map.emplace_back("options", std::move(further));
  return values;
}

bool KnownParameter(const std::string& name, std::vector<std::string>* names) {
  bool known = false;
  PQconninfoOption* defaults = PQconndefaults();
  for (const PQconninfoOption* option = defaults; option && option->keyword; ++option) {
    names->emplace_back(option->keyword);
    known = known || name == option->keyword;
  }
  PQconninfoFree(defaults);
  return known;
}

std::string SystemUser() {
  passwd entry{};
  passwd* found = nullptr;
  char buffer[4096];
  getpwuid_r(geteuid(), &entry, buffer, sizeof buffer, &found);
  return found ? found->pw_name : "postgres";
}

arrow::Status ReadFurther(const ConfigValue& value, ConnectOptions* options) {
  for (const auto& [name, item] : value.map) {
    if (name == "session_timezone") {
      options->session_timezone = item.scalar;
      continue;
    }
    std::vector<std::string> names = {"session_timezone"};
    if (!KnownParameter(name, &names)) {
      const std::string nearest = NearestSpelling(name, names);
      return MakeError(ErrorClass::kConfig, "config.unknown_key",
                       "'" + name + "' in `options` is not a parameter of libpq",
                       nearest.empty() ? "" : "Did you mean '" + nearest + "'?");
    }
    options->parameters.emplace_back(name, item.scalar);
  }
  return arrow::Status::OK();
}

arrow::Result<ConnectOptions> ReadOptions(const ConfigView& config) {
  ConnectOptions options;
  ConfigValue from_url;
  if (config.Has("url")) {
    ARROW_ASSIGN_OR_RAISE(from_url, ParseConnectionUrl(config.String("url")));
  }
  const auto text = [&](std::string_view name) {
    const ConfigValue* value = config.Has(name) ? nullptr : from_url.Get(name);
    return value ? value->scalar : config.String(name);
  };
  if (auto host = text("host"); !host.empty()) options.host = std::move(host);
  if (auto port = text("port"); !port.empty()) options.port = std::move(port);
  options.user = text("user");
  if (options.user.empty()) options.user = SystemUser();
  options.database = text("database");
  if (options.database.empty()) options.database = options.user;
  options.password = text("password");
  options.sslmode = text("sslmode");
  options.schema = text("schema");
  if (const auto timeout = ParseDurationMillis(text("connect_timeout"));
      timeout && *timeout > 0) {
    options.connect_timeout_s = static_cast<int>((*timeout + 999) / 1000);
  }
  if (const auto* metadata = config.Value("metadata")) {
    options.metadata.off = metadata->scalar == "off";
    if (const auto* schema = metadata->Get("schema")) {
      options.metadata.schema = schema->scalar;
    }
    if (const auto* prefix = metadata->Get("prefix")) {
      options.metadata.prefix = prefix->scalar;
    }
  }
  if (const auto* further = from_url.Get("options")) {
    ARROW_RETURN_NOT_OK(ReadFurther(*further, &options));
  }
  if (const auto* further = config.Value("options")) {
    ARROW_RETURN_NOT_OK(ReadFurther(*further, &options));
  }
  return options;
}

bool KeepsNoLedger(const ConfigView& config) {
  const auto* metadata = config.Value("metadata");
  return metadata && metadata->scalar == "off";
}

class PostgresConnector : public Connector {
 public:
  PostgresConnector() : spec_(MakeSpec()) {
    using C = Capability;
    info_.name = "postgres";
    info_.summary = "PostgreSQL 12 to 18, read and written by COPY in binary format.";
    info_.support = "core";
    info_.aliases = {"postgres_bulk", "postgresql"};
    info_.url_schemes = {"postgresql", "postgres"};
    info_.capabilities = C::kRead | C::kDiscover | C::kPushdown | C::kSql |
                         C::kReadAgain | C::kWrite | C::kAppend | C::kReplace |
                         C::kUpsert | C::kDelete | C::kHistory | C::kAtomicCommit |
                         C::kLedger | C::kRawValues | C::kSplit | C::kManyWriters;
    info_.guarantee = Guarantee::kExactlyOnceTxn;
  }

  const ConnectorInfo& info() const override { return info_; }
  const ConfigSpec& spec() const override { return spec_; }

  arrow::Result<ConfigValue> ParseUrl(std::string_view url) const override {
    return ParseConnectionUrl(url);
  }

  std::string Identity(const ConfigView& config) const override {
    auto options = ReadOptions(config);
    if (!options.ok()) return "postgres";
    return "postgres://" + options->host + ":" + options->port + "/" + options->database;
  }

  Capabilities CapabilitiesOf(const ConfigView& config) const override {
    if (!KeepsNoLedger(config)) return info_.capabilities;
    return {info_.capabilities.bits & ~static_cast<uint32_t>(Capability::kLedger)};
  }

  Guarantee GuaranteeOf(const ConfigView& config) const override {
    return KeepsNoLedger(config) ? Guarantee::kAtLeastOnce : info_.guarantee;
  }

  arrow::Result<std::unique_ptr<Source>> OpenSource(const ConfigView& config,
                                                    const ConnectorContext& context,
                                                    std::stop_token stop) const override {
    ARROW_ASSIGN_OR_RAISE(auto options, ReadOptions(config));
    return MakeSource(std::move(options));
  }

  arrow::Result<std::unique_ptr<Destination>> OpenDestination(
      const ConfigView& config, const ConnectorContext& context,
      std::stop_token stop) const override {
    ARROW_ASSIGN_OR_RAISE(auto options, ReadOptions(config));
    return MakeDestination(std::move(options));
  }

 private:
  ConnectorInfo info_;
  const ConfigSpec spec_;
};

}  // namespace
}  // namespace dxt::postgres

namespace dxt {

std::unique_ptr<Connector> MakePostgresConnector() {
  return std::make_unique<postgres::PostgresConnector>();
}

}  // namespace dxt
