#include "server/api/threaded_call.h"

#include <atomic>
#include <memory>
#include <thread>

#include <grpcpp/alarm.h>

#include "server/api/status_map.h"

namespace dxt {

class CallThreads::Call : public grpc::ServerUnaryReactor {
 public:
  Call(std::stop_token outer, std::chrono::milliseconds limit)
      : forward_(std::move(outer), Forward{end_.get()}) {
    if (limit.count() == 0) return;
    // The alarm may ring while the call goes away.
    alarm_.Set(std::chrono::system_clock::now() + limit, [end = end_](bool rang) {
      if (!rang) return;
      end->is_late = true;
      end->stop.request_stop();
    });
  }
  std::stop_token token() const { return end_->stop.get_token(); }
  bool is_late() const { return end_->is_late; }
  void OnCancel() override { end_->stop.request_stop(); }
  void OnDone() override { delete this; }

 private:
  struct End {
    std::stop_source stop;
    std::atomic<bool> is_late{false};
  };
  struct Forward {
    End* end;
    void operator()() const { end->stop.request_stop(); }
  };
  const std::shared_ptr<End> end_ = std::make_shared<End>();
  std::stop_callback<Forward> forward_;
  grpc::Alarm alarm_;
};

grpc::ServerUnaryReactor* CallThreads::Run(
    std::function<grpc::Status(std::stop_token)> work) {
  Call* call = nullptr;
  {
    std::lock_guard lock(mutex_);
    ++running_;
    call = new Call(stop_.get_token(), limit_);
  }
  std::thread([this, call, work = std::move(work)] {
    grpc::Status status = work(call->token());
    if (!status.ok() && call->is_late()) {
      status = ApiError(grpc::StatusCode::DEADLINE_EXCEEDED, "server.call_limit",
                        "The call took longer than a call may, and was stopped",
                        "See whether the system it waited for answers; work that takes "
                        "long belongs into a run");
    }
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
