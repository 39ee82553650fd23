#pragma once
// A whole server in this process, on a state store in a temporary folder.
#include <filesystem>
#include <memory>
#include <string>

#include <grpcpp/channel.h>

#include "connectors/sdk/registry.h"
#include "server/api/api_server.h"
#include "server/api/attachments.h"
#include "server/scheduler/catalog.h"
#include "server/scheduler/dispatcher.h"
#include "server/scheduler/schedule_loop.h"

namespace dxt {

class TestServer {
 public:
  /// Listens on a unix socket in the folder, and on whatever `options` names beside it.
  /// `limits` are taken for patience and the limit of calls.
  explicit TestServer(ListenOptions options = {}, DispatcherOptions dispatching = {},
                      const ApiParts& limits = {});
  ~TestServer();

  const std::filesystem::path& folder() const { return folder_; }
  ApiServer& api() { return *server_; }
  StateStore& store() { return *store_; }
  Dispatcher& dispatcher() { return *dispatcher_; }
  std::string unix_address() const { return "unix:" + (folder_ / "s").string(); }
  /// Of the first TCP place.
  std::string tcp_address() const { return server_->addresses().back(); }
  std::shared_ptr<grpc::Channel> Connect() const;

 private:
  std::filesystem::path folder_;
  ConnectorRegistry registry_;
  std::unique_ptr<IdSource> ids_;
  std::unique_ptr<StateStore> store_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<Catalog> catalog_;
  std::unique_ptr<ScheduleLoop> schedules_;
  Attachments attachments_;
  std::unique_ptr<ApiServer> server_;
};

}  // namespace dxt
