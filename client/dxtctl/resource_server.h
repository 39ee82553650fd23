#pragma once
// Calls of the resource verbs: one request, one answer, a deadline.
#include <chrono>
#include <memory>
#include <string>

#include "client/dxtctl/endpoint.h"
#include "client/dxtctl/result.h"

namespace google::protobuf {
class Message;
}

namespace dxt::ctl {

/// The daemon that holds the resources, and what a name without a project means.
struct ResourceServer {
  Endpoint endpoint;
  std::shared_ptr<grpc::Channel> channel;
  std::string project = "default";
};

struct CallOptions {
  std::chrono::seconds deadline{30};
  /// More than one only where a repeated call is the same call: reads, and requests with
  /// a request id. Repeated when no dxtd answered.
  int attempts = 1;
};

/// Makes the call of dxt.v1 that takes this kind of request.
Status CallRpc(const ResourceServer& server, const google::protobuf::Message& request,
               google::protobuf::Message& response, const CallOptions& options = {});

template <typename Response>
Result<Response> Call(const ResourceServer& server,
                      const google::protobuf::Message& request,
                      const CallOptions& options = {}) {
  Response response;
  CTL_RETURN_NOT_OK(CallRpc(server, request, response, options));
  return response;
}

/// A UUID (version 4), so that a repeated request is one request.
std::string NewRequestId();

}  // namespace dxt::ctl
