#include <unistd.h>

#include "base/clock.h"
#include "server/api/attachments.h"
#include "server/api/convert.h"
#include "server/api/services.h"
#include "server/api/status_map.h"
#include "server/scheduler/dispatcher.h"

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

class RefusedAttach : public grpc::ServerWriteReactor<v1::Attachment> {
 public:
  explicit RefusedAttach(const grpc::Status& status) { Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace

ServerServiceImpl::ServerServiceImpl(const ApiParts& parts) : parts_(parts) {
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

}  // namespace dxt
