#include "server/api/test_server.h"

#include <cstdlib>

#include <grpcpp/grpcpp.h>

#include "base/clock.h"
#include "base/ids.h"
#include "connectors/sdk/connector.h"
#include "state/sqlite/sqlite_state_store.h"

namespace dxt {

TestServer::TestServer(ListenOptions options, DispatcherOptions dispatching,
                       const ApiParts& limits) {
  char name[] = "/tmp/dxt-api-XXXXXX";
  folder_ = mkdtemp(name);
  if (const auto status = RegisterBuiltinConnectors(registry_); !status.ok()) {
    status.Abort();
  }
  ids_ = MakeIdSource(SystemClock());
  store_ = SqliteStateStore::Make(folder_).ValueOrDie();
  dispatching.state_dir = folder_;
  dispatcher_ = std::make_unique<Dispatcher>(dispatching, registry_, SystemClock(), *ids_,
                                             *store_, nullptr);
  catalog_ =
      std::make_unique<Catalog>(CatalogOptions(), registry_, SystemClock(), *store_);
  schedules_ =
      std::make_unique<ScheduleLoop>(*store_, *dispatcher_, SystemClock(), nullptr);
  ApiParts parts = limits;
  parts.catalog = catalog_.get();
  parts.schedules = schedules_.get();
  parts.registry = &registry_;
  parts.clock = &SystemClock();
  parts.store = store_.get();
  parts.dispatcher = dispatcher_.get();
  parts.attachments = &attachments_;
  parts.state_dir = folder_;
  parts.version = "1.2.3";
  options.places.insert(options.places.begin(), {true, (folder_ / "s").string()});
  server_ = ApiServer::Make(parts, options).ValueOrDie();
}

TestServer::~TestServer() {
  dispatcher_->Stop();
  server_->Shutdown();
  server_.reset();
  dispatcher_.reset();
  store_.reset();
  std::error_code error;
  std::filesystem::remove_all(folder_, error);
}

std::shared_ptr<grpc::Channel> TestServer::Connect() const {
  return grpc::CreateChannel(unix_address(), grpc::InsecureChannelCredentials());
}

}  // namespace dxt
