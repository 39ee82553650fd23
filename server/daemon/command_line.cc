#include "server/daemon/command_line.h"

#include <unistd.h>

#include <CLI/CLI.hpp>

#include "server/daemon/options.h"

extern char** environ;

namespace dxt {
namespace {

std::map<std::string, std::string> ProcessEnvironment() {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

void AddOption(CLI::App& app, const DaemonOption& option,
               std::map<std::string, std::vector<std::string>>& given) {
  const OptionSpec& spec = *option.spec;
  std::string help = spec.help;
  if (!spec.default_value.empty()) help += " Default: " + spec.default_value + ".";
  auto& texts = given[option.path];
  if (spec.kind == OptionKind::kBoolean) {
    app.add_flag_function(
        option.flag, [&texts](int64_t count) { texts = {count > 0 ? "true" : "false"}; },
        help);
    return;
  }
  const bool many = spec.kind == OptionKind::kList || spec.kind == OptionKind::kMap;
  auto* flag = app.add_option(option.flag, texts, help)->allow_extra_args(false);
  flag->option_text(spec.kind == OptionKind::kMap    ? "NAME=VALUE ..."
                    : spec.kind == OptionKind::kList ? "VALUE ..."
                                                     : "VALUE");
  if (!many) flag->take_last();
}

}  // namespace

std::optional<CommandLine> ReadCommandLine(int argc, char** argv, int& exit_code) {
  CommandLine line;
  std::map<std::string, std::vector<std::string>> given;
  std::string config;
  CLI::App app(
      "dxtd stores pipelines, schedules them and runs them, for dxtctl and other "
      "clients.\nEvery option is also a key of the configuration file and a DXTD_ "
      "variable of the environment;\na flag wins over the environment, that over the "
      "file.",
      "dxtd");
  app.set_version_flag("--version", "dxtd " DXT_VERSION);
  app.add_option("--config", config,
                 "Configuration file, YAML. Default: $DXTD_CONFIG, else "
                 "$XDG_CONFIG_HOME/dxt/dxtd.yaml, else /etc/dxt/dxtd.yaml")
      ->type_name("FILE");
  app.add_flag("--check-config", line.check_config,
               "Print what the configuration comes to, where each value is from and "
               "what is wrong; then end");
  for (const auto& option : DaemonOptions()) AddOption(app, option, given);
  app.add_flag("--private", line.is_private,
               "For dxtctl: serve one project and end with the last client");
  app.add_option("--socket", line.socket, "Private only: unix socket to listen at")
      ->type_name("PATH");
  app.add_option("--ready-fd", line.ready_fd,
                 "Descriptor to write one byte to once listening")
      ->type_name("FD");
  app.add_option("--idle-exit", line.first_client_seconds,
                 "Private only: end when no client came within this many seconds")
      ->check(CLI::Range(1, 3600))
      ->type_name("SECONDS");
  // An empty group keeps it off the help.
  app.add_flag("--print-reference", line.print_reference, "")->group("");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    exit_code = app.exit(error) == 0 ? 0 : 2;
    return std::nullopt;
  }
  if (line.is_private && (line.socket.empty() || given["state_dir"].empty())) {
    std::fprintf(stderr, "--private needs --state-dir and --socket\n");
    exit_code = 2;
    return std::nullopt;
  }
  std::erase_if(given, [](const auto& entry) { return entry.second.empty(); });
  line.sources.flags = std::move(given);
  line.sources.root = geteuid() == 0;
  line.sources.read_file = !line.is_private;
  if (!line.is_private) {
    line.sources.environment = ProcessEnvironment();
    if (!config.empty()) line.sources.file = config;
  }
  return line;
}

}  // namespace dxt
