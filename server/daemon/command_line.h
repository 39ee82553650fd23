#pragma once
#include <filesystem>
#include <optional>

#include "server/daemon/config.h"

namespace dxt {

/// What dxtd was started with.
struct CommandLine {
  bool is_private = false;  ///< Ends with its last client; reads no configuration.
  bool check_config = false;
  bool print_reference = false;
  std::filesystem::path socket;  ///< Private only.
  int ready_fd = -1;
  int first_client_seconds = 5;
  ConfigSources sources;
};

/// Reads flags and the environment. Nullopt with `exit_code` set when the process has
/// nothing more to do: help, version or a usage error was printed.
std::optional<CommandLine> ReadCommandLine(int argc, char** argv, int& exit_code);

}  // namespace dxt
