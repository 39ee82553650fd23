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
/// reader that cannot open its split hands it back and leaves: only reader 0 must be able
/// to read. Thread-safe.
class SplitQueue {
 public:
  /// `most`: how many splits are read at a time.
  SplitQueue(std::vector<Split> splits, int most);

  /// The next split, nullopt when none is left. To the others that is final; reader 0
  /// first has those that are still opening give up, and gets what they hand back.
  std::optional<Split> Take(int reader);
  /// Stops the opening of the split that `reader` took last.
  std::stop_token Opening(int reader);
  void Opened(int reader);
  void HandBack(int reader, Split split);

 private:
  struct Reader {
    bool opening = false;
    std::stop_source give_up;
  };

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Split> splits_;
  std::vector<Reader> readers_;
};

}  // namespace dxt
