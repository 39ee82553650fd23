#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include <arrow/result.h>

namespace dxt {

class Attachments;
class Clock;
class ConnectorRegistry;
class Dispatcher;
class StateStore;

/// What the services work with. All must outlive the server.
struct ApiParts {
  const ConnectorRegistry* registry = nullptr;
  Clock* clock = nullptr;
  StateStore* store = nullptr;
  Dispatcher* dispatcher = nullptr;
  Attachments* attachments = nullptr;
  std::filesystem::path state_dir;
  std::string version;
  bool is_private = false;
};

/// The gRPC server, on a unix socket.
class ApiServer {
 public:
  /// Listens once it returns. A file at `socket` is replaced: the caller owns that path.
  static arrow::Result<std::unique_ptr<ApiServer>> Make(
      ApiParts parts, const std::filesystem::path& socket);
  virtual ~ApiServer() = default;
  /// Refuses new calls, ends those that run, returns when all have ended.
  virtual void Shutdown() = 0;
};

}  // namespace dxt
