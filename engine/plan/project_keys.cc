#include "connectors/sdk/connector.h"
#include "connectors/sdk/registry.h"
#include "engine/plan/keys.h"

namespace dxt {

OptionSpec ProjectKeys(const ConnectorRegistry& registry) {
  std::vector<OptionSpec> shapes = {
      Key("url", OptionKind::kString, "A connection string; its scheme says the type.")
          .Example("sqlite:///data/shop.db")};
  const OptionSpec most_runs =
      Key("max_concurrent_runs", OptionKind::kInteger,
          "Runs of one daemon that use the connection at a time; the default is no "
          "limit.")
          .Between(1, 1000);
  for (const Connector* connector : registry.List()) {
    shapes.push_back(ConnectorKeys(*connector, {most_runs}));
  }
  const OptionSpec connection =
      Key("", OptionKind::kAny,
          "One system: `type` and its options, or a connection string.")
          .Of(std::move(shapes));

  return Key("project", OptionKind::kObject,
             "What the pipelines of one folder share: connections, buffer, defaults.")
      .Fields({
          Key("version", OptionKind::kInteger, "Version of the document's form.")
              .Default("1")
              .Between(1, 1),
          Key("name", OptionKind::kString,
              "Name of the project; part of a pipeline's identity.")
              .Default("default")
              .Example("shop")
              .Matching(
                  kNamePattern,
                  "a name: small letters, digits, - and _, at most 63, beginning with a "
                  "letter or digit"),
          Key("connections", OptionKind::kMap, "The systems that pipelines name.")
              .Alias({"profiles"})
              .Of({connection}),
          Key("buffer", OptionKind::kObject, "What stands between extract and load.")
              .Fields({
                  Key("default_format", OptionKind::kString,
                      "Format of staged data; auto streams where that is safe.")
                      .Default("auto")
                      .Alias({"format"})
                      .Choices({"auto", "parquet", "memory", "csv", "jsonl"}),
                  Key("default_compression", OptionKind::kString,
                      "Compression of staged data; the default is the format's own.")
                      .Alias({"compression"})
                      .Choices({"none", "snappy", "gzip", "zstd", "lz4"}),
                  Key("default_location", OptionKind::kString,
                      "Folder of staged data; the default is buffer/ in the state "
                      "folder.")
                      .Alias({"location"})
                      .Example("./.dxt/buffer")
                      .Path(),
                  Key("persist", OptionKind::kBoolean,
                      "Keep staged data, so that extract and load can run apart.")
                      .Default("false"),
                  Key("cleanup_on_success", OptionKind::kBoolean,
                      "Remove staged data once it is loaded.")
                      .Default("true"),
                  Key("retain_on_failure", OptionKind::kBoolean,
                      "Keep staged data of a failed load.")
                      .Default("true"),
              }),
          Key("defaults", OptionKind::kObject,
              "Settings of all streams that say nothing else.")
              .Fields({ExtractKeys(), LoadKeys(), SchemaContractKeys()}),
          AlertKeys(),
          Key("logging", OptionKind::kObject, "Where the daemon's log goes.")
              .Fields({
                  Key("level", OptionKind::kString, "Least severe level that is logged.")
                      .Default("INFO")
                      .Choices({"DEBUG", "INFO", "WARNING", "ERROR", "debug", "info",
                                "warning", "error"}),
                  Key("format", OptionKind::kString,
                      "Form of a log line; normal is text.")
                      .Default("json")
                      .Choices({"json", "text", "normal"}),
                  Key("file", OptionKind::kString, "File of the log.")
                      .Example("./.dxt/logs/dxt.log")
                      .Path(),
              }),
      });
}

}  // namespace dxt
