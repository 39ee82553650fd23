#include <CLI/CLI.hpp>

#include "client/dxtctl/run_verb.h"
#include "client/dxtctl/verbs.h"

namespace dxt::ctl {

void AddLoad(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<RunVerbOptions>();
  options->phase = RunPhase::kLoad;
  auto* verb = app.add_subcommand("load", "Load the packages that `extract` left");
  verb->add_option("pipeline", options->documents.pipeline, "Pipeline file; - = stdin")
      ->required();
  AddRunOptions(*verb, *options);
  verb->add_flag("--dry-run", options->dry_run,
                 "Show what would be done; change nothing");
  verb->add_flag("--persist", options->persist,
                 "Keep the packages after they are loaded");
  verb->add_flag("--new", options->fresh, "Give up what an interrupted run left");
  verb->callback([options, &invocation] {
    invocation.action = [options, &invocation] {
      return ExecuteRunVerb(invocation, *options);
    };
  });
}

}  // namespace dxt::ctl
