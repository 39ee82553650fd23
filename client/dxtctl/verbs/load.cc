#include <CLI/CLI.hpp>

#include "client/dxtctl/run_verb.h"
#include "client/dxtctl/verb_action.h"
#include "client/dxtctl/verbs.h"

namespace dxt::ctl {

void AddLoad(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<RunVerbOptions>();
  options->phase = RunPhase::kLoad;
  auto* verb = app.add_subcommand("load", "Load the packages that `extract` left");
  verb->footer("  dxtctl load orders.yaml");
  verb->add_option("pipeline", options->documents.pipeline, "Pipeline file; - = stdin")
      ->required();
  AddRunOptions(*verb, *options);
  AddDryRunOption(*verb, *options);
  AddKeepOptions(*verb, *options);
  SetAction(*verb, invocation, options, ExecuteRunVerb);
}

}  // namespace dxt::ctl
