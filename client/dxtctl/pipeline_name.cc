#include "client/dxtctl/pipeline_name.h"

#include <filesystem>

#include <grpcpp/grpcpp.h>

#include "client/dxtctl/rpc.h"
#include "dxt/v1/project_service.grpc.pb.h"

namespace dxt::ctl {

bool IsDocumentArgument(const std::string& text) {
  std::error_code error;
  return text == "-" || text.ends_with(".yaml") || text.ends_with(".yml") ||
         text.ends_with(".json") || std::filesystem::is_regular_file(text, error);
}

Result<std::string> PipelineResourceName(Daemon& daemon, const Documents& documents,
                                         const std::string& name) {
  std::string project = "projects/default";
  if (documents.set->has_project() || documents.set->has_pipeline()) {
    grpc::ClientContext context;
    v1::ValidateDocumentsRequest request;
    *request.mutable_documents() = *documents.set;
    v1::ValidateDocumentsResponse response;
    const auto status = v1::ProjectService::NewStub(daemon.channel())
                            ->ValidateDocuments(&context, request, &response);
    if (!status.ok()) return ErrorOf(status);
    if (!response.valid()) {
      Error error = UsageError("The documents have errors", "See `dxtctl validate`");
      error.code = "document.invalid";
      for (const auto& problem : response.problems()) {
        error.problems_text += ProblemText(problem) + "\n";
      }
      error.problems_json = ProblemsJson(response.problems());
      return error;
    }
    if (!response.pipeline().empty()) return response.pipeline();
    project = response.project();
  }
  return project + "/pipelines/" + (name.empty() ? "-" : name);
}

}  // namespace dxt::ctl
