#include "engine/run/split_queue.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace dxt {

SplitQueue::SplitQueue(std::vector<Split> splits, int most)
    : splits_(std::make_move_iterator(splits.begin()),
              std::make_move_iterator(splits.end())),
      readers_(static_cast<size_t>(most)) {}

bool SplitQueue::AnyIs(State state) const {
  return std::any_of(readers_.begin(), readers_.end(),
                     [&](const Reader& one) { return one.state == state; });
}

std::optional<Split> SplitQueue::Take(int reader) {
  std::unique_lock lock(mutex_);
  Reader& self = readers_[reader];
  const bool can_read = self.state == State::kReading;
  self.state = State::kWaiting;
  while (splits_.empty()) {
    if (!can_read || AnyIs(State::kReading) || !AnyIs(State::kOpening)) {
      self.state = State::kGone;
      return std::nullopt;
    }
    for (Reader& other : readers_) {
      if (other.state == State::kOpening) other.give_up.request_stop();
    }
    changed_.wait(lock);
  }
  Split split = std::move(splits_.front());
  splits_.pop_front();
  self.state = State::kOpening;
  self.give_up = {};
  return split;
}

std::stop_token SplitQueue::Opening(int reader) {
  const std::lock_guard lock(mutex_);
  return readers_[reader].give_up.get_token();
}

void SplitQueue::Opened(int reader) {
  {
    const std::lock_guard lock(mutex_);
    readers_[reader].state = State::kReading;
  }
  changed_.notify_all();
}

bool SplitQueue::HandBack(int reader, Split split) {
  const std::lock_guard lock(mutex_);
  readers_[reader].state = State::kGone;
  splits_.push_front(std::move(split));
  changed_.notify_all();
  return std::any_of(readers_.begin(), readers_.end(),
                     [](const Reader& one) { return one.state != State::kGone; });
}

}  // namespace dxt
