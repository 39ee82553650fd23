#include "server/api/streams.h"

#include <algorithm>

#include <grpcpp/server_context.h>

namespace dxt {
namespace {

constexpr auto kLongestTick = std::chrono::milliseconds(250);
/// Of each second, a thousand streams get one look.
constexpr auto kForEachStream = std::chrono::milliseconds(1);

}  // namespace

void CancelCall(grpc::CallbackServerContext& context) { context.TryCancel(); }

Streams::Streams(std::chrono::milliseconds patience)
    : patience_(patience), thread_([this](std::stop_token stop) { Work(stop); }) {}

void Streams::Add(const std::shared_ptr<Stream>& stream) {
  std::lock_guard lock(mutex_);
  streams_.push_back(stream);
  changed_.notify_all();
}

void Streams::Wake() {
  std::lock_guard lock(mutex_);
  if (woken_) return;
  woken_ = true;
  changed_.notify_all();
}

int Streams::open() const {
  std::lock_guard lock(mutex_);
  return static_cast<int>(
      std::count_if(streams_.begin(), streams_.end(),
                    [](const auto& weak) { return !weak.expired(); }));
}

std::vector<std::shared_ptr<Stream>> Streams::Living() {
  std::lock_guard lock(mutex_);
  std::erase_if(streams_, [](const auto& weak) { return weak.expired(); });
  std::vector<std::shared_ptr<Stream>> living;
  for (const auto& weak : streams_) {
    if (auto stream = weak.lock()) living.push_back(std::move(stream));
  }
  return living;
}

void Streams::Work(std::stop_token stop) {
  const auto wait = std::clamp(patience_ / 4, std::chrono::milliseconds(1), kLongestTick);
  auto rested = std::chrono::steady_clock::now();
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      // With nobody to look after, the thread sleeps.
      changed_.wait(lock, stop, [this] { return !streams_.empty(); });
      changed_.wait_for(lock, stop, wait, [this] { return woken_; });
      changed_.wait_until(lock, stop, rested, [] { return false; });
      woken_ = false;
      rested = std::chrono::steady_clock::now() + streams_.size() * kForEachStream;
    }
    for (const auto& stream : Living()) {
      if (stream->OnTick(std::chrono::steady_clock::now())) ++dropped_;
    }
  }
}

void Streams::Stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace dxt
