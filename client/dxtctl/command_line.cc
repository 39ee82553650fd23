#include "client/dxtctl/command_line.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include <poll.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include "client/dxtctl/arguments.h"
#include "client/dxtctl/help.h"
#include "client/dxtctl/interrupts.h"
#include "client/dxtctl/usage.h"
#include "client/dxtctl/verbs.h"

namespace dxt::ctl {
namespace {

bool IsReaderGone() {
  pollfd output{STDOUT_FILENO, POLLOUT, 0};
  return poll(&output, 1, 0) > 0 && (output.revents & POLLERR) != 0;
}

void AddEndpointOptions(Verb root, EndpointFlags& flags) {
  root.Add("--server", flags.server,
           "The dxtd to use: unix:/path or host:port (DXT_SERVER)")
      .Placeholder("ADDRESS");
  root.Add("--context", flags.context,
           "A daemon by its name in `dxtctl context list` (DXT_CONTEXT)")
      .Placeholder("NAME");
  root.AddFlag("--local", flags.local, "Use the private dxtd, whatever else is named");
  root.Add("--tls-ca", flags.tls.ca, "Authorities that may vouch for the daemon")
      .Placeholder("FILE");
  root.Add("--tls-cert", flags.tls.cert, "Certificate of this client")
      .Placeholder("FILE");
  root.Add("--tls-key", flags.tls.key, "Its key").Placeholder("FILE");
  root.Add("--token-file", flags.token_file, "File that holds a bearer token")
      .Placeholder("FILE");
}

void AddGlobalOptions(Verb root, GlobalOptions& options) {
  root.Add("--project", options.project,
           "Project file or its folder (default: looked for beside the pipeline "
           "and above); "
           "for stored resources the project's name")
      .Placeholder("PATH|NAME");
  root.Add("--output,-o", options.output,
           "table, wide, json, jsonl, yaml, name or jsonpath=TEMPLATE")
      .Placeholder("FORMAT")
      .Check([](const std::string& format) {
        static constexpr std::string_view kKnown[] = {"table", "wide", "json",
                                                      "jsonl", "yaml", "name"};
        const bool known = format.starts_with("jsonpath=") ||
                           std::count(std::begin(kKnown), std::end(kKnown), format) > 0;
        return known ? std::string()
                     : "'" + format +
                           "' is none of table, wide, json, jsonl, yaml, name and "
                           "jsonpath=TEMPLATE";
      });
  root.AddFlag("--quiet,-q", options.quiet, "The same as -o json");
  root.AddFlag("--no-headers", options.no_headers, "Tables without their first line");
  root.Add("--sort-by", options.sort_by,
           "Order lists by fields of their JSON: 'state, create_time desc'")
      .Placeholder("FIELDS");
  root.Add("--time-format", options.time_format,
           "Of times in tables: relative, local or iso (UTC)")
      .Placeholder("FORMAT")
      .OneOf({"relative", "local", "iso"});
  root.AddFlag("--verbose,-v", options.verbose, "Show log lines; twice: debug lines too");
  root.AddFlag("--debug", options.debug, "Show each call to dxtd and its status")
      .Environment("DXT_DEBUG");
  root.Add("--color", options.color, "auto, always or never (NO_COLOR is honoured)")
      .Placeholder("WHEN")
      .OneOf({"auto", "always", "never"});
  root.Add("--log-file", options.log_file, "Append the run's log lines to this file")
      .Placeholder("FILE");
  root.Add("--log-format", options.log_format, "text or json")
      .Placeholder("FORMAT")
      .OneOf({"text", "normal", "json"});
  root.AddFlag("--yes,-y", options.yes, "Do not ask before something is deleted");
  root.AddFlag("--no-input", options.no_input, "Never ask; refuse what would be asked");
  AddEndpointOptions(root, options.endpoint);
}

/// Runs the verb. The file system throws where the working folder is gone.
Result<int> Act(Invocation& invocation) {
  CTL_RETURN_NOT_OK(invocation.TakeJsonPath());
  try {
    auto outcome = invocation.action();
    if (outcome.ok() && invocation.refused()) return *invocation.refused();
    return outcome;
  } catch (const std::filesystem::filesystem_error& error) {
    return UsageError(std::string("A path cannot be read: ") + error.code().message(),
                      "Is the folder gone that this shell is in? Change to another one");
  }
}

}  // namespace

void BuildCommandLine(CLI::App& app, Invocation& invocation) {
  app.description(
      "dxtctl moves data between databases and files, as a YAML pipeline says.\n\n"
      "  dxtctl init shop                 write a first project\n"
      "  dxtctl run pipeline.yaml         run it here\n"
      "  dxtctl plan pipeline.yaml        show what a run would do, and change nothing\n"
      "  dxtctl submit pipeline.yaml      have a daemon run it\n"
      "  dxtctl runs list                 see what it runs");
  app.name("dxtctl");
  UseHelp(app);
  app.set_help_flag("-h,--help", "Print this help");
  app.require_subcommand(1);
  app.fallthrough();
  app.set_version_flag("--version", "dxtctl " DXT_VERSION, "Print the version");
  AddGlobalOptions(Verb(app), invocation.options);
  for (const auto add : AllVerbs()) add(Verb(app), invocation);
  AddHelp(app, invocation);
}

int RunCommandLine(int argc, char** argv) {
  Invocation invocation;
  CLI::App app;
  BuildCommandLine(app, invocation);
  try {
    auto arguments = TakeArguments(argc, argv);
    std::reverse(arguments.begin(), arguments.end());  // As the parser takes them.
    app.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    return AnswerParseError(app, error);
  }
  auto outcome = Act(invocation);
  const bool flushed = std::fflush(stdout) == 0;
  const std::string why = flushed ? "" : std::string(": ") + std::strerror(errno);
  // Whoever reads no more of a pipe has what they wanted.
  const bool unwritten = (!flushed || std::ferror(stdout) != 0) && !IsReaderGone();
  int exit_code = kExitOk;
  if (outcome.ok()) {
    exit_code = *outcome;
  } else {
    const auto error = invocation.Explained(outcome.error());
    invocation.Report(error);
    exit_code = error.exit_code;
  }
  if (unwritten) {
    Error error;
    error.message = "The output could not be written" + why;
    error.hint = "What was done stays done; free space, or write it elsewhere";
    invocation.Report(error);
    if (exit_code == kExitOk) exit_code = kExitFailed;
  }
  if (const int interrupted = Interrupts::ExitCode()) return interrupted;
  return exit_code;
}

}  // namespace dxt::ctl
