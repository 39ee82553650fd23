#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>

#include "client/dxtctl/help.h"
#include "client/dxtctl/interrupts.h"
#include "client/dxtctl/invocation.h"
#include "client/dxtctl/usage.h"
#include "client/dxtctl/verbs.h"

namespace {

using dxt::ctl::Invocation;

void AddGlobalOptions(CLI::App& app, dxt::ctl::GlobalOptions& options) {
  app.add_option(
         "--project", options.project,
         "Project file or its folder (default: looked for beside the pipeline and "
         "above)")
      ->type_name("PATH");
  app.add_option("--output,-o", options.output, "table, wide, json, jsonl, yaml or name")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"table", "wide", "json", "jsonl", "yaml", "name"}));
  app.add_flag("--quiet,-q", options.quiet, "The same as -o json");
  app.add_flag("--verbose,-v", options.verbose, "Show log lines; twice: debug lines too");
  app.add_option("--color", options.color, "auto, always or never (NO_COLOR is honoured)")
      ->type_name("WHEN")
      ->check(CLI::IsMember({"auto", "always", "never"}));
  app.add_option("--log-file", options.log_file,
                 "Append the run's log lines to this file")
      ->type_name("FILE");
  app.add_option("--log-format", options.log_format, "text or json")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"text", "normal", "json"}));
}

}  // namespace

int main(int argc, char** argv) {
  dxt::ctl::Interrupts::Install();
  Invocation invocation;
  CLI::App app(
      "dxtctl moves data between databases and files, as a YAML pipeline says.\n\n"
      "  dxtctl init shop                 write a first project\n"
      "  dxtctl run pipeline.yaml         run it\n"
      "  dxtctl plan pipeline.yaml        show what a run would do, and change nothing",
      "dxtctl");
  dxt::ctl::UseHelp(app);
  app.set_help_flag("-h,--help", "Print this help");
  app.require_subcommand(1);
  app.fallthrough();
  app.set_version_flag("--version", "dxtctl " DXT_VERSION, "Print the version");
  AddGlobalOptions(app, invocation.options);
  for (const auto add : dxt::ctl::AllVerbs()) add(app, invocation);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return dxt::ctl::AnswerParseError(app, error);
  }
  const auto outcome = invocation.action();
  std::fflush(stdout);
  if (!outcome.ok()) invocation.Report(outcome.error());
  if (const int interrupted = dxt::ctl::Interrupts::ExitCode()) return interrupted;
  return outcome.ok() ? *outcome : outcome.error().exit_code;
}
