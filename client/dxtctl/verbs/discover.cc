#include <cstdio>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "client/dxtctl/documents.h"
#include "client/dxtctl/invocation.h"
#include "client/dxtctl/output.h"
#include "client/dxtctl/verb_action.h"
#include "client/dxtctl/verbs.h"
#include "client/dxtctl/yaml_reading.h"
#include "dxt/v1/project_service.pb.h"

namespace dxt::ctl {
namespace {

struct DiscoverOptions {
  std::string connection, schema, to, format = "yaml";
};

Result<int> Discover(Invocation& invocation, const DiscoverOptions& options) {
  CTL_ASSIGN(Documents documents, invocation.Load({}));
  CTL_ASSIGN(const auto daemon, invocation.Connect(documents));
  v1::DiscoverPipelineRequest request;
  *request.mutable_documents() = WithWorkingFolder(documents);
  request.set_connection(options.connection);
  request.set_schema(options.schema);
  request.set_to(options.to);
  CTL_ASSIGN(const auto response, daemon->Call<v1::DiscoverPipelineResponse>(request));
  const OutputFormat format =
      options.format == "json" ? OutputFormat::kJson : invocation.format();
  if (format == OutputFormat::kTable || format == OutputFormat::kWide ||
      format == OutputFormat::kYaml) {
    std::printf("%s", response.yaml().c_str());
    return kExitOk;
  }
  CTL_ASSIGN(const auto pipeline, ReadYaml(response.yaml()));
  if (format == OutputFormat::kJson) {
    std::printf("%s\n", ToJson(pipeline).c_str());
  } else {
    PrintListing({"streams", "id", {}}, pipeline["streams"], format);
  }
  return kExitOk;
}

}  // namespace

void AddDiscover(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<DiscoverOptions>();
  auto* verb =
      app.add_subcommand("discover", "Write a pipeline of all that a connection holds");
  verb->footer(
      "  dxtctl discover shop --to warehouse > all.yaml\n"
      "  dxtctl discover postgresql://reader@db.example/shop --schema public");
  verb->add_option("connection", options->connection,
                   "Connection name or connection string")
      ->required();
  verb->add_option("--to", options->to, "Target of the pipeline, likewise")
      ->type_name("CONNECTION");
  verb->add_option("--schema", options->schema,
                   "Only this schema (default: all but system's)")
      ->type_name("NAME");
  verb->add_option("--format", options->format,
                   "yaml or json; -o jsonl: a stream a line; -o name: their ids")
      ->check(CLI::IsMember({"yaml", "json"}));
  SetAction(*verb, invocation, options, Discover);
}

}  // namespace dxt::ctl
