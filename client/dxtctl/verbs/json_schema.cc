#include <cstdio>

#include "client/dxtctl/invocation.h"
#include "client/dxtctl/output.h"
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
  PrintJsonText(invocation, response.json());
  return kExitOk;
}

}  // namespace

void AddJsonSchema(Verb root, Invocation& invocation) {
  auto kind = std::make_shared<std::string>();
  const Verb verb = root.AddVerb("json-schema", "Print the JSON Schema of a document");
  verb.Add("document", *kind, "project or pipeline")
      .Required()
      .OneOf({"project", "pipeline"});
  verb.SetAction(invocation, kind, JsonSchema);
}

}  // namespace dxt::ctl
