#include "connectors/file/file.h"

#include "base/error.h"
#include "base/percent.h"
#include "connectors/file/destination.h"
#include "connectors/file/location.h"
#include "connectors/file/source.h"
#include "connectors/sdk/connector.h"
#include "connectors/sdk/source.h"

namespace dxt {
namespace file {
namespace {

OptionSpec Option(std::string name, OptionKind kind, std::string help,
                  std::string example) {
  OptionSpec spec;
  spec.name = std::move(name);
  spec.kind = kind;
  spec.help = std::move(help);
  spec.example = std::move(example);
  return spec;
}

ConfigSpec MakeSpec() {
  ConfigSpec spec;
  OptionSpec url =
      Option("url", OptionKind::kString,
             "Folder or file: a path, file:///path or s3://bucket/prefix.", "./data");
  url.aliases = {"path"};
  url.path = true;
  spec.options.push_back(url);
  OptionSpec options = Option("options", OptionKind::kObject,
                              "Format of all files; a stream's own options override it.",
                              "{delimiter: \";\"}");
  options.fields = FormatOptionSpecs();
  spec.options.push_back(options);
  spec.options.push_back(Option("endpoint", OptionKind::kString,
                                "Host and port of an S3-compatible server.",
                                "localhost:9000"));
  spec.options.push_back(
      Option("region", OptionKind::kString, "Region of the bucket.", "eu-central-1"));
  OptionSpec scheme =
      Option("scheme", OptionKind::kString, "http for test servers without TLS.", "http");
  scheme.default_value = "https";
  scheme.choices = {"https", "http"};
  spec.options.push_back(scheme);
  spec.options.push_back(
      Option("access_key_id", OptionKind::kString,
             "Key of the S3 account; without one, AWS's usual places are "
             "searched.",
             "${S3_KEY}"));
  OptionSpec secret = Option("secret_access_key", OptionKind::kString,
                             "Secret that belongs to access_key_id.", "${S3_SECRET}");
  secret.secret = true;
  spec.options.push_back(secret);
  OptionSpec token = Option("session_token", OptionKind::kString,
                            "Token that belongs to temporary keys.", "${S3_TOKEN}");
  token.secret = true;
  spec.options.push_back(token);
  return spec;
}

void Set(ConfigValue* map, std::string name, std::string text) {
  ConfigValue value;
  value.kind = ConfigValue::Kind::kScalar;
  value.scalar = std::move(text);
  map->map.emplace_back(std::move(name), std::move(value));
}

class FileConnector final : public Connector {
 public:
  FileConnector() : spec_(MakeSpec()) {
    info_.name = "file";
    info_.summary =
        "Local folders and S3 buckets of CSV, TSV, JSON, JSONL and Parquet files.";
    info_.support = "core";
    info_.url_schemes = {"file", "s3"};
    info_.capabilities = Capability::kRead | Capability::kDiscover;
    info_.capabilities = info_.capabilities | Capability::kSplit;
    info_.capabilities = info_.capabilities | Capability::kResume;
    info_.capabilities = info_.capabilities | Capability::kReadAgain;
    info_.capabilities = info_.capabilities | Capability::kWrite;
    info_.capabilities = info_.capabilities | Capability::kAppend;
    info_.capabilities = info_.capabilities | Capability::kReplace;
    info_.capabilities = info_.capabilities | Capability::kAtomicCommit;
    info_.capabilities = info_.capabilities | Capability::kLedger;
    info_.guarantee = Guarantee::kExactlyOnceIdempotent;
  }

  const ConnectorInfo& info() const override { return info_; }
  const ConfigSpec& spec() const override { return spec_; }

  /// file:///abs/path and s3://bucket/key?endpoint=…: the query holds options by name.
  arrow::Result<ConfigValue> ParseUrl(std::string_view url) const override {
    ConfigValue values;
    values.kind = ConfigValue::Kind::kMap;
    const bool s3 = url.substr(0, 5) == "s3://";
    const size_t question = s3 ? url.find('?') : std::string_view::npos;
    std::string base(url.substr(0, question));
    if (!s3) {
      base.erase(0, base.find(':') + 1);
      if (base.substr(0, 2) == "//") base.erase(0, 2);
      base = PercentDecoded(base);
    } else if (const size_t at = base.find('@'); at != std::string::npos) {
      return MakeError(ErrorClass::kConfig, "file.invalid_url",
                       "An s3:// url must not hold credentials",
                       "Use a connection of the project file with access_key_id");
    }
    Set(&values, "url", base);
    if (question == std::string_view::npos) return values;
    std::string_view query = url.substr(question + 1);
    while (!query.empty()) {
      const std::string_view pair = query.substr(0, query.find('&'));
      query.remove_prefix(std::min(query.size(), pair.size() + 1));
      const size_t equals = pair.find('=');
      const std::string name = PercentDecoded(pair.substr(0, equals));
      const OptionSpec* option = spec_.Find(name);
      if (equals == std::string_view::npos || !option || option->name == "url" ||
          option->kind == OptionKind::kObject || option->secret) {
        return MakeError(ErrorClass::kConfig, "file.invalid_url",
                         "The url has the unknown parameter '" + name + "'",
                         "Known are endpoint, region and scheme");
      }
      Set(&values, option->name, PercentDecoded(pair.substr(equals + 1)));
    }
    return values;
  }

  std::string Identity(const ConfigView& config) const override {
    return LocationIdentity(config);
  }

  arrow::Result<std::unique_ptr<Source>> OpenSource(const ConfigView& config,
                                                    const ConnectorContext&,
                                                    std::stop_token) const override {
    ARROW_ASSIGN_OR_RAISE(auto location, OpenLocation(config));
    return MakeFileSource(std::move(location));
  }

  arrow::Result<std::unique_ptr<Destination>> OpenDestination(
      const ConfigView& config, const ConnectorContext& context,
      std::stop_token) const override {
    ARROW_ASSIGN_OR_RAISE(auto location, OpenLocation(config));
    return MakeFileDestination(std::move(location), context);
  }

 private:
  ConnectorInfo info_;
  ConfigSpec spec_;
};

}  // namespace
}  // namespace file

std::unique_ptr<Connector> MakeFileConnector() {
  return std::make_unique<file::FileConnector>();
}

}  // namespace dxt
