
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

}  // namespace dxt::ctl
