#include "client/dxtctl/resource_server.h"

#include <cstdio>
#include <random>
#include <thread>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/client_unary_call.h>

#include "client/dxtctl/rpc.h"

namespace dxt::ctl {
namespace {

/// The call that takes this kind of request: each has a request message of its own.
const google::protobuf::MethodDescriptor* MethodOf(
    const google::protobuf::Message& request) {
  const auto* type = request.GetDescriptor();
  for (int s = 0; s < type->file()->service_count(); ++s) {
    const auto* service = type->file()->service(s);
    for (int m = 0; m < service->method_count(); ++m) {
      if (service->method(m)->input_type() == type) return service->method(m);
    }
  }
  return nullptr;
}

}  // namespace

Status CallRpc(const ResourceServer& server, const google::protobuf::Message& request,
               google::protobuf::Message& response, const CallOptions& options) {
  const auto* method = MethodOf(request);
  if (method == nullptr || method->output_type() != response.GetDescriptor()) {
    Error error;
    error.message = "No call takes a " + request.GetTypeName() + " and answers a " +
                    response.GetTypeName();
    return error;
  }
  const std::string path = "/" + method->service()->full_name() + "/" + method->name();
  const grpc::internal::RpcMethod rpc(path.c_str(),
                                      grpc::internal::RpcMethod::NORMAL_RPC);
  auto pause = std::chrono::milliseconds(200);
  for (int attempt = 1;; ++attempt) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + options.deadline);
    response.Clear();
    const grpc::Status status = grpc::internal::BlockingUnaryCall<
        google::protobuf::Message, google::protobuf::Message,
        google::protobuf::MessageLite, google::protobuf::MessageLite>(
        server.channel.get(), rpc, &context, request, &response);
    if (status.ok()) return Done{};
    Error error = ErrorOf(status);
    if (attempt >= options.attempts || error.rpc_status != "UNAVAILABLE") return error;
    std::this_thread::sleep_for(pause);
    pause *= 3;
  }
}

std::string NewRequestId() {
  std::random_device random;
  char text[40];
  std::snprintf(text, sizeof text, "%08x-%04x-4%03x-%04x-%08x%04x", random(),
                random() & 0xFFFFu, random() & 0xFFFu, 0x8000u | (random() & 0x3FFFu),
                random(), random() & 0xFFFFu);
  return text;
}

}  // namespace dxt::ctl
