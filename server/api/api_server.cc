#include "server/api/api_server.h"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>

#include "base/error.h"
#include "server/api/credentials.h"
#include "server/api/services.h"

namespace dxt {
namespace {

constexpr int kMostMessageBytes = 4 << 20;
constexpr int kMostMetadataBytes = 8 << 10;
constexpr int kMostStreamsPerConnection = 100;
constexpr size_t kMostTransportBytes = size_t{512} << 20;

arrow::Status CannotListen(const std::string& where, const std::string& hint) {
  return MakeError(ErrorClass::kConfig, "server.listen", "cannot listen at " + where,
                   hint);
}

/// A server with connections from elsewhere keeps them alive, and lets them go in time.
void SetLimits(grpc::ServerBuilder& builder, bool over_tcp) {
  builder.SetMaxReceiveMessageSize(kMostMessageBytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMostMetadataBytes);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMostStreamsPerConnection);
  builder.SetResourceQuota(grpc::ResourceQuota("dxtd").Resize(kMostTransportBytes));
  if (!over_tcp) return;
  constexpr int kSecond = 1000, kMinute = 60 * kSecond;
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kMinute);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20 * kSecond);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kMinute);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, 15 * kMinute);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, 30 * kMinute);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, 5 * kMinute);
}

class GrpcServer final : public ApiServer {
 public:
  explicit GrpcServer(ApiParts parts)
      : parts_(WithDraining(std::move(parts), draining_)),
        streams_(parts_.watcher_patience),
        runs_(parts_, streams_),
        pipelines_(parts_),
        schedules_(parts_),
        dependencies_(parts_),
        project_(parts_, threads_),
        state_(parts_),
        packages_(parts_),
        server_service_(parts_, threads_) {}
  ~GrpcServer() override { Shutdown(); }

  arrow::Status Listen(const ListenOptions& options) {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder builder;
    bool over_tcp = false;
    std::vector<int> ports(options.places.size(), 0);
    for (size_t i = 0; i < options.places.size(); ++i) {
      const auto& place = options.places[i];
      ListenerRules rules;
      rules.reflection = options.reflection;
      if (!place.is_unix) {
        over_tcp = true;
        rules.certificates = options.certificates;
        rules.tokens = options.tokens;
      }
      credentials_.push_back(MakeListenerCredentials(std::move(rules)));
      builder.AddListeningPort(place.is_unix ? "unix:" + place.text : place.text,
                               credentials_.back(), &ports[i]);
    }
    SetLimits(builder, over_tcp);
    for (grpc::Service* service : Services()) builder.RegisterService(service);
    // Nobody may connect to a socket before its mode is set.
    const mode_t mask = umask(0177);
    server_ = builder.BuildAndStart();
    umask(mask);
    for (size_t i = 0; i < options.places.size(); ++i) {
      ARROW_RETURN_NOT_OK(Open(options, options.places[i], ports[i]));
    }
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
    threads_.Stop();
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
    streams_.Stop();
    server_.reset();
  }

 private:
  static ApiParts WithDraining(ApiParts parts, std::atomic<bool>& draining) {
    parts.draining = &draining;
    return parts;
  }

  std::vector<grpc::Service*> Services() {
    return {&runs_,    &pipelines_, &schedules_, &dependencies_,
            &project_, &state_,     &packages_,  &server_service_};
  }

  arrow::Status Open(const ListenOptions& options, const ListenOptions::Place& place,
                     int port) {
    if (!server_ || port == 0) {
      return CannotListen(
          place.text, place.is_unix
                          ? "Check that its folder exists and can be written, and that "
                            "the path is shorter than 108 bytes"
                          : "Check that the address is one of this machine and that "
                            "nothing else listens there");
    }
    if (!place.is_unix) {
      addresses_.push_back(place.text.substr(0, place.text.rfind(':') + 1) +
                           std::to_string(port));
      return arrow::Status::OK();
    }
    addresses_.push_back("unix:" + place.text);
    if (!options.socket_group.empty()) {
      const group* found = getgrnam(options.socket_group.c_str());
      struct stat now{};
      // A hardened unit may forbid chown; the socket often has the group already.
      const bool has = found != nullptr && stat(place.text.c_str(), &now) == 0 &&
                       now.st_gid == found->gr_gid;
      if (!has &&
          (found == nullptr || chown(place.text.c_str(), -1, found->gr_gid) != 0)) {
        return CannotListen(place.text, "Check that the group " + options.socket_group +
                                            " exists and dxtd belongs to it");
      }
    }
    if (chmod(place.text.c_str(), options.socket_mode) != 0) {
      return CannotListen(place.text, "Its mode cannot be set");
    }
    return arrow::Status::OK();
  }

  std::atomic<bool> draining_{false};
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
  ServerServiceImpl server_service_;
  /// The server's core calls them, and does not own them.
  std::vector<std::shared_ptr<grpc::ServerCredentials>> credentials_;
  std::unique_ptr<grpc::Server> server_;
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
