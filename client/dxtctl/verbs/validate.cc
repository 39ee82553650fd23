#include <cstdio>

#include <nlohmann/json.hpp>

#include "client/dxtctl/output.h"
#include "client/dxtctl/rpc.h"
#include "client/dxtctl/run_verb.h"
#include "client/dxtctl/verbs.h"
#include "dxt/v1/project_service.pb.h"

namespace dxt::ctl {
namespace {

Result<int> Validate(Invocation& invocation, const DocumentOptions& options) {
  CTL_ASSIGN(const Documents documents, invocation.Load(options));
  if (!documents.set->has_project() && !documents.set->has_pipeline()) {
    return NoProject("validate");
  }
  CTL_ASSIGN(const auto daemon, invocation.Connect(documents));
  v1::ValidateDocumentsRequest request;
  *request.mutable_documents() = *documents.set;
  CTL_ASSIGN(const auto response, daemon->Call<v1::ValidateDocumentsResponse>(request));
  const int exit_code = response.valid() ? kExitOk : kExitUsage;
  const auto problems = nlohmann::ordered_json::parse(ProblemsJson(response.problems()));
  switch (invocation.format()) {
    case OutputFormat::kJson:
      PrintJson(invocation, problems);
      return exit_code;
    case OutputFormat::kYaml:
      std::printf("%s", ToYaml(problems).c_str());
      return exit_code;
    case OutputFormat::kJsonl:
    case OutputFormat::kName:
      PrintListing({"problems", "code", {}}, problems["problems"], invocation);
      return exit_code;
    case OutputFormat::kTable:
    case OutputFormat::kWide:
      break;
  }
  int errors = 0, warnings = 0;
  for (const auto& problem : response.problems()) {
    const bool warning = problem.level() == v1::Problem::WARNING;
    ++(warning ? warnings : errors);
    const std::string text = ProblemText(problem);
    std::fprintf(
        stderr, "%s\n",
        (warning ? invocation.terminal().Yellow(text) : invocation.terminal().Red(text))
            .c_str());
  }
  const std::string name = options.pipeline.empty() ? "the project" : options.pipeline;
  if (response.valid()) {
    std::printf("%s is valid%s\n", name.c_str(),
                warnings ? (", with " + Counted(warnings, "warning")).c_str() : "");
  } else {
    std::fprintf(stderr, "%s: %s, %s\n", name.c_str(), Counted(errors, "error").c_str(),
                 Counted(warnings, "warning").c_str());
  }
  return exit_code;
}

}  // namespace

void AddValidate(Verb root, Invocation& invocation) {
  auto options = std::make_shared<DocumentOptions>();
  const Verb verb =
      root.AddVerb("validate", "Check a pipeline or project; touch no system");
  verb.Examples(
      "  dxtctl validate orders.yaml --strict\n"
      "  dxtctl validate orders.yaml -o json");
  verb.Add("document", options->pipeline,
           "Pipeline or project file; - = stdin (default: the project)");
  verb.AddFlag("--strict", options->strict, "Secrets written as literals are errors");
  AddVariablesOption(verb, options->variables);
  verb.SetAction(invocation, options, Validate);
}

}  // namespace dxt::ctl
