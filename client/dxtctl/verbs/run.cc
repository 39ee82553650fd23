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
  verb->add_flag("--dry-run", options->dry_run,
                 "Show what would be done; change nothing");
  AddLimitOption(*verb, options->limit);
  verb->add_option("--cursor-value", options->cursor_value,
                   "Read from here, this one time; stored cursors are never lowered")
      ->type_name("VALUE");
  verb->add_flag("--allow-duplicates", options->allow_duplicates,
                 "Let --cursor-value load rows again that an append has loaded");
  auto* refresh = verb->add_option("--full-refresh", options->full_refresh_streams,
                                   "Read from the beginning: STREAM, or all without one");
  refresh->type_name("STREAM")->expected(0, 1)->take_all()->each(
      [options](const std::string&) {});
  verb->add_flag("--persist", options->persist, "Keep the extracted package for `load`");
  verb->add_flag("--new", options->fresh, "Give up what an interrupted run left");
  verb->callback([options, refresh, &invocation] {
    options->full_refresh = refresh->count() > 0;
    std::erase(options->full_refresh_streams, "");
    invocation.action = [options, &invocation] {
      return ExecuteRunVerb(invocation, *options);
    };
  });
}

}  // namespace dxt::ctl
