// Verbs that look at what a run would do, or did, and change nothing.
#include "client/dxtctl/run_verb.h"
#include "client/dxtctl/verbs.h"

namespace dxt::ctl {
namespace {

/// A dry run of a pipeline; `options` is kept by the verb's action.
Verb AddDryVerb(Verb root, Invocation& invocation,
                const std::shared_ptr<RunVerbOptions>& options, const char* name,
                const char* summary, const char* examples) {
  options->dry_run = true;
  const Verb verb = root.AddVerb(name, summary);
  verb.Examples(examples);
  verb.Add("pipeline", options->documents.pipeline, "Pipeline file; - = stdin")
      .Required();
  AddRunOptions(verb, *options);
  verb.SetAction(invocation, options, ExecuteRunVerb);
  return verb;
}

}  // namespace

void AddPlan(Verb root, Invocation& invocation) {
  auto options = std::make_shared<RunVerbOptions>();
  const Verb verb = AddDryVerb(root, invocation, options, "plan",
                               "Show what a run would do; the same as run --dry-run",
                               "  dxtctl plan orders.yaml --select customers\n"
                               "  dxtctl plan orders.yaml --diff");
  AddReadOptions(verb, *options);
  AddKeepOptions(verb, *options);
  AddDiffOption(verb, *options);
}

void AddDiff(Verb root, Invocation& invocation) {
  auto options = std::make_shared<RunVerbOptions>();
  options->diff = true;
  const Verb verb =
      AddDryVerb(root, invocation, options, "diff",
                 "Show which records a run would change; the same as plan --diff",
                 "  dxtctl diff orders.yaml --select customers");
  AddReadOptions(verb, *options);
}

void AddVerify(Verb root, Invocation& invocation) {
  auto options = std::make_shared<RunVerbOptions>();
  options->verify = true;
  AddDryVerb(root, invocation, options, "verify",
             "Compare every row of the targets with their sources; change nothing",
             "  dxtctl verify orders.yaml --select customers\n"
             "  dxtctl verify orders.yaml -o json | jq '.streams[].verify'");
}

}  // namespace dxt::ctl
