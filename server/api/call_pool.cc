#include "server/api/call_pool.h"

#include <utility>

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

namespace dxt {

grpc::ServerUnaryReactor* CallPool::Answer(grpc::CallbackServerContext* context,
                                           std::function<grpc::Status()> work) {
  auto* reactor = context->DefaultReactor();
  std::lock_guard lock(mutex_);
  calls_.push_back({reactor, std::move(work)});
  if (idle_ < calls_.size() && threads_.size() < most_) {
    threads_.emplace_back([this] { Work(); });
  }
  arrived_.notify_one();
  return reactor;
}

void CallPool::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    arrived_.wait(lock, [this] { return stopping_ || !calls_.empty(); });
    --idle_;
    if (calls_.empty()) return;
    Call call = std::move(calls_.front());
    calls_.pop_front();
    lock.unlock();
    call.reactor->Finish(call.work());
    call = {};  // Outside the lock, with what it holds.
    lock.lock();
  }
}

void CallPool::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  arrived_.notify_all();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace dxt
