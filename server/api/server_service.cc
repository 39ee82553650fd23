#include <fstream>

#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "server/api/attachments.h"
#include "server/api/convert.h"
#include "server/api/services.h"
#include "server/api/status_map.h"
#include "server/scheduler/dispatcher.h"
#include "state/state_store.h"

namespace dxt {
namespace {

/// A client that is there until its stream ends, for whatever reason.
class AttachReactor : public grpc::ServerWriteReactor<v1::Attachment> {
 public:
  AttachReactor(const ApiParts& parts, std::string id, const v1::ServerInfo& info)
      : parts_(parts), id_(std::move(id)) {
    attachment_.set_id(id_);
    *attachment_.mutable_server() = info;
    StartWrite(&attachment_);
  }
  void OnCancel() override { Finish(grpc::Status::CANCELLED); }
  void OnDone() override {
    parts_.dispatcher->CancelAttachment(id_);
    parts_.attachments->Remove(id_);
    delete this;
  }

 private:
  const ApiParts& parts_;
  const std::string id_;
  v1::Attachment attachment_;
};

using RefusedAttach = EndedStream<v1::Attachment>;

int64_t ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  int64_t pages = 0, resident = 0;
  return file >> pages >> resident ? resident * sysconf(_SC_PAGESIZE) : 0;
}

}  // namespace

ServerServiceImpl::ServerServiceImpl(const ApiParts& parts, CallThreads& threads)
    : parts_(parts), threads_(threads) {
  info_.set_version(parts.version);
  info_.set_pid(getpid());
  info_.set_state_dir(parts.state_dir.string());
  info_.set_private_(parts.is_private);
  SetTime(FormatTime(parts.clock->Now()), info_.mutable_start_time());
}

Reply ServerServiceImpl::GetServerInfo(CallContext* context,
                                       const v1::GetServerInfoRequest*,
                                       v1::ServerInfo* response) {
  *response = info_;
  return Answer(context, grpc::Status::OK);
}

grpc::ServerWriteReactor<v1::Attachment>* ServerServiceImpl::Attach(
    CallContext*, const v1::AttachRequest* request) {
  if (request->client_version() != parts_.version) {
    return new RefusedAttach(ApiError(
        grpc::StatusCode::FAILED_PRECONDITION, "server.version_mismatch",
        "dxtctl is version " + request->client_version() + ", the dxtd of this project " +
            parts_.version,
        "Wait until what runs there has ended, or use the dxtctl of the same version"));
  }
  auto id = parts_.attachments->Add();
  if (!id) {
    return new RefusedAttach(ApiError(grpc::StatusCode::UNAVAILABLE, "server.draining",
                                      "dxtd is on its way out"));
  }
  return new AttachReactor(parts_, std::move(*id), info_);
}

arrow::Status ServerServiceImpl::Status(v1::ServerStatus& status) {
  *status.mutable_server() = info_;
  status.set_draining(*parts_.draining);
  const auto now = parts_.dispatcher->Status();
  status.set_workers(now.workers);
  status.set_workers_busy(now.busy);
  status.set_runs_queued(static_cast<int32_t>(now.queued));
  status.set_oldest_queued_seconds(now.oldest_queued_seconds);
  status.set_memory_budget_bytes(now.memory_budget);
  status.set_memory_reserved_bytes(now.memory_reserved);
  status.set_resident_bytes(ResidentBytes());
  ARROW_ASSIGN_OR_RAISE(const auto runs, parts_.store->runs().Stats());
  int64_t stored = 0;
  for (const auto& [state, count] : runs.by_state) stored += count;
  status.set_runs_stored(stored);
  ARROW_ASSIGN_OR_RAISE(const int64_t pipelines,
                        parts_.store->definitions().CountPipelines());
  status.set_pipelines(static_cast<int32_t>(pipelines));
  ARROW_ASSIGN_OR_RAISE(const int64_t schedules, parts_.store->schedules().CountActive());
  status.set_schedules_active(static_cast<int32_t>(schedules));
  ARROW_ASSIGN_OR_RAISE(const int64_t bytes, parts_.store->FileBytes());
  status.set_state_bytes(bytes);
  if (parts_.warnings) {
    for (auto& warning : parts_.warnings()) status.add_warnings(std::move(warning));
  }
  return arrow::Status::OK();
}

Reply ServerServiceImpl::GetServerStatus(CallContext* context,
                                         const v1::GetServerStatusRequest*,
                                         v1::ServerStatus* response) {
  return parts_.calls->Answer(
      context, [=, this]() -> grpc::Status { return ToGrpc(Status(*response)); });
}

arrow::Status ServerServiceImpl::BackUp(const std::string& path,
                                        v1::BackUpStateResponse& response) {
  const std::filesystem::path wanted = std::filesystem::path(path).lexically_normal();
  if (!parts_.file_roots.Allows(wanted) &&
      !FileRoots::Below({parts_.state_dir}).Allows(wanted)) {
    return MakeError(ErrorClass::kConfig, "server.backup_place",
                     "a backup is written below the state folder or one of files.roots, "
                     "and " +
                         path + " is not",
                     "For example " + (parts_.state_dir / "backups/state.db").string());
  }
  std::error_code error;
  std::filesystem::create_directories(wanted.parent_path(), error);
  ARROW_RETURN_NOT_OK(parts_.store->BackUp(wanted.string()));
  response.set_path(wanted.string());
  response.set_bytes(static_cast<int64_t>(std::filesystem::file_size(wanted, error)));
  return arrow::Status::OK();
}

Reply ServerServiceImpl::BackUpState(CallContext* context,
                                     const v1::BackUpStateRequest* request,
                                     v1::BackUpStateResponse* response) {
  const auto audit = Audit(parts_, context, "BackUpState", request->path());
  return threads_.Run([=, this](std::stop_token) {
    const auto done = BackUp(request->path(), *response);
    if (done.ok()) (void)parts_.store->audit().Append(audit);
    return ToGrpc(done);
  });
}

}  // namespace dxt
