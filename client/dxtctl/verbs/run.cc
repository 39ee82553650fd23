#include <CLI/CLI.hpp>

#include "client/dxtctl/run_verb.h"
#include "client/dxtctl/verbs.h"

namespace dxt::ctl {

void AddRun(CLI::App& app, Invocation& invocation) {
  auto options = std::make_shared<RunVerbOptions>();
  auto* verb = app.add_subcommand("run", "Move the data of a pipeline");
  verb->add_option("pipeline", options->documents.pipeline, "Pipeline file; - = stdin")
      ->required();
  AddRunOptions(*verb, *options);
  const auto parsed = AddReadOptions(*verb, *options);
  verb->callback([options, parsed, &invocation] {
    parsed();
    invocation.action = [options, &invocation] {
      return ExecuteRunVerb(invocation, *options);
    };
  });
}

}  // namespace dxt::ctl
