#include <CLI/CLI.hpp>

#include "client/dxtctl/run_verb.h"
#include "client/dxtctl/verbs.h"

namespace dxt::ctl {

void AddPlan(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<RunVerbOptions>();
  options->dry_run = true;
  auto* verb =
      app.add_subcommand("plan", "Show what a run would do; the same as run --dry-run");
  verb->footer("  dxtctl plan orders.yaml --select customers");
  verb->add_option("pipeline", options->documents.pipeline, "Pipeline file; - = stdin")
      ->required();
  AddRunOptions(*verb, *options);
  const auto parsed = AddReadOptions(*verb, *options);
  AddKeepOptions(*verb, *options);
  verb->callback([options, parsed, &invocation] {
    parsed();
    invocation.action = [options, &invocation] {
      return ExecuteRunVerb(invocation, *options);
    };
  });
}

}  // namespace dxt::ctl
