#pragma once
// Which daemon is spoken to, and the channel to it.
#include <memory>
#include <optional>
#include <string>

#include "client/dxtctl/contexts.h"
#include "client/dxtctl/result.h"

namespace grpc {
class Channel;
}

namespace dxt::ctl {

/// What of the command line says where the daemon is; "" = not given.
struct EndpointFlags {
  std::string server, context;
  TlsFiles tls;
  std::string token_file;
  bool local =
      false;  ///< The private daemon, whatever the environment and contexts name.
};

/// A daemon that was named, or the machine's.
struct Endpoint {
  Context context;
  std::string named_by;  ///< "--server", "context 'prod'", …; "" = nothing named it.

  /// "dxt.example.org:7443 (context 'prod')"
  std::string Text() const;
};

/// Where the packaged dxtd listens.
inline constexpr const char* kMachineServer = "unix:/run/dxt/dxtd.sock";

/// The daemon that is named: --server, else --context, else DXT_SERVER, else DXT_CONTEXT,
/// else the current context; none with --local. Other fields come from flags, then DXT_…
/// variables, then the context. A server that is named outright takes nothing from a
/// current context, so no token goes where it was not meant to go.
Result<std::optional<Endpoint>> NamedEndpoint(const EndpointFlags& flags);

/// unix:/path or host:port, else an Error that says so.
Status CheckServer(const std::string& server);

/// Connects when first used. host:port is TLS, except on the loopback without `tls`
/// files. `debug`: a line on stderr for each call.
Result<std::shared_ptr<grpc::Channel>> OpenChannel(const Endpoint& endpoint, bool debug);

/// `error`, as what came of speaking to `endpoint`: unreachable, of another version or
/// not authorized, with the next step; other errors are returned as they are.
Error Explain(Error error, const Endpoint& endpoint);

}  // namespace dxt::ctl
