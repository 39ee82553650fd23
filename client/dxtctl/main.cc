#include <cstdio>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/spelling.h"
#include "client/dxtctl/interrupts.h"
#include "client/dxtctl/invocation.h"
#include "client/dxtctl/verbs.h"

namespace {

using dxt::ctl::Invocation;

void AddGlobalOptions(CLI::App& app, dxt::ctl::GlobalOptions& options) {
  app.add_option(
      "--project", options.project,
      "Project file or its folder (default: looked for beside the pipeline and above)");
  app.add_option("--output,-o", options.output, "table, wide, json, jsonl, yaml or name")
      ->check(CLI::IsMember({"table", "wide", "json", "jsonl", "yaml", "name"}));
  app.add_flag("--quiet,-q", options.quiet, "The same as -o json");
  app.add_flag("--verbose,-v", options.verbose, "Show log lines; twice: debug lines too");
  app.add_option("--color", options.color, "auto, always or never (NO_COLOR is honoured)")
      ->check(CLI::IsMember({"auto", "always", "never"}));
  app.add_option("--log-file", options.log_file,
                 "Append the run's log lines to this file");
  app.add_option("--log-format", options.log_format, "text or json")
      ->check(CLI::IsMember({"text", "normal", "json"}));
}

std::vector<std::string> VerbNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const auto* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(verb->get_name());
  }
  return names;
}

/// The first word, when it was taken for a command and is none.
std::string UnknownVerb(const CLI::App& app, int argc, char** argv) {
  if (!app.get_subcommands().empty()) return {};
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (!word.starts_with("-")) return word;
  }
  return {};
}

int UsageFailure(const CLI::App& app, const CLI::ParseError& error, int argc,
                 char** argv) {
  if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
  std::string text = error.what();
  if (const std::string unknown = UnknownVerb(app, argc, argv); !unknown.empty()) {
    text = "there is no command '" + unknown + "'";
    const std::string nearest = dxt::NearestSpelling(unknown, VerbNames(app));
    if (!nearest.empty()) text += "; did you mean 'dxtctl " + nearest + "'?";
  }
  std::fprintf(stderr, "Error: %s\nRun 'dxtctl --help' for what there is.\n",
               text.c_str());
  return dxt::ctl::kExitUsage;
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
  app.require_subcommand(1);
  app.fallthrough();
  app.set_version_flag("--version", "dxtctl " DXT_VERSION);
  AddGlobalOptions(app, invocation.options);
  for (const auto add : dxt::ctl::AllVerbs()) add(app, invocation);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return UsageFailure(app, error, argc, argv);
  }
  const auto outcome = invocation.action();
  std::fflush(stdout);
  if (!outcome.ok()) invocation.Report(outcome.error());
  if (const int interrupted = dxt::ctl::Interrupts::ExitCode()) return interrupted;
  return outcome.ok() ? *outcome : outcome.error().exit_code;
}
