#pragma once
// The services, as the server builds them.
#include <optional>

#include "dxt/v1/dead_letter_service.grpc.pb.h"
#include "dxt/v1/dependency_service.grpc.pb.h"
#include "dxt/v1/package_service.grpc.pb.h"
#include "dxt/v1/pipeline_service.grpc.pb.h"
#include "dxt/v1/project_service.grpc.pb.h"
#include "dxt/v1/run_service.grpc.pb.h"
#include "dxt/v1/schedule_service.grpc.pb.h"
#include "dxt/v1/server_service.grpc.pb.h"
#include "dxt/v1/state_service.grpc.pb.h"
#include "server/api/api_server.h"
#include "server/api/call_pool.h"
#include "server/api/streams.h"
#include "server/api/threaded_call.h"
#include "state/records.h"

namespace dxt {

struct ResourceName;
struct Submission;

using CallContext = grpc::CallbackServerContext;
using Reply = grpc::ServerUnaryReactor*;

class RunServiceImpl final : public v1::RunService::CallbackService {
 public:
  RunServiceImpl(const ApiParts& parts, Streams& streams)
      : parts_(parts), streams_(streams) {}
  Reply SubmitRun(CallContext*, const v1::SubmitRunRequest*, v1::Run*) override;
  Reply GetRun(CallContext*, const v1::GetRunRequest*, v1::Run*) override;
  Reply ListRuns(CallContext*, const v1::ListRunsRequest*,
                 v1::ListRunsResponse*) override;
  Reply CancelRun(CallContext*, const v1::CancelRunRequest*, v1::Run*) override;
  Reply RetryRun(CallContext*, const v1::RetryRunRequest*, v1::Run*) override;
  grpc::ServerWriteReactor<v1::RunEvent>* WatchRun(CallContext*,
                                                   const v1::WatchRunRequest*) override;
  grpc::ServerWriteReactor<v1::LogLine>* TailLogs(CallContext*,
                                                  const v1::TailLogsRequest*) override;

 private:
  grpc::Status Prepare(const v1::SubmitRunRequest& request, Submission& submission);
  grpc::Status Submit(CallContext* context, const v1::SubmitRunRequest& request,
                      v1::Run& response);
  const ApiParts& parts_;
  Streams& streams_;
};

class PipelineServiceImpl final : public v1::PipelineService::CallbackService {
 public:
  explicit PipelineServiceImpl(const ApiParts& parts) : parts_(parts) {}
  Reply ApplyPipeline(CallContext*, const v1::ApplyPipelineRequest*,
                      v1::Pipeline*) override;
  Reply GetPipeline(CallContext*, const v1::GetPipelineRequest*, v1::Pipeline*) override;
  Reply ListPipelines(CallContext*, const v1::ListPipelinesRequest*,
                      v1::ListPipelinesResponse*) override;
  Reply DescribePipeline(CallContext*, const v1::DescribePipelineRequest*,
                         v1::PipelineDescription*) override;
  Reply DeletePipeline(CallContext*, const v1::DeletePipelineRequest*,
                       google::protobuf::Empty*) override;
  Reply PausePipeline(CallContext*, const v1::PausePipelineRequest*,
                      v1::Pipeline*) override;
  Reply ResumePipeline(CallContext*, const v1::ResumePipelineRequest*,
                       v1::Pipeline*) override;

 private:
  Reply SetPaused(CallContext* context, const std::string& text, bool paused,
                  const std::string& note, v1::Pipeline* response);
  const ApiParts& parts_;
};

class ScheduleServiceImpl final : public v1::ScheduleService::CallbackService {
 public:
  explicit ScheduleServiceImpl(const ApiParts& parts) : parts_(parts) {}
  Reply CreateSchedule(CallContext*, const v1::CreateScheduleRequest*,
                       v1::Schedule*) override;
  Reply GetSchedule(CallContext*, const v1::GetScheduleRequest*, v1::Schedule*) override;
  Reply ListSchedules(CallContext*, const v1::ListSchedulesRequest*,
                      v1::ListSchedulesResponse*) override;
  Reply UpdateSchedule(CallContext*, const v1::UpdateScheduleRequest*,
                       v1::Schedule*) override;
  Reply DeleteSchedule(CallContext*, const v1::DeleteScheduleRequest*,
                       google::protobuf::Empty*) override;
  Reply PauseSchedule(CallContext*, const v1::PauseScheduleRequest*,
                      v1::Schedule*) override;
  Reply ResumeSchedule(CallContext*, const v1::ResumeScheduleRequest*,
                       v1::Schedule*) override;
  Reply TriggerSchedule(CallContext*, const v1::TriggerScheduleRequest*,
                        v1::Run*) override;
  Reply ListFireTimes(CallContext*, const v1::ListFireTimesRequest*,
                      v1::ListFireTimesResponse*) override;
  Reply ListTicks(CallContext*, const v1::ListTicksRequest*,
                  v1::ListTicksResponse*) override;

