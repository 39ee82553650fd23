
#include "client/dxtctl/run_verb.h"
#include "client/dxtctl/verbs.h"

namespace dxt::ctl {

void AddPlan(Verb root, Invocation& invocation) {
  auto options = std::make_shared<RunVerbOptions>();
  options->dry_run = true;
  const Verb verb =
      root.AddVerb("plan", "Show what a run would do; the same as run --dry-run");
  verb.Examples(
      "  dxtctl plan orders.yaml --select customers\n"
      "  dxtctl plan orders.yaml --diff");
  verb.Add("pipeline", options->documents.pipeline, "Pipeline file; - = stdin")
      .Required();
  AddRunOptions(verb, *options);
  AddReadOptions(verb, *options);
  AddKeepOptions(verb, *options);
  AddDiffOption(verb, *options);
  verb.SetAction(invocation, options, ExecuteRunVerb);
}

void AddDiff(Verb root, Invocation& invocation) {
  auto options = std::make_shared<RunVerbOptions>();
  options->dry_run = options->diff = true;
  const Verb verb = root.AddVerb(
      "diff", "Show which records a run would change; the same as plan --diff");
  verb.Examples("  dxtctl diff orders.yaml --select customers");
  verb.Add("pipeline", options->documents.pipeline, "Pipeline file; - = stdin")
      .Required();
  AddRunOptions(verb, *options);
  AddReadOptions(verb, *options);
  verb.SetAction(invocation, options, ExecuteRunVerb);
}

}  // namespace dxt::ctl
