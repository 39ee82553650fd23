
#include "client/dxtctl/run_verb.h"
#include "client/dxtctl/verbs.h"

namespace dxt::ctl {

void AddExtract(Verb root, Invocation& invocation) {
  auto options = std::make_shared<RunVerbOptions>();
  options->phase = RunPhase::kExtract;
  const Verb verb = root.AddVerb("extract", "Read into packages, to be loaded by `load`");
  verb.Examples(
      "  dxtctl extract orders.yaml\n"
      "  dxtctl packages list orders.yaml\n"
      "  dxtctl load orders.yaml");
  verb.Add("pipeline", options->documents.pipeline, "Pipeline file; - = stdin")
      .Required();
  AddRunOptions(verb, *options);
  AddReadOptions(verb, *options);
  AddDryRunOption(verb, *options);
  AddFreshOption(verb, *options);
  verb.SetAction(invocation, options, ExecuteRunVerb);
}

}  // namespace dxt::ctl
