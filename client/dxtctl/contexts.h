#pragma once
// Named daemons of a user: $XDG_CONFIG_HOME/dxt/config.yaml.
#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "client/dxtctl/result.h"

namespace dxt::ctl {

/// Files of one side of a TLS connection; "" = none.
struct TlsFiles {
  std::string ca;         ///< Authorities that may vouch for the daemon.
  std::string cert, key;  ///< What vouches for this client; both or neither.
  bool operator==(const TlsFiles&) const = default;
};

/// One daemon and how to speak to it.
struct Context {
  std::string server;  ///< unix:/path or host:port
  TlsFiles tls;
  std::string token_file;
  std::string project;  ///< Of resource names without one; "" = default.
  bool operator==(const Context&) const = default;
};

struct Contexts {
  std::string current;  ///< "" = none.
  std::map<std::string, Context> all;
};

/// $XDG_CONFIG_HOME/dxt/config.yaml, else below ~/.config.
std::filesystem::path ContextsPath();

/// No file = no contexts. Refuses a file that others may write, and keys it does not
/// know.
Result<Contexts> LoadContexts(const std::filesystem::path& path);

/// Replaces the file as a whole; it is 0600, its folder is made 0700.
Status SaveContexts(const std::filesystem::path& path, const Contexts& contexts);

/// [a-z0-9][a-z0-9_-]{0,62}: names of contexts, projects and what they hold.
bool IsResourceId(std::string_view text);

}  // namespace dxt::ctl
