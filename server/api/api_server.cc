#include "server/api/api_server.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>

#include "base/error.h"
#include "server/api/credentials.h"
#include "server/api/peer_gate.h"
#include "server/api/reflection.h"
#include "server/api/services.h"

namespace dxt {
namespace {

constexpr int kMostMessageBytes = 4 << 20;
constexpr int kMostMetadataBytes = 8 << 10;
constexpr int kMostStreamsPerConnection = 100;
/// Most of them wait for one sync together.
constexpr size_t kMostCallThreads = 32;
constexpr size_t kMostTransportBytes = size_t{512} << 20;

/// A server with connections from elsewhere finds out who is gone, and lets them go in
/// time.
void SetLimits(grpc::ServerBuilder& builder, const ListenOptions& options,
               bool over_tcp) {
  builder.SetMaxReceiveMessageSize(kMostMessageBytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMostMetadataBytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMostStreamsPerConnection);
  builder.SetResourceQuota(grpc::ResourceQuota("dxtd").Resize(kMostTransportBytes));
  if (!over_tcp) return;
  constexpr int kSecond = 1000, kMinute = 60 * kSecond;
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS,
                             static_cast<int>(options.keepalive.count()));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                             static_cast<int>(options.keepalive_patience.count()));
  // Also where no call is under way.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kMinute);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, 15 * kMinute);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, 30 * kMinute);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, 5 * kMinute);
}

class GrpcServer final : public ApiServer {
 public:
  explicit GrpcServer(ApiParts parts)
      : parts_(WithOwn(std::move(parts), draining_, peers_, calls_)),
        threads_(parts_.call_limit),
        streams_(parts_.watcher_patience),
        runs_(parts_, streams_),
        pipelines_(parts_),
        schedules_(parts_),
        dependencies_(parts_),
        project_(parts_, threads_),
        state_(parts_),
        packages_(parts_),
        dead_letters_(parts_),
        server_service_(parts_, threads_) {}
  ~GrpcServer() override { Shutdown(); }

  arrow::Status Listen(const ListenOptions& options) {
    PeerGateOptions gate;
    gate.mode = options.socket_mode;
    gate.group = options.socket_group;
    gate.owner_only = parts_.is_private;
    for (const auto& place : options.places) {
      if (place.is_unix) gate.paths.push_back(place.text);
    }
    ARROW_ASSIGN_OR_RAISE(gate_,
                          PeerGate::Make(gate, peers_, *parts_.clock, *parts_.store));
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder builder;
    bool over_tcp = false;
    std::vector<int> ports(options.places.size(), 0);
    for (size_t i = 0; i < options.places.size(); ++i) {
      const auto& place = options.places[i];
      if (place.is_unix) continue;
      over_tcp = true;
      credentials_.push_back(
          MakeListenerCredentials({options.certificates, options.tokens}));
      builder.AddListeningPort(place.text, credentials_.back(), &ports[i]);
    }
    SetLimits(builder, options, over_tcp);
    // Or a second daemon would share the address, and each get some of the clients.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    if (!options.reflection) builder.SetOption(WithoutReflection());
    for (const auto& [service, name] : Services()) builder.RegisterService(service);
    server_ = builder.BuildAndStart();
    if (auto* health = server_ ? server_->GetHealthCheckService() : nullptr) {
      for (const auto& [service, name] : Services()) health->SetServingStatus(name, true);
    }
    for (size_t i = 0; i < options.places.size(); ++i) {
      ARROW_RETURN_NOT_OK(Name(options.places[i], ports[i]));
    }
    gate_->Open(*server_);
    return arrow::Status::OK();
  }

  const std::vector<std::string>& addresses() const override { return addresses_; }
  int watchers() const override { return streams_.open(); }
  int64_t watchers_dropped() const override { return streams_.dropped(); }

  void Drain() override {
    draining_ = true;
    if (auto* health = server_->GetHealthCheckService()) health->SetServingStatus(false);
  }

  void Shutdown() override {
    if (!server_) return;
    gate_->Stop();
    threads_.Stop();
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
    calls_.Stop();
    streams_.Stop();
    server_.reset();
  }

 private:
  static ApiParts WithOwn(ApiParts parts, std::atomic<bool>& draining,
                          const PeerTable& peers, CallPool& calls) {
    parts.draining = &draining;
    parts.peers = &peers;
    parts.calls = &calls;
    return parts;
  }

  /// With the names that health is asked by.
  std::vector<std::pair<grpc::Service*, const char*>> Services() {
    return {{&runs_, v1::RunService::service_full_name()},
            {&pipelines_, v1::PipelineService::service_full_name()},
            {&schedules_, v1::ScheduleService::service_full_name()},
            {&dependencies_, v1::DependencyService::service_full_name()},
            {&project_, v1::ProjectService::service_full_name()},
            {&state_, v1::StateService::service_full_name()},
            {&packages_, v1::PackageService::service_full_name()},
            {&dead_letters_, v1::DeadLetterService::service_full_name()},
            {&server_service_, v1::ServerService::service_full_name()}};
  }

  arrow::Status Name(const ListenOptions::Place& place, int port) {
    if (!server_ || (!place.is_unix && port == 0)) {
      return MakeError(ErrorClass::kConfig, "server.listen",
                       "cannot listen at " + place.text,
                       "Check that the address is one of this machine and that nothing "
                       "else listens there");
    }
    addresses_.push_back(place.is_unix ? "unix:" + place.text
                                       : place.text.substr(0, place.text.rfind(':') + 1) +
                                             std::to_string(port));
    return arrow::Status::OK();
  }

  std::atomic<bool> draining_{false};
  PeerTable peers_;
  CallPool calls_{kMostCallThreads};
  const ApiParts parts_;
  CallThreads threads_;
  Streams streams_;
  RunServiceImpl runs_;
  PipelineServiceImpl pipelines_;
  ScheduleServiceImpl schedules_;
  DependencyServiceImpl dependencies_;
  ProjectServiceImpl project_;
  StateServiceImpl state_;
  PackageServiceImpl packages_;
  DeadLetterServiceImpl dead_letters_;
  ServerServiceImpl server_service_;
  /// The server's core calls them, and does not own them.
  std::vector<std::shared_ptr<grpc::ServerCredentials>> credentials_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<PeerGate> gate_;
  std::vector<std::string> addresses_;
};

}  // namespace

arrow::Result<std::unique_ptr<ApiServer>> ApiServer::Make(ApiParts parts,
                                                          const ListenOptions& options) {
  auto server = std::make_unique<GrpcServer>(std::move(parts));
  ARROW_RETURN_NOT_OK(server->Listen(options));
  return server;
}

}  // namespace dxt
