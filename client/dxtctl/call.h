#pragma once
// Calls of dxt.v1, found by their request message, so that no file needs the generated
// stubs: they, and gRPC's headers, take seconds to compile.
#include <chrono>
#include <memory>
#include <optional>

#include "client/dxtctl/result.h"

namespace google::protobuf {
class Message;
}

namespace grpc {
class Channel;
}

namespace dxt::ctl {

struct CallOptions {
  /// None: for calls that wait for other systems.
  std::optional<std::chrono::seconds> deadline = std::chrono::seconds(30);
  /// More than one only where a repeated call is the same call: reads, and requests with
  /// a request id. Repeated when no dxtd answered.
  int attempts = 1;
};

/// Makes the call of dxt.v1 that takes this kind of request. Blocks. Thread-safe.
Status CallRpc(const std::shared_ptr<grpc::Channel>& channel,
               const google::protobuf::Message& request,
               google::protobuf::Message& response, const CallOptions& options = {});

template <typename Response>
Result<Response> Call(const std::shared_ptr<grpc::Channel>& channel,
                      const google::protobuf::Message& request,
                      const CallOptions& options = {}) {
  Response response;
  CTL_RETURN_NOT_OK(CallRpc(channel, request, response, options));
  return response;
}

/// The answers of a call that has many. Its destructor cancels what has not ended.
class ServerStream {
 public:
  ServerStream(const std::shared_ptr<grpc::Channel>& channel,
               const google::protobuf::Message& request,
               std::optional<std::chrono::system_clock::time_point> deadline = {});
  ~ServerStream();
  ServerStream(const ServerStream&) = delete;
  ServerStream& operator=(const ServerStream&) = delete;

  /// Blocks; false when no answer follows: Finish says why.
  bool Read(google::protobuf::Message& answer);
  /// Blocks until the call has ended. Called once, after Read was false.
  Status Finish();
  /// From any thread: ends a Read or Finish.
  void Cancel();

 private:
  struct Reading;
  std::unique_ptr<Reading> reading_;
};

}  // namespace dxt::ctl
