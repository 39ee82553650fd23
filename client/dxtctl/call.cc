#include "client/dxtctl/call.h"

#include <string>
#include <thread>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/client_unary_call.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/sync_stream.h>

#include "client/dxtctl/rpc.h"

namespace dxt::ctl {
namespace {

using google::protobuf::Message;
using google::protobuf::MessageLite;

/// The call that takes this kind of request: each has a request message of its own.
const google::protobuf::MethodDescriptor* MethodOf(const Message& request) {
  const auto* type = request.GetDescriptor();
  for (int s = 0; s < type->file()->service_count(); ++s) {
    const auto* service = type->file()->service(s);
    for (int m = 0; m < service->method_count(); ++m) {
      if (service->method(m)->input_type() == type) return service->method(m);
    }
  }
  return nullptr;
}

std::string PathOf(const google::protobuf::MethodDescriptor& method) {
  return "/" + method.service()->full_name() + "/" + method.name();
}

Error NoSuchCall(const Message& request, const std::string& answers) {
  Error error;
  error.message = "No call takes a " + request.GetTypeName() + " and answers " + answers;
  return error;
}

}  // namespace

Status CallRpc(const std::shared_ptr<grpc::Channel>& channel, const Message& request,
               Message& response, const CallOptions& options) {
  const auto* method = MethodOf(request);
  if (method == nullptr || method->output_type() != response.GetDescriptor()) {
    return NoSuchCall(request, "a " + response.GetTypeName());
  }
  const std::string path = PathOf(*method);
  const grpc::internal::RpcMethod rpc(path.c_str(),
                                      grpc::internal::RpcMethod::NORMAL_RPC);
  auto pause = std::chrono::milliseconds(200);
  for (int attempt = 1;; ++attempt) {
    grpc::ClientContext context;
    if (options.deadline) {
      context.set_deadline(std::chrono::system_clock::now() + *options.deadline);
    }
    response.Clear();
    const grpc::Status status =
        grpc::internal::BlockingUnaryCall<Message, Message, MessageLite, MessageLite>(
            channel.get(), rpc, &context, request, &response);
    if (status.ok()) return Done{};
    Error error = ErrorOf(status);
    if (attempt >= options.attempts || !error.unanswered() ||
        error.rpc_status != "UNAVAILABLE") {
      return error;
    }
    std::this_thread::sleep_for(pause);
    pause *= 3;
  }
}

struct ServerStream::Reading {
  std::string path;
  std::optional<grpc::internal::RpcMethod> rpc;
  grpc::ClientContext context;
  std::unique_ptr<grpc::ClientReader<Message>> reader;
  Error refused;
  bool finished = false;
};

ServerStream::ServerStream(const std::shared_ptr<grpc::Channel>& channel,
                           const Message& request,
                           std::optional<std::chrono::system_clock::time_point> deadline)
    : reading_(std::make_unique<Reading>()) {
  const auto* method = MethodOf(request);
  if (method == nullptr || !method->server_streaming()) {
    reading_->refused = NoSuchCall(request, "a stream");
    return;
  }
  reading_->path = PathOf(*method);
  reading_->rpc.emplace(reading_->path.c_str(),
                        grpc::internal::RpcMethod::SERVER_STREAMING);
  if (deadline) reading_->context.set_deadline(*deadline);
  reading_->reader.reset(grpc::internal::ClientReaderFactory<Message>::Create(
      channel.get(), *reading_->rpc, &reading_->context, request));
}

ServerStream::~ServerStream() {
  if (!reading_->reader || reading_->finished) return;
  Cancel();
  reading_->reader->Finish();
}

bool ServerStream::Read(Message& answer) {
  answer.Clear();
  return reading_->reader && reading_->reader->Read(&answer);
}

Status ServerStream::Finish() {
  if (!reading_->reader) return reading_->refused;
  reading_->finished = true;
  const grpc::Status status = reading_->reader->Finish();
  if (status.ok()) return Done{};
  return ErrorOf(status);
}

void ServerStream::Cancel() { reading_->context.TryCancel(); }

}  // namespace dxt::ctl
