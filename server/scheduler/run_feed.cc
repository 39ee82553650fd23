#include "server/scheduler/run_feed.h"

#include <algorithm>

namespace dxt {
namespace {

constexpr size_t kMostEntries = 2000;

}  // namespace

FeedEvent RunFeed::NewEvent() {
  FeedEvent event;
  event.cursor = ++last_cursor_;
  event.time = std::chrono::system_clock::now();
  return event;
}

void RunFeed::Add(FeedEvent event, std::unique_lock<std::mutex> lock) {
  if (auto* progress = std::get_if<StreamProgress>(&event.what)) {
    progress_[progress->stream] = std::move(event);
  } else {
    entries_.push_back(std::move(event));
    if (entries_.size() > kMostEntries) entries_.pop_front();
  }
  std::vector<std::shared_ptr<FeedWatcher>> living;
  std::erase_if(watchers_, [](const auto& weak) { return weak.expired(); });
  for (const auto& weak : watchers_) {
    if (auto watcher = weak.lock()) living.push_back(std::move(watcher));
  }
  lock.unlock();
  for (const auto& watcher : living) watcher->OnMore();
}

void RunFeed::AddState(std::string state) {
  std::unique_lock lock(mutex_);
  if (ended_) return;
  auto event = NewEvent();
  event.what = StateEntry{std::move(state)};
  Add(std::move(event), std::move(lock));
}

void RunFeed::AddProgress(const StreamProgress& progress) {
  std::unique_lock lock(mutex_);
  if (ended_) return;
  auto event = NewEvent();
  event.what = progress;
  Add(std::move(event), std::move(lock));
}

void RunFeed::AddLog(LogEntry entry) {
  std::unique_lock lock(mutex_);
  if (ended_) return;
  auto event = NewEvent();
  event.what = std::move(entry);
  Add(std::move(event), std::move(lock));
}

void RunFeed::End(RunRecord run) {
  std::unique_lock lock(mutex_);
  if (ended_) return;
  ended_ = true;
  auto event = NewEvent();
  event.what = std::move(run);
  Add(std::move(event), std::move(lock));
}

std::vector<FeedEvent> RunFeed::After(int64_t cursor) const {
  std::lock_guard lock(mutex_);
  std::vector<FeedEvent> events;
  for (const auto& event : entries_) {
    if (event.cursor > cursor) events.push_back(event);
  }
  for (const auto& [stream, event] : progress_) {
    if (event.cursor > cursor) events.push_back(event);
  }
  std::sort(events.begin(), events.end(),
            [](const FeedEvent& a, const FeedEvent& b) { return a.cursor < b.cursor; });
  return events;
}

bool RunFeed::ended() const {
  std::lock_guard lock(mutex_);
  return ended_;
}

void RunFeed::Watch(const std::shared_ptr<FeedWatcher>& watcher) {
  {
    std::lock_guard lock(mutex_);
    watchers_.push_back(watcher);
    if (last_cursor_ == 0) return;
  }
  watcher->OnMore();
}

}  // namespace dxt