 private:
  grpc::Status Create(CallContext* context, const v1::CreateScheduleRequest& request,
                      v1::Schedule& response);
  grpc::Status Update(CallContext* context, const v1::UpdateScheduleRequest& request,
                      v1::Schedule& response);
  Reply SetPaused(CallContext* context, const std::string& text, bool paused,
                  const std::string& note, v1::Schedule* response);
  arrow::Status FireTimes(const v1::ListFireTimesRequest& request,
                          const std::optional<ResourceName>& name,
                          v1::ListFireTimesResponse& response);
  const ApiParts& parts_;
};

class DependencyServiceImpl final : public v1::DependencyService::CallbackService {
 public:
  explicit DependencyServiceImpl(const ApiParts& parts) : parts_(parts) {}
  Reply CreateDependency(CallContext*, const v1::CreateDependencyRequest*,
                         v1::Dependency*) override;
  Reply ListDependencies(CallContext*, const v1::ListDependenciesRequest*,
                         v1::ListDependenciesResponse*) override;
  Reply DeleteDependency(CallContext*, const v1::DeleteDependencyRequest*,
                         google::protobuf::Empty*) override;

 private:
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
  Reply ApplyProject(CallContext*, const v1::ApplyProjectRequest*, v1::Project*) override;
  Reply GetProject(CallContext*, const v1::GetProjectRequest*, v1::Project*) override;
  Reply ListProjects(CallContext*, const v1::ListProjectsRequest*,
                     v1::ListProjectsResponse*) override;
  Reply DeleteProject(CallContext*, const v1::DeleteProjectRequest*,
                      google::protobuf::Empty*) override;
  Reply ListConnections(CallContext*, const v1::ListConnectionsRequest*,
                        v1::ListConnectionsResponse*) override;
  Reply GetConnection(CallContext*, const v1::GetConnectionRequest*,
                      v1::Connection*) override;
  Reply TestConnection(CallContext*, const v1::TestConnectionRequest*,
                       v1::ConnectionCheck*) override;

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

class DeadLetterServiceImpl final : public v1::DeadLetterService::CallbackService {
 public:
  explicit DeadLetterServiceImpl(const ApiParts& parts) : parts_(parts) {}
  Reply ListDeadLetters(CallContext*, const v1::ListDeadLettersRequest*,
                        v1::ListDeadLettersResponse*) override;
  Reply GetDeadLetter(CallContext*, const v1::GetDeadLetterRequest*,
                      v1::DeadLetter*) override;
  Reply DropDeadLetters(CallContext*, const v1::DropDeadLettersRequest*,
                        v1::DropDeadLettersResponse*) override;

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
  ServerServiceImpl(const ApiParts& parts, CallThreads& threads);
  Reply GetServerInfo(CallContext*, const v1::GetServerInfoRequest*,
                      v1::ServerInfo*) override;
  grpc::ServerWriteReactor<v1::Attachment>* Attach(CallContext*,
                                                   const v1::AttachRequest*) override;
  Reply GetServerStatus(CallContext*, const v1::GetServerStatusRequest*,
                        v1::ServerStatus*) override;
  Reply BackUpState(CallContext*, const v1::BackUpStateRequest*,
                    v1::BackUpStateResponse*) override;

 private:
  arrow::Status Status(v1::ServerStatus& status);
  arrow::Status BackUp(const std::string& path, v1::BackUpStateResponse& response);
  const ApiParts& parts_;
  CallThreads& threads_;
  v1::ServerInfo info_;
};

/// Who calls, for what is written down of it: the name beside the token, the client's
/// certificate, or the socket.
AuditRecord Audit(const ApiParts& parts, CallContext* context, const char* action,
                  const std::string& resource);

/// UNAVAILABLE while the server drains.
grpc::Status RefuseRuns(const ApiParts& parts);

/// The revision that an etag names; nullopt for "". What is none goes to `refused`.
std::optional<int64_t> ReadEtag(const std::string& etag, grpc::Status& refused);

/// Ends a unary call at once.
inline Reply Answer(CallContext* context, const grpc::Status& status) {
  auto* reactor = context->DefaultReactor();
  reactor->Finish(status);
  return reactor;
}

}  // namespace dxt
