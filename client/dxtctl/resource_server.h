#pragma once
// The daemon that resource verbs speak to.
#include <memory>
#include <string>

#include "client/dxtctl/call.h"
#include "client/dxtctl/endpoint.h"
#include "client/dxtctl/result.h"

namespace dxt::ctl {

/// The daemon that holds the resources, and what a name without a project means.
struct ResourceServer {
  Endpoint endpoint;
  std::shared_ptr<grpc::Channel> channel;
  std::string project = "default";
};

template <typename Response>
Result<Response> Call(const ResourceServer& server,
                      const google::protobuf::Message& request,
                      const CallOptions& options = {}) {
  return Call<Response>(server.channel, request, options);
}

/// A UUID (version 4), so that a repeated request is one request.
std::string NewRequestId();

}  // namespace dxt::ctl
