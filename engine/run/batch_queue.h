#pragma once
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "engine/run/rejected_row.h"
#include "engine/run/value_mender.h"

namespace dxt {

/// Bytes that a batch holds on to, as queues and limits count them.
int64_t BatchBytes(const arrow::RecordBatch& batch);

/// Where a batch stands among the rows of its source.
struct BatchPlace {
  int reader = 0;  ///< Of those that read at a time, the one that has the split.
  int32_t split = 0;
  int64_t row = 0;  ///< Rows of the split before it.

  /// A number by which the rows of all splits are in order.
  int64_t ordinal() const { return (static_cast<int64_t>(split) << 40) + row; }
};

/// A batch on its way from the reader to the writer.
struct QueuedBatch {
  std::shared_ptr<arrow::RecordBatch> batch;  ///< Null = there is no more.
  /// The window before this batch is complete, up to this cursor ("" = rows without one).
  std::optional<std::string> window_end;
  std::vector<RejectedRow> rejected = {};  ///< Left out of this batch.
  ValueChanges changed = {};               ///< Among the values of this batch.
  BatchPlace place = {};
};

/// Hands batches from readers to a writer, bounded by bytes: the only in-memory buffer of
/// a run. Any number of threads on both sides. A batch larger than the whole queue passes
/// alone. A stop wakes every waiter.
class BatchQueue {
 public:
  explicit BatchQueue(int64_t max_bytes);

  /// Blocks while the queue is full. After Close: its status, or kCancelled
  /// "queue.closed" when that was OK. kCancelled when a stop is requested.
  arrow::Status Push(QueuedBatch batch, std::stop_token stop);
  /// Blocks while the queue is empty and open. Null = closed and drained. A queue closed
  /// with an error returns it at once and drops what is left.
  arrow::Result<QueuedBatch> Pop(std::stop_token stop);
  /// Ends the hand-over, from either side. The first error wins over OK and later ones.
  void Close(arrow::Status status);

  int64_t bytes() const;  ///< Held now; for tests and metrics.

 private:
  struct Item {
    QueuedBatch batch;
    int64_t bytes;
  };

  const int64_t max_bytes_;
  mutable std::mutex mutex_;
  std::condition_variable_any not_full_, not_empty_;
  std::deque<Item> items_;
  int64_t bytes_ = 0;
  bool closed_ = false;
  std::shared_ptr<arrow::Status> error_;
};

}  // namespace dxt
