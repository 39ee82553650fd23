#pragma once
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>

#include <grpcpp/support/server_callback.h>
#include <grpcpp/support/status.h>

namespace dxt {

/// Threads of calls that may block on other systems. Must be stopped before what the
/// calls use goes away.
class CallThreads {
 public:
  /// Calls end with DEADLINE_EXCEEDED "server.call_limit" when they did not succeed
  /// within `limit`; 0 = no limit.
  explicit CallThreads(std::chrono::milliseconds limit) : limit_(limit) {}
  ~CallThreads() { Stop(); }
  /// Runs `call` on a thread of its own; its token stops when the client goes, its
  /// deadline or the limit has passed, or Stop is called. The reactor owns itself.
  grpc::ServerUnaryReactor* Run(std::function<grpc::Status(std::stop_token)> call);
  /// Stops all calls and waits for them.
  void Stop();

 private:
  class Call;
  const std::chrono::milliseconds limit_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::stop_source stop_;
  int running_ = 0;
};

}  // namespace dxt
