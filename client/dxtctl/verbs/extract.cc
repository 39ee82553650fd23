#include <CLI/CLI.hpp>

#include "client/dxtctl/run_verb.h"
#include "client/dxtctl/verbs.h"

namespace dxt::ctl {

void AddExtract(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<RunVerbOptions>();
  options->phase = RunPhase::kExtract;
  auto* verb =
      app.add_subcommand("extract", "Read into packages, to be loaded by `load`");
  verb->add_option("pipeline", options->documents.pipeline, "Pipeline file; - = stdin")
      ->required();
  AddRunOptions(*verb, *options);
  verb->add_flag("--dry-run", options->dry_run,
                 "Show what would be done; change nothing");
  AddLimitOption(*verb, options->limit);
  verb->add_option("--cursor-value", options->cursor_value,
                   "Read from here, this one time")
      ->type_name("VALUE");
  verb->add_flag("--full-refresh", options->full_refresh, "Read from the beginning");
  verb->add_flag("--new", options->fresh, "Give up what an interrupted run left");
  verb->callback([options, &invocation] {
    invocation.action = [options, &invocation] {
      return ExecuteRunVerb(invocation, *options);
    };
  });
}

}  // namespace dxt::ctl
