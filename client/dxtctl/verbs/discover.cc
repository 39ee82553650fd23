#include <cstdio>

#include <nlohmann/json.hpp>

#include "client/dxtctl/documents.h"
#include "client/dxtctl/invocation.h"
#include "client/dxtctl/output.h"
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
    PrintJson(invocation, pipeline);
  } else {
    PrintListing({"streams", "id", {}}, pipeline["streams"], invocation);
  }
  return kExitOk;
}

}  // namespace

void AddDiscover(Verb root, Invocation& invocation) {
  auto options = std::make_shared<DiscoverOptions>();
  const Verb verb =
      root.AddVerb("discover", "Write a pipeline of all that a connection holds");
  verb.Examples(
      "  dxtctl discover shop --to warehouse > all.yaml\n"
      "  dxtctl discover postgresql://reader@db.example/shop --schema public");
  verb.Add("connection", options->connection, "Connection name or connection string")
      .Required();
  verb.Add("--to", options->to, "Target of the pipeline, likewise")
      .Placeholder("CONNECTION");
  verb.Add("--schema", options->schema, "Only this schema (default: all but system's)")
      .Placeholder("NAME");
  verb.Add("--format", options->format,
           "yaml or json; -o jsonl: a stream a line; -o name: their ids")
      .OneOf({"yaml", "json"});
  verb.SetAction(invocation, options, Discover);
}

}  // namespace dxt::ctl
