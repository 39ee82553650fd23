#pragma once
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <stop_token>
#include <vector>

#include "connectors/sdk/stream.h"

namespace dxt {

/// Deals the splits of one read out to its readers, in order, each to whoever is free. A
/// reader that cannot open its split hands it back and leaves the rest to the others: one
/// that can read is enough. Thread-safe.
class SplitQueue {
 public:
  /// `most`: how many splits are read at a time.
  SplitQueue(std::vector<Split> splits, int most);

  /// The next split, nullopt when none is left, which is final. The last reader that has
  /// opened one first has those that are still opening give up, and gets what they hand
  /// back.
  std::optional<Split> Take(int reader);
  /// Stops the opening of the split that `reader` took last.
  std::stop_token Opening(int reader);
  void Opened(int reader);
  /// The reader leaves. False: it was the last, and nobody will read the split.
  bool HandBack(int reader, Split split);

 private:
  enum class State { kComing, kOpening, kReading, kWaiting, kGone };
  struct Reader {
    State state = State::kComing;
    std::stop_source give_up;
  };
  bool AnyIs(State state) const;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Split> splits_;
  std::vector<Reader> readers_;
};

}  // namespace dxt
