#pragma once
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "server/api/file_roots.h"

namespace dxt {

class Attachments;
class CallPool;
class Catalog;
class Certificates;
class Clock;
class ConnectorRegistry;
class Dispatcher;
class PeerTable;
class ScheduleLoop;
class StateStore;
class TokenFile;

/// What the services work with. All must outlive the server.
struct ApiParts {
  const ConnectorRegistry* registry = nullptr;
  Clock* clock = nullptr;
  StateStore* store = nullptr;
  Dispatcher* dispatcher = nullptr;
  Catalog* catalog = nullptr;
  ScheduleLoop* schedules = nullptr;
  Attachments* attachments = nullptr;
  std::filesystem::path state_dir;
  std::string version;
  bool is_private = false;
  /// Where documents may name files.
  FileRoots file_roots = FileRoots::Below({});
  /// What an operator should look at; may be empty.
  std::function<std::vector<std::string>()> warnings;
  /// A watcher whose client took nothing for this long is dropped.
  std::chrono::milliseconds watcher_patience = std::chrono::seconds(30);
  /// A call that waits for other systems is stopped after this, whatever deadline its
  /// client set or did not set; 0 = never.
  std::chrono::milliseconds call_limit = std::chrono::minutes(10);
  /// Set while the server drains: no run is taken.
  std::atomic<bool>* draining = nullptr;
  /// Set by the server: which users its unix sockets serve just now.
  const PeerTable* peers = nullptr;
  /// Set by the server: the threads that answer unary calls.
  CallPool* calls = nullptr;
};

/// Where the server listens, and what it asks of its clients there.
struct ListenOptions {
  struct Place {
    bool is_unix = false;
    std::string text;  ///< A path, or "host:port"; port 0 = any.
  };
  std::vector<Place> places;
  unsigned socket_mode = 0660;
  std::string socket_group;  ///< "" = the process's own. Others are not served.
  std::shared_ptr<Certificates> certificates;  ///< Of TCP places; null = no TLS.
  std::shared_ptr<TokenFile> tokens;           ///< Of TCP places; null = no token.
  bool reflection = false;
  /// A TCP connection that was silent for this long is asked whether somebody is there,
  std::chrono::milliseconds keepalive = std::chrono::minutes(1);
  /// and ends when nobody has answered after this.
  std::chrono::milliseconds keepalive_patience = std::chrono::seconds(20);
};

/// The gRPC server.
class ApiServer {
 public:
  /// Listens once it returns. A file at a socket's path is replaced: the caller owns that
  /// path.
  static arrow::Result<std::unique_ptr<ApiServer>> Make(ApiParts parts,
                                                        const ListenOptions& options);
  virtual ~ApiServer() = default;
  /// "unix:/path" and "host:port" with the port that was chosen, in the order of places.
  virtual const std::vector<std::string>& addresses() const = 0;
  /// Open watch and log streams, and how many were ended because nobody read them.
  virtual int watchers() const = 0;
  virtual int64_t watchers_dropped() const = 0;
  /// Health says NOT_SERVING from now on, and no run is taken any more; all else goes on.
  virtual void Drain() = 0;
  /// Refuses new calls, ends those that run, returns when all have ended.
  virtual void Shutdown() = 0;
};

}  // namespace dxt
