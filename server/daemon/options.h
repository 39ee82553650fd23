#pragma once
// The one table of what dxtd can be told. Configuration file, environment, flags,
// `--help`, `--check-config` and docs/reference/dxtd.md are all made from it.
#include <string>
#include <vector>

#include "connectors/sdk/config.h"

namespace dxt {

/// The keys of the configuration file, as a tree.
const OptionSpec& DaemonKeys();

/// A key that holds a value, with its other names.
struct DaemonOption {
  std::string path;         ///< log.level
  std::string flag;         ///< --log-level
  std::string environment;  ///< DXTD_LOG_LEVEL
  const OptionSpec* spec = nullptr;
};

/// All of them, in the order of the table. Refers into DaemonKeys().
const std::vector<DaemonOption>& DaemonOptions();

/// The page docs/reference/dxtd.md has this table between its markers.
std::string DaemonReference();

}  // namespace dxt
