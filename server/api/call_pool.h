#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace grpc {
class CallbackServerContext;
class ServerUnaryReactor;
class Status;
}  // namespace grpc

namespace dxt {

/// Threads that answer unary calls. gRPC has two of its own for all clients of a small
/// machine: changes that wait there for the disk would hold up everybody, and hardly two
/// of them could share a sync. Safe from any thread.
class CallPool {
 public:
  /// Threads are started as they are needed; more calls than `most` take turns.
  explicit CallPool(size_t most) : most_(most) {}
  ~CallPool() { Stop(); }
  CallPool(const CallPool&) = delete;
  CallPool& operator=(const CallPool&) = delete;

  /// Ends the call with what `work` returns, on one of the threads.
  grpc::ServerUnaryReactor* Answer(grpc::CallbackServerContext* context,
                                   std::function<grpc::Status()> work);
  /// Answers what was asked, and joins the threads. Nothing may be asked any more.
  void Stop();

 private:
  struct Call {
    grpc::ServerUnaryReactor* reactor;
    std::function<grpc::Status()> work;
  };
  void Work();

  const size_t most_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Call> calls_;
  size_t idle_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace dxt
