
#include "client/dxtctl/run_verb.h"
#include "client/dxtctl/verbs.h"

namespace dxt::ctl {

void AddRun(Verb root, Invocation& invocation) {
  auto options = std::make_shared<RunVerbOptions>();
  const Verb verb = root.AddVerb("run", "Move the data of a pipeline");
  verb.Examples(
      "  dxtctl run orders.yaml\n"
      "  dxtctl run orders.yaml --select 'tag:daily' --threads 4\n"
      "  dxtctl run orders.yaml --full-refresh customers -o json");
  verb.Add("pipeline", options->documents.pipeline, "Pipeline file; - = stdin")
      .Required();
  AddRunOptions(verb, *options);
  AddReadOptions(verb, *options);
  AddDryRunOptions(verb, *options);
  AddKeepOptions(verb, *options);
  verb.SetAction(invocation, options, ExecuteRunVerb);
}

}  // namespace dxt::ctl
