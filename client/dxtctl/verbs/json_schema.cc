#include <cstdio>

#include <CLI/CLI.hpp>

#include "client/dxtctl/invocation.h"
#include "client/dxtctl/verb_action.h"
#include "client/dxtctl/verbs.h"
#include "dxt/v1/project_service.pb.h"

namespace dxt::ctl {
namespace {

Result<int> JsonSchema(Invocation& invocation, const std::string& kind) {
  CTL_ASSIGN(const Documents documents, invocation.Load({}));
  CTL_ASSIGN(const auto daemon, invocation.Connect(documents));
  v1::GetJsonSchemaRequest request;
  request.set_kind(kind == "project" ? v1::GetJsonSchemaRequest::PROJECT
                                     : v1::GetJsonSchemaRequest::PIPELINE);
  CTL_ASSIGN(const auto response, daemon->Call<v1::GetJsonSchemaResponse>(request));
  std::printf("%s\n", response.json().c_str());
  return kExitOk;
}

}  // namespace

void AddJsonSchema(CLI::App& app, Invocation& invocation) {
  auto kind = std::make_shared<std::string>();
  auto* verb = app.add_subcommand("json-schema", "Print the JSON Schema of a document");
  verb->add_option("document", *kind, "project or pipeline")
      ->required()
      ->check(CLI::IsMember({"project", "pipeline"}));
  SetAction(*verb, invocation, kind, JsonSchema);
}

}  // namespace dxt::ctl
