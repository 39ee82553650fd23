#include <cstdio>

#include "client/dxtctl/pipeline_name.h"
#include "client/dxtctl/resources.h"
#include "client/dxtctl/rpc.h"
#include "client/dxtctl/run_follow.h"
#include "client/dxtctl/run_table.h"
#include "client/dxtctl/run_verb.h"
#include "client/dxtctl/verbs.h"
#include "dxt/v1/run_service.pb.h"

namespace dxt::ctl {
namespace {

struct SubmitOptions {
  RunVerbOptions run;
  std::string what;
  bool wait = false, detach = false, validate_only = false;
  std::string timeout, request_id;
  int priority = 0;
};

/// An inline document, or the name of a stored pipeline.
Status FillWhat(Invocation& invocation, const ResourceServer& server,
                const SubmitOptions& options, v1::SubmitRunRequest& request) {
  if (IsDocumentArgument(options.what)) {
    DocumentOptions wanted = options.run.documents;
    wanted.pipeline = options.what;
    CTL_ASSIGN(const Documents documents, invocation.Load(wanted));
    *request.mutable_documents() = *documents.set;
    return Done{};
  }
  CTL_ASSIGN(*request.mutable_pipeline(),
             ResourceName(server, "pipelines", options.what));
  for (const auto& assignment : options.run.documents.variables) {
    CTL_ASSIGN(const auto pair, SplitAssignment(assignment));
    (*request.mutable_sql_variables())[pair.first] = pair.second;
  }
  return Done{};
}

Result<int> Submit(Invocation& invocation, const SubmitOptions& options) {
  if (options.wait && options.detach) {
    return UsageError("--wait and --detach exclude each other", "Leave one of them out");
  }
  if (!options.timeout.empty() && !options.wait) {
    return UsageError("--timeout is how long --wait waits", "Add --wait");
  }
  FollowOptions follow;
  if (!options.timeout.empty()) {
    CTL_ASSIGN(const int64_t seconds, ParseDuration(options.timeout, "--timeout"));
    follow.timeout = std::chrono::seconds(seconds);
  }
  CTL_ASSIGN(const auto server, invocation.Server(IsDocumentArgument(options.what)));
  v1::SubmitRunRequest request;
  CTL_RETURN_NOT_OK(FillWhat(invocation, server, options, request));
  FillRunOptions(options.run, *request.mutable_options());
  request.set_request_id(options.request_id.empty() ? NewRequestId()
                                                    : options.request_id);
  request.set_priority(options.priority);
  request.set_validate_only(options.validate_only);
  CTL_ASSIGN(const auto run, Call<v1::Run>(server, request, {.attempts = 4}));
  if (options.validate_only) {
    invocation.Note("Nothing is wrong with it; nothing was queued.");
    return kExitOk;
  }
  if (options.wait) {
    invocation.Note("Queued " + LastPart(run.name()) + ".");
    return FollowRun(invocation, server, run.name(), follow);
  }
  PrintQueued(invocation, run);
  return kExitOk;
}

}  // namespace

void AddSubmit(Verb root, Invocation& invocation) {
  auto options = std::make_shared<SubmitOptions>();
  const Verb verb = root.AddVerb("submit", "Have a daemon run a pipeline");
  verb.Examples(
      "  dxtctl submit orders                          a stored pipeline\n"
      "  dxtctl submit orders.yaml --wait              a file; follow it to its end\n"
      "  dxtctl submit orders --wait --timeout 30m     exit code 7 when it takes longer\n"
      "  dxtctl submit orders --select 'tag:daily' --var since=2026-11-01");
  verb.Add("pipeline", options->what,
           "Name of a stored pipeline, or a pipeline file; - = stdin")
      .Required();
  AddRunOptions(verb, options->run);
  AddReadOptions(verb, options->run);
  AddDryRunOptions(verb, options->run);
  AddKeepOptions(verb, options->run);
  verb.AddFlag("--wait,-w", options->wait, "Follow the run, and end with its exit code");
  verb.Add("--timeout", options->timeout,
           "With --wait: end with 7 after this long (90s, 15m, 2h)");
  verb.AddFlag("--detach", options->detach, "Return once it is queued (the default)");
  verb.Add("--priority", options->priority, "Higher ones are claimed first (default: 0)")
      .Between(-1000, 1000);
  verb.Add("--request-id", options->request_id,
           "Submits with one id make one run (default: a new one)");
  verb.AddFlag("--validate-only", options->validate_only,
               "Check all that a submit checks; queue nothing");
  verb.SetAction(invocation, options, Submit);
}

}  // namespace dxt::ctl
