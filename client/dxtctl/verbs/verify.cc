#include "client/dxtctl/run_verb.h"
#include "client/dxtctl/verbs.h"

namespace dxt::ctl {

void AddVerify(Verb root, Invocation& invocation) {
  auto options = std::make_shared<RunVerbOptions>();
  options->dry_run = options->verify = true;
  const Verb verb = root.AddVerb(
      "verify", "Compare every row of the targets with their sources; change nothing");
  verb.Examples(
      "  dxtctl verify orders.yaml --select customers\n"
      "  dxtctl verify orders.yaml -o json | jq '.streams[].verify'");
  verb.Add("pipeline", options->documents.pipeline, "Pipeline file; - = stdin")
      .Required();
  AddRunOptions(verb, *options);
  verb.SetAction(invocation, options, ExecuteRunVerb);
}

}  // namespace dxt::ctl
