#include <CLI/CLI.hpp>

#include "client/dxtctl/run_verb.h"
#include "client/dxtctl/verbs.h"

namespace dxt::ctl {

void AddExtract(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<RunVerbOptions>();
  options->phase = RunPhase::kExtract;
  auto* verb =
      app.add_subcommand("extract", "Read into packages, to be loaded by `load`");
  verb->footer(
      "  dxtctl extract orders.yaml\n"
      "  dxtctl packages list orders.yaml\n"
      "  dxtctl load orders.yaml");
  verb->add_option("pipeline", options->documents.pipeline, "Pipeline file; - = stdin")
      ->required();
  AddRunOptions(*verb, *options);
  const auto parsed = AddReadOptions(*verb, *options);
  AddDryRunOption(*verb, *options);
  AddFreshOption(*verb, *options);
  verb->callback([options, parsed, &invocation] {
    parsed();
    invocation.action = [options, &invocation] {
      return ExecuteRunVerb(invocation, *options);
    };
  });
}

}  // namespace dxt::ctl
