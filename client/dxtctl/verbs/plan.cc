#include <CLI/CLI.hpp>

#include "client/dxtctl/run_verb.h"
#include "client/dxtctl/verbs.h"

namespace dxt::ctl {

void AddPlan(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<RunVerbOptions>();
  options->dry_run = true;
  auto* verb =
      app.add_subcommand("plan", "Show what a run would do; the same as run --dry-run");
  verb->add_option("pipeline", options->documents.pipeline, "Pipeline file; - = stdin")
      ->required();
  AddRunOptions(*verb, *options);
  AddLimitOption(*verb, options->limit);
  verb->add_option("--cursor-value", options->cursor_value, "As if read from here")
      ->type_name("VALUE");
  verb->add_flag("--full-refresh", options->full_refresh,
                 "As if read from the beginning");
  verb->callback([options, &invocation] {
    invocation.action = [options, &invocation] {
      return ExecuteRunVerb(invocation, *options);
    };
  });
}

}  // namespace dxt::ctl
