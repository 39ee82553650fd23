#pragma once
#include <memory>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "server/api/unix_listener.h"

namespace grpc {
class Server;
}

namespace dxt {

class Clock;
class StateStore;

struct PeerGateOptions {
  std::vector<std::string> paths;
  unsigned mode = 0660;
  std::string group;        ///< "" = the process's own.
  bool owner_only = false;  ///< Members of the group are not served either.
};

/// The unix sockets of a server: users whom they serve are handed to it, all others to
/// one that answers PERMISSION_DENIED to whatever they call. A user who is refused is
/// audited, at most once a minute. `peers` learns who everyone is.
class PeerGate {
 public:
  /// Listens, and accepts nobody yet. What is handed in must outlive it.
  static arrow::Result<std::unique_ptr<PeerGate>> Make(const PeerGateOptions& options,
                                                       PeerTable& peers, Clock& clock,
                                                       StateStore& store);
  virtual ~PeerGate() = default;
  /// From now on `server` gets connections. It must outlive Stop.
  virtual void Open(grpc::Server& server) = 0;
  /// Accepts no more, and returns when whoever was refused is gone.
  virtual void Stop() = 0;
};

}  // namespace dxt
