#include "server/scheduler/run_feed.h"

#include <algorithm>

namespace dxt {
namespace {

constexpr size_t kMostEntries = 2000;
/// More than one process ever tells of a run.
constexpr int64_t kCursorsPerAttempt = int64_t{1} << 40;

size_t BytesOf(const FeedEvent& event) {
  size_t bytes = sizeof event;
  if (const auto* log = std::get_if<LogEntry>(&event.what)) bytes += log->message.size();
  if (const auto* run = std::get_if<RunRecord>(&event.what)) {
    bytes += run->result_json.size();
  }
  return bytes;
}

}  // namespace

RunFeed::RunFeed(int64_t attempts) : last_cursor_(attempts * kCursorsPerAttempt) {}

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

std::vector<FeedEvent> RunFeed::After(int64_t cursor, size_t most_bytes) const {
  std::lock_guard lock(mutex_);
  std::vector<const FeedEvent*> newer;
  for (const auto& [stream, event] : progress_) {
    if (event.cursor > cursor) newer.push_back(&event);
  }
  const auto first = std::partition_point(
      entries_.begin(), entries_.end(),
      [&](const FeedEvent& event) { return event.cursor <= cursor; });
  // As many entries as fit; what comes after the last of them waits for the next call.
  int64_t last = INT64_MAX;
  size_t bytes = 0;
  for (auto at = first; at != entries_.end(); ++at) {
    newer.push_back(&*at);
    bytes += BytesOf(*at);
    if (bytes < most_bytes) continue;
    last = at->cursor;
    break;
  }
  std::sort(newer.begin(), newer.end(),
            [](const FeedEvent* a, const FeedEvent* b) { return a->cursor < b->cursor; });
  std::vector<FeedEvent> events;
  for (const auto* event : newer) {
    if (event->cursor <= last) events.push_back(*event);
  }
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
    if (entries_.empty() && progress_.empty()) return;
  }
  watcher->OnMore();
}

}  // namespace dxt
