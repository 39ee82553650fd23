#include "engine/run/split_queue.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace dxt {

SplitQueue::SplitQueue(std::vector<Split> splits, int most)
    : splits_(std::make_move_iterator(splits.begin()),
              std::make_move_iterator(splits.end())),
      readers_(static_cast<size_t>(most)) {}

std::optional<Split> SplitQueue::Take(int reader) {
  std::unique_lock lock(mutex_);
  const auto opening = [](const Reader& other) { return other.opening; };
  while (splits_.empty()) {
    if (reader != 0 || std::none_of(readers_.begin(), readers_.end(), opening)) {
      return std::nullopt;
    }
    for (Reader& other : readers_) {
      if (other.opening) other.give_up.request_stop();
    }
    changed_.wait(lock);
  }
  Split split = std::move(splits_.front());
  splits_.pop_front();
  // Reader 0 waits for its own splits as long as it takes.
  readers_[reader].opening = reader != 0;
  return split;
}

std::stop_token SplitQueue::Opening(int reader) {
  const std::lock_guard lock(mutex_);
  return readers_[reader].give_up.get_token();
}

void SplitQueue::Opened(int reader) {
  {
    const std::lock_guard lock(mutex_);
    readers_[reader].opening = false;
  }
  changed_.notify_all();
}

void SplitQueue::HandBack(int reader, Split split) {
  {
    const std::lock_guard lock(mutex_);
    readers_[reader].opening = false;
    splits_.push_front(std::move(split));
  }
  changed_.notify_all();
}

}  // namespace dxt
