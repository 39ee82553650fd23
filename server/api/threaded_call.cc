#include "server/api/threaded_call.h"

#include <thread>

namespace dxt {

class CallThreads::Call : public grpc::ServerUnaryReactor {
 public:
  explicit Call(std::stop_token outer) : forward_(std::move(outer), Forward{&stop_}) {}
  std::stop_token token() const { return stop_.get_token(); }
  void OnCancel() override { stop_.request_stop(); }
  void OnDone() override { delete this; }

 private:
  struct Forward {
    std::stop_source* stop;
    void operator()() const { stop->request_stop(); }
  };
  std::stop_source stop_;
  std::stop_callback<Forward> forward_;
};

grpc::ServerUnaryReactor* CallThreads::Run(
    std::function<grpc::Status(std::stop_token)> work) {
  Call* call = nullptr;
  {
    std::lock_guard lock(mutex_);
    ++running_;
    call = new Call(stop_.get_token());
  }
  std::thread([this, call, work = std::move(work)] {
    const grpc::Status status = work(call->token());
    call->Finish(status);  // May delete it.
    std::lock_guard lock(mutex_);
    --running_;
    changed_.notify_all();
  }).detach();
  return call;
}

void CallThreads::Stop() {
  std::unique_lock lock(mutex_);
  stop_.request_stop();
  changed_.wait(lock, [this] { return running_ == 0; });
}

}  // namespace dxt
