#include "server/api/api_server.h"

#include <sys/stat.h>

#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include "base/error.h"
#include "server/api/services.h"

namespace dxt {
namespace {

class GrpcServer final : public ApiServer {
 public:
  explicit GrpcServer(ApiParts parts)
      : parts_(std::move(parts)),
        runs_(parts_),
        project_(parts_, threads_),
        state_(parts_),
        packages_(parts_),
        server_service_(parts_) {}
  ~GrpcServer() override { Shutdown(); }

  arrow::Status Listen(const std::filesystem::path& socket) {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder builder;
    builder.SetMaxReceiveMessageSize(4 << 20);
    builder.AddListeningPort("unix:" + socket.string(),
                             grpc::InsecureServerCredentials());
    for (grpc::Service* service : std::initializer_list<grpc::Service*>{
             &runs_, &project_, &state_, &packages_, &server_service_}) {
      builder.RegisterService(service);
    }
    server_ = builder.BuildAndStart();
    if (!server_ || chmod(socket.c_str(), parts_.is_private ? 0600 : 0660) != 0) {
      return MakeError(
          ErrorClass::kConfig, "server.listen", "cannot listen at " + socket.string(),
          "Check that its folder exists and can be written, and that the path is "
          "shorter than 108 bytes");
    }
    return arrow::Status::OK();
  }

  void Shutdown() override {
    if (!server_) return;
    threads_.Stop();
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
    server_.reset();
  }

 private:
  const ApiParts parts_;
  CallThreads threads_;
  RunServiceImpl runs_;
  ProjectServiceImpl project_;
  StateServiceImpl state_;
  PackageServiceImpl packages_;
  ServerServiceImpl server_service_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

arrow::Result<std::unique_ptr<ApiServer>> ApiServer::Make(
    ApiParts parts, const std::filesystem::path& socket) {
  auto server = std::make_unique<GrpcServer>(std::move(parts));
  ARROW_RETURN_NOT_OK(server->Listen(socket));
  return server;
}

}  // namespace dxt
