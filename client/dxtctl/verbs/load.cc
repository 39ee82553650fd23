
#include "client/dxtctl/run_verb.h"
#include "client/dxtctl/verbs.h"

namespace dxt::ctl {

void AddLoad(Verb root, Invocation& invocation) {
  auto options = std::make_shared<RunVerbOptions>();
  options->phase = RunPhase::kLoad;
  const Verb verb = root.AddVerb("load", "Load the packages that `extract` left");
  verb.Examples("  dxtctl load orders.yaml");
  verb.Add("pipeline", options->documents.pipeline, "Pipeline file; - = stdin")
      .Required();
  AddRunOptions(verb, *options);
  AddDryRunOption(verb, *options);
  AddKeepOptions(verb, *options);
  verb.SetAction(invocation, options, ExecuteRunVerb);
}

}  // namespace dxt::ctl
