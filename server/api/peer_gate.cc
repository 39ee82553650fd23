#include "server/api/peer_gate.h"

#include <chrono>

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server_posix.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "server/api/reflection.h"
#include "server/api/status_map.h"
#include "state/state_store.h"

namespace dxt {
namespace {

constexpr auto kBetweenAudits = std::chrono::minutes(1);
constexpr size_t kMostAudited = 1000;

grpc::Status Refusal(std::optional<uid_t> uid) {
  return ApiError(grpc::StatusCode::PERMISSION_DENIED, "server.peer_refused",
                  "The user " +
                      (uid ? std::to_string(*uid) : std::string("of this call")) +
                      " may not use this dxtd",
                  "Its own user, root and members of its socket's group may: see "
                  "`socket_group` of dxtd, and join that group");
}

/// Answers every call alike.
class Refuser final : public grpc::CallbackGenericService {
 public:
  explicit Refuser(const PeerTable& peers) : peers_(peers) {}

  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    class Answer final : public grpc::ServerGenericBidiReactor {
     public:
      explicit Answer(grpc::Status status) { Finish(std::move(status)); }
      void OnDone() override { delete this; }
    };
    return new Answer(Refusal(peers_.Of(context->peer())));
  }

 private:
  const PeerTable& peers_;
};

class Gate final : public PeerGate {
 public:
  Gate(const PeerGateOptions& options, PeerTable& peers, Clock& clock, StateStore& store)
      : options_(options), peers_(peers), clock_(clock), store_(store) {}
  ~Gate() override { Stop(); }

  arrow::Status Listen() {
    for (const auto& path : options_.paths) {
      PeerRules rules;
      rules.owner = geteuid();
      auto& place = places_.emplace_back(std::make_unique<Place>());
      place->path = path;
      ARROW_ASSIGN_OR_RAISE(
          place->listener,
          UnixListener::Make({path, options_.mode, options_.group},
                             [this, at = place.get()](int fd, const SocketPeer& peer) {
                               Take(*at, fd, peer);
                             }));
      if (!options_.owner_only) rules.group = place->listener->group();
      place->rules = rules;
    }
    // Health is not told to whom nothing else is.
    grpc::EnableDefaultHealthCheckService(false);
    grpc::ServerBuilder builder;
    builder.SetOption(WithoutReflection());
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 10);
    builder.SetMaxReceiveMessageSize(64 << 10);
    builder.RegisterCallbackGenericService(&refuser_);
    refusing_ = builder.BuildAndStart();
    if (refusing_) return arrow::Status::OK();
    return MakeError(ErrorClass::kInternal, "server.listen", "gRPC does not start");
  }

  void Open(grpc::Server& server) override {
    server_ = &server;
    for (auto& place : places_) place->listener->Start();
  }

  void Stop() override {
    places_.clear();
    if (!refusing_) return;
    refusing_->Shutdown(std::chrono::system_clock::now());
    refusing_->Wait();
    refusing_.reset();
  }

 private:
  struct Place {
    std::string path;
    PeerRules rules;
    std::unique_ptr<UnixListener> listener;
  };

  void Take(const Place& place, int fd, const SocketPeer& peer) {
    peers_.Set(fd, peer.uid);
    if (place.rules.Admits(peer)) {
      grpc::AddInsecureChannelFromFd(server_, fd);
      return;
    }
    AuditRefusal(place, peer);
    grpc::AddInsecureChannelFromFd(refusing_.get(), fd);
  }

  void AuditRefusal(const Place& place, const SocketPeer& peer) {
    const auto now = clock_.Tick();
    {
      std::lock_guard lock(mutex_);
      if (audited_.size() >= kMostAudited) audited_.clear();
      const auto [at, is_new] = audited_.emplace(peer.uid, now);
      if (!is_new && now - at->second < kBetweenAudits) return;
      at->second = now;
    }
    AuditRecord record;
    record.at = FormatTime(clock_.Now());
    record.principal = "uid:" + std::to_string(peer.uid);
    record.action = "Connect";
    record.resource = "unix:" + place.path;
    record.detail = "refused; its process was " + std::to_string(peer.pid);
    // Whoever is refused is refused, whether it can be written down or not.
    (void)store_.audit().Append(record);
  }

  const PeerGateOptions options_;
  PeerTable& peers_;
  Clock& clock_;
  StateStore& store_;
  Refuser refuser_{peers_};
  std::unique_ptr<grpc::Server> refusing_;
  grpc::Server* server_ = nullptr;
  std::mutex mutex_;
  std::map<uid_t, std::chrono::steady_clock::time_point> audited_;
  std::vector<std::unique_ptr<Place>> places_;
};

}  // namespace

arrow::Result<std::unique_ptr<PeerGate>> PeerGate::Make(const PeerGateOptions& options,
                                                        PeerTable& peers, Clock& clock,
                                                        StateStore& store) {
  auto gate = std::make_unique<Gate>(options, peers, clock, store);
  ARROW_RETURN_NOT_OK(gate->Listen());
  return gate;
}

}  // namespace dxt
