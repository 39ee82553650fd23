#include "connectors/sdk/connector.h"
#include "connectors/sdk/registry.h"
#include "engine/plan/keys.h"

namespace dxt {
namespace {

OptionSpec IncrementalKeys() {
  return Key("incremental", OptionKind::kObject,
             "Read only rows behind the highest cursor; short for `extract`.")
      .Fields({
          Key("strategy", OptionKind::kString, "How new rows are found.")
              .Default("cursor")
              .Choices({"cursor"}),
          Key("cursor_column", OptionKind::kString, "Field by which new rows are found.")
              .Alias({"watermark_field", "watermark_column"})
              .Example("updated_at"),
          Key("initial_value", OptionKind::kString,
              "The first run reads rows from this value on.")
              .Example("\"2024-01-01 00:00:00\""),
      });
}

OptionSpec WatermarkKeys() {
  return Key("watermark", OptionKind::kObject, "Short for `extract.initial_value`.")
      .Fields({Key("default_value", OptionKind::kString,
                   "The first run reads rows from this value on.")
                   .Required()});
}

OptionSpec WriteModeKeys() {
  return Key("write_disposition", OptionKind::kString, "Short for `load.mode`.")
      .Alias({"write_mode", "mode"})
      .Choices({"append", "replace", "upsert", "mirror", "insert_only", "delete_insert",
                "scd2", "merge", "overwrite"});
}

OptionSpec KeyColumns() {
  OptionSpec spec = Names("upsert_keys", "Short for `load.upsert_keys`.");
  spec.aliases = {"upsert_key", "merge_keys", "primary_key", "primary_keys"};
  return spec;
}

/// A connection name or string, or a map that names or describes a connection; `more` are
/// the keys of documents with a single table.
OptionSpec EndpointKeys(const ConnectorRegistry& registry, std::string name,
                        std::string help, std::vector<OptionSpec> more) {
  std::vector<OptionSpec> by_name = {
      Key("connection", OptionKind::kString,
          "Name of a connection of the project, or a connection string.")
          .Required()
          .Example("warehouse")};
  by_name.insert(by_name.end(), more.begin(), more.end());
  std::vector<OptionSpec> shapes = {
      Key("connection", OptionKind::kString,
          "Name of a connection, or a connection string."),
      Key("by_name", OptionKind::kObject, "A connection of the project.")
          .Fields(std::move(by_name))};
  for (const Connector* connector : registry.List()) {
    shapes.push_back(ConnectorKeys(*connector, more));
  }
  return Key(std::move(name), OptionKind::kAny, std::move(help))
      .Required()
      .Example("{connection: warehouse}")
      .Of(std::move(shapes));
}

OptionSpec BufferKeys() {
  return Key("buffer", OptionKind::kObject, "What stands between extract and load.")
      .OldName({"stage"})
      .Fields({
          Key("format", OptionKind::kString,
              "Format of staged data; auto streams where that is safe.")
              .Choices({"auto", "parquet", "memory", "csv", "jsonl"}),
          Key("compression", OptionKind::kString,
              "Compression of staged data; the default is the format's own.")
              .Choices({"none", "snappy", "gzip", "zstd", "lz4"}),
          Key("location", OptionKind::kString, "Folder of staged data.").Path(),
          Key("persist", OptionKind::kBoolean,
              "Keep staged data, so that extract and load can run apart."),
          Key("cleanup_on_success", OptionKind::kBoolean,
              "Remove staged data once it is loaded."),
          Key("retain_on_failure", OptionKind::kBoolean,
              "Keep staged data of a failed load."),
      });
}

OptionSpec RuntimeKeys() {
  return Key("runtime", OptionKind::kObject, "How a run uses the machine.")
      .Fields({
          Key("parallelism", OptionKind::kInteger, "Streams at a time.").Between(1, 256),
          Key("retries", OptionKind::kInteger,
              "Further attempts of a stream that failed.")
              .Default("3")
              .Between(0, 100),
          Key("retry_budget", OptionKind::kInteger,
              "Further attempts of all streams of one run together.")
              .Default("20")
              .Between(0, 10000),
          Key("batch_size", OptionKind::kInteger,
              "Rows of a batch where a stream does not say.")
              .Between(1, 10000000),
          Key("memory_limit", OptionKind::kBytes, "Most memory that a run uses.")
              .Default("512MiB")
              .Between(64 << 20, std::nullopt),
          Key("timeout", OptionKind::kDuration,
              "A run that lasts longer is stopped and fails; the default is no limit.")
              .Example("2h")
              .Between(1, 366LL * 24 * 3600),
          Key("priority", OptionKind::kInteger,
              "A daemon starts waiting runs with higher numbers first.")
              .Default("0")
              .Between(-1000, 1000),
          Key("overlap", OptionKind::kString,
              "What a schedule or upstream run does while another run of the pipeline "
              "runs or waits: make none, make one that waits, or cancel the others.")
              .Default("queue")
              .Choices({"skip", "queue", "cancel_previous"}),
          Key("on_interrupt", OptionKind::kString,
              "What a restarted daemon does with a run that it did not end.")
              .Default("resume")
              .Choices({"resume", "fail"}),
      });
}

}  // namespace

OptionSpec PipelineKeys(const ConnectorRegistry& registry) {
  const OptionSpec table =
      Key("table", OptionKind::kString, "The one table, in place of `streams`.")
          .Example("public.orders");
  OptionSpec stream = StreamKeys();
  for (auto& key : {IncrementalKeys(), WatermarkKeys(), WriteModeKeys(), KeyColumns()}) {
    stream.fields.push_back(key);
  }
  return Key("pipeline", OptionKind::kObject, "Moves streams from one system to another.")
      .Fields({
          Key("version", OptionKind::kInteger, "Version of the document's form.")
              .Default("1")
              .Between(1, 1),
          Key("name", OptionKind::kString,
              "Name of the pipeline; the default is the file's name without extension.")
              .Example("orders")
              .Matching(
                  kNamePattern,
                  "a name: small letters, digits, - and _, at most 63, beginning with a "
                  "letter or digit"),
          Key("description", OptionKind::kString, "What the pipeline is for."),
          EndpointKeys(registry, "source", "Where records come from.",
                       {table, IncrementalKeys()}),
          [&] {
            OptionSpec target = EndpointKeys(registry, "target", "Where records go.",
                                             {table, WriteModeKeys(), KeyColumns()});
            target.aliases = {"destination"};
            return target;
          }(),
          BufferKeys(),
          RuntimeKeys(),
          Key("guarantee", OptionKind::kString,
              "required refuses a pipeline that cannot load exactly once.")
              .Default("best_effort")
              .Choices({"best_effort", "required"}),
          Key("defaults", OptionKind::kObject,
              "Settings of all streams that say nothing else.")
              .Fields({ExtractKeys(), LoadKeys()}),
          SchemaContractKeys(),
          AlertKeys(),
          Key("streams", OptionKind::kList, "The datasets to move.")
              .OldName({"items"})
              .Of({stream}),
      });
}

}  // namespace dxt
