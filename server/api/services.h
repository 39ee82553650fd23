#pragma once
// The services, as the server builds them.
#include "dxt/v1/package_service.grpc.pb.h"
#include "dxt/v1/project_service.grpc.pb.h"
#include "dxt/v1/run_service.grpc.pb.h"
#include "dxt/v1/server_service.grpc.pb.h"
#include "dxt/v1/state_service.grpc.pb.h"
#include "server/api/api_server.h"
#include "server/api/threaded_call.h"

namespace dxt {

using CallContext = grpc::CallbackServerContext;
using Reply = grpc::ServerUnaryReactor*;

class RunServiceImpl final : public v1::RunService::CallbackService {
 public:
  explicit RunServiceImpl(const ApiParts& parts) : parts_(parts) {}
  Reply SubmitRun(CallContext*, const v1::SubmitRunRequest*, v1::Run*) override;
  Reply GetRun(CallContext*, const v1::GetRunRequest*, v1::Run*) override;
  Reply ListRuns(CallContext*, const v1::ListRunsRequest*,
                 v1::ListRunsResponse*) override;
  Reply CancelRun(CallContext*, const v1::CancelRunRequest*, v1::Run*) override;
  grpc::ServerWriteReactor<v1::RunEvent>* WatchRun(CallContext*,
                                                   const v1::WatchRunRequest*) override;

 private:
  grpc::Status Submit(const v1::SubmitRunRequest& request, v1::Run& response);
  const ApiParts& parts_;
};

class ProjectServiceImpl final : public v1::ProjectService::CallbackService {
 public:
  ProjectServiceImpl(const ApiParts& parts, CallThreads& threads)
      : parts_(parts), threads_(threads) {}
  Reply ValidateDocuments(CallContext*, const v1::ValidateDocumentsRequest*,
                          v1::ValidateDocumentsResponse*) override;
  Reply ListStreams(CallContext*, const v1::ListStreamsRequest*,
                    v1::ListStreamsResponse*) override;
  Reply CheckConnections(CallContext*, const v1::CheckConnectionsRequest*,
                         v1::CheckConnectionsResponse*) override;
  Reply DiscoverPipeline(CallContext*, const v1::DiscoverPipelineRequest*,
                         v1::DiscoverPipelineResponse*) override;
  Reply PreviewStream(CallContext*, const v1::PreviewStreamRequest*,
                      v1::PreviewStreamResponse*) override;
  Reply ListConnectors(CallContext*, const v1::ListConnectorsRequest*,
                       v1::ListConnectorsResponse*) override;
  Reply GetJsonSchema(CallContext*, const v1::GetJsonSchemaRequest*,
                      v1::GetJsonSchemaResponse*) override;

 private:
  const ApiParts& parts_;
  CallThreads& threads_;
};

class StateServiceImpl final : public v1::StateService::CallbackService {
 public:
  explicit StateServiceImpl(const ApiParts& parts) : parts_(parts) {}
  Reply ListCursors(CallContext*, const v1::ListCursorsRequest*,
                    v1::ListCursorsResponse*) override;
  Reply SetCursor(CallContext*, const v1::SetCursorRequest*, v1::Cursor*) override;
  Reply ResetCursor(CallContext*, const v1::ResetCursorRequest*, v1::Cursor*) override;
  Reply AcceptCursor(CallContext*, const v1::AcceptCursorRequest*, v1::Cursor*) override;

 private:
  const ApiParts& parts_;
};

class PackageServiceImpl final : public v1::PackageService::CallbackService {
 public:
  explicit PackageServiceImpl(const ApiParts& parts) : parts_(parts) {}
  Reply ListPackages(CallContext*, const v1::ListPackagesRequest*,
                     v1::ListPackagesResponse*) override;
  Reply GetPackage(CallContext*, const v1::GetPackageRequest*, v1::Package*) override;
  Reply DropPackage(CallContext*, const v1::DropPackageRequest*,
                    google::protobuf::Empty*) override;

 private:
  const ApiParts& parts_;
};

class ServerServiceImpl final : public v1::ServerService::CallbackService {
 public:
  explicit ServerServiceImpl(const ApiParts& parts);
  Reply GetServerInfo(CallContext*, const v1::GetServerInfoRequest*,
                      v1::ServerInfo*) override;
  grpc::ServerWriteReactor<v1::Attachment>* Attach(CallContext*,
                                                   const v1::AttachRequest*) override;

 private:
  const ApiParts& parts_;
  v1::ServerInfo info_;
};

/// Ends a unary call at once.
inline Reply Answer(CallContext* context, const grpc::Status& status) {
  auto* reactor = context->DefaultReactor();
  reactor->Finish(status);
  return reactor;
}

}  // namespace dxt
