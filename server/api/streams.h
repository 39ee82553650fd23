#pragma once
// Server streams that hold no thread, cost little memory, and end when nobody reads them.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <grpcpp/support/server_callback.h>

namespace dxt {

/// Looked after by Streams.
class Stream {
 public:
  using Tick = std::chrono::steady_clock::time_point;
  virtual ~Stream() = default;
  /// From the thread of Streams, a few times a second and after Wake. True when the
  /// stream was dropped just now.
  virtual bool OnTick(Tick now) = 0;
};

/// Every open stream, on one thread that sends what there is to send, and drops those
/// whose client takes nothing for longer than `patience`. The more streams there are, the
/// less often it looks at them: a run is not slowed by those who watch it. Safe from any
/// thread.
class Streams {
 public:
  explicit Streams(std::chrono::milliseconds patience);
  ~Streams() { Stop(); }
  Streams(const Streams&) = delete;
  Streams& operator=(const Streams&) = delete;

  void Add(const std::shared_ptr<Stream>& stream);
  /// Something came that a stream waits for. Does not block.
  void Wake();
  std::chrono::milliseconds patience() const { return patience_; }
  int open() const;
  int64_t dropped() const { return dropped_; }
  void Stop();

 private:
  void Work(std::stop_token stop);
  std::vector<std::shared_ptr<Stream>> Living();

  const std::chrono::milliseconds patience_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<std::weak_ptr<Stream>> streams_;
  bool woken_ = false;
  std::atomic<int64_t> dropped_{0};
  std::jthread thread_;
};

/// `context.TryCancel()`, for headers that do not know the type.
void CancelCall(grpc::CallbackServerContext& context);

/// One server stream. Its messages come from Next, one at a time, so that what a slow
/// client does not take stays where it is. Owns itself until OnDone.
template <typename Message>
class PulledStream : public grpc::ServerWriteReactor<Message>, public Stream {
 public:
  enum class Pull { kMessage, kNothing, kEnd };

  /// Begins; `streams` outlives it.
  static grpc::ServerWriteReactor<Message>* Start(std::shared_ptr<PulledStream> stream,
                                                  grpc::CallbackServerContext* context,
                                                  Streams& streams) {
    stream->self_ = stream;
    stream->context_ = context;
    stream->streams_ = &streams;
    streams.Add(stream);
    // A client knows that it is heard, also where nothing happens yet.
    stream->StartSendInitialMetadata();
    stream->Pump();
    return stream.get();
  }

  void OnWriteDone(bool ok) override {
    {
      std::lock_guard lock(mutex_);
      writing_ = false;
      cancelled_ = cancelled_ || !ok;
    }
    Pump();
  }
  void OnCancel() override {
    {
      std::lock_guard lock(mutex_);
      cancelled_ = true;
    }
    Pump();
  }
  void OnDone() override {
    std::unique_lock lock(ticking_);
    context_ = nullptr;
    const auto last_reference = std::move(self_);
    lock.unlock();  // Before the mutex goes with the last reference.
  }
  bool OnTick(Tick now) override {
    {
      // Cancelling may run every callback of this stream on this thread, OnDone too.
      const std::lock_guard<std::recursive_mutex> ticking(ticking_);
      if (context_ == nullptr) return false;
      if (TakesNothing(now)) {
        CancelCall(*context_);
        return true;
      }
    }
    const bool polls = polls_ && now - polled_ >= kBetweenPolls;
    if (polls) polled_ = now;
    const bool woken = woken_.exchange(false);
    if (woken) GiveTurn();
    if (woken || polls) Pump();
    return false;
  }

 protected:
  explicit PulledStream(bool polls) : polls_(polls) {}
  /// One for each look at all streams, and one to begin with: for a Next that would never
  /// run out of messages.
  bool TakeTurn() { return has_turn_.exchange(false); }
  void GiveTurn() { has_turn_ = true; }
  /// There may be a message now; it is asked for soon, on another thread.
  void Wake() {
    woken_ = true;
    streams_->Wake();
  }
  /// The next message, or why there is none now. Never called twice at once.
  virtual Pull Next(Message& message, grpc::Status& end) = 0;

  /// Starts the next write, or the end, unless one is under way.
  void Pump() {
    std::unique_lock lock(mutex_);
    if (writing_ || finished_) return;
    grpc::Status end;
    const Pull pulled = cancelled_ ? Pull::kEnd : Next(current_, end);
    if (pulled == Pull::kNothing) return;
    if (pulled == Pull::kEnd) {
      finished_ = true;
      if (cancelled_) end = grpc::Status::CANCELLED;
      lock.unlock();
      this->Finish(end);
      return;
    }
    writing_ = true;
    since_ = std::chrono::steady_clock::now();
    lock.unlock();
    this->StartWrite(&current_);
  }

 private:
  static constexpr auto kBetweenPolls = std::chrono::milliseconds(250);

  bool TakesNothing(Tick now) {
    std::lock_guard lock(mutex_);
    if (!writing_ || cancelled_ || now - since_ < streams_->patience()) return false;
    cancelled_ = true;
    return true;
  }

  const bool polls_;
  Streams* streams_ = nullptr;
  std::atomic<bool> woken_{false}, has_turn_{true};
  Tick polled_;  ///< Of the thread of Streams.
  std::shared_ptr<PulledStream> self_;
  std::recursive_mutex ticking_;  ///< Taken before mutex_.
  grpc::CallbackServerContext* context_ = nullptr;
  std::mutex mutex_;
  Tick since_;
  Message current_;
  bool writing_ = false, cancelled_ = false, finished_ = false;
};

/// A stream that ends at once.
template <typename Message>
class EndedStream : public grpc::ServerWriteReactor<Message> {
 public:
  explicit EndedStream(const grpc::Status& status) { this->Finish(status); }
  void OnDone() override { delete this; }
};

}  // namespace dxt
