#include <CLI/CLI.hpp>

#include "client/dxtctl/run_verb.h"
#include "client/dxtctl/verbs.h"

namespace dxt::ctl {

void AddRun(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<RunVerbOptions>();
  auto* verb = app.add_subcommand("run", "Move the data of a pipeline");
  verb->footer(
      "  dxtctl run orders.yaml\n"
      "  dxtctl run orders.yaml --select 'tag:daily' --threads 4\n"
      "  dxtctl run orders.yaml --full-refresh customers -o json");
  verb->add_option("pipeline", options->documents.pipeline, "Pipeline file; - = stdin")
      ->required();
  AddRunOptions(*verb, *options);
  const auto parsed = AddReadOptions(*verb, *options);
  AddDryRunOption(*verb, *options);
  AddKeepOptions(*verb, *options);
  verb->callback([options, parsed, &invocation] {
    parsed();
    invocation.action = [options, &invocation] {
      return ExecuteRunVerb(invocation, *options);
    };
  });
}

}  // namespace dxt::ctl
