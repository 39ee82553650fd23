#include "client/dxtctl/pipeline_name.h"

#include <filesystem>

#include "client/dxtctl/rpc.h"
#include "dxt/v1/project_service.pb.h"

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
    v1::ValidateDocumentsRequest request;
    *request.mutable_documents() = *documents.set;
    CTL_ASSIGN(const auto response, daemon.Call<v1::ValidateDocumentsResponse>(request));
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
