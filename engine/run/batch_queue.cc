#include "engine/run/batch_queue.h"

#include <arrow/record_batch.h>
#include <arrow/util/byte_size.h>

#include "base/error.h"

namespace dxt {
namespace {

arrow::Status Stopped() {
  return MakeError(ErrorClass::kCancelled, "cancelled", "The run was cancelled");
}

}  // namespace

int64_t BatchBytes(const arrow::RecordBatch& batch) {
  const auto bytes = arrow::util::ReferencedBufferSize(batch);
  return bytes.ok() ? *bytes : arrow::util::TotalBufferSize(batch);
}

BatchQueue::BatchQueue(int64_t max_bytes) : max_bytes_(max_bytes) {}

arrow::Status BatchQueue::Push(QueuedBatch batch, std::stop_token stop) {
  const int64_t bytes = BatchBytes(*batch.batch);
  std::unique_lock lock(mutex_);
  const auto ready = [&] {
    return closed_ || items_.empty() || bytes_ + bytes <= max_bytes_;
  };
  if (!not_full_.wait(lock, stop, ready)) return Stopped();
  if (closed_) {
    if (error_) return *error_;
    return MakeError(ErrorClass::kCancelled, "queue.closed", "The receiver has ended");
  }
  items_.push_back({std::move(batch), bytes});
  bytes_ += bytes;
  lock.unlock();
  not_empty_.notify_one();
  return arrow::Status::OK();
}

arrow::Result<QueuedBatch> BatchQueue::Pop(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  if (!not_empty_.wait(lock, stop, [&] { return closed_ || !items_.empty(); })) {
    return Stopped();
  }
  if (error_) return *error_;
  if (items_.empty()) return QueuedBatch{};
  Item item = std::move(items_.front());
  items_.pop_front();
  bytes_ -= item.bytes;
  lock.unlock();
  not_full_.notify_all();
  return std::move(item.batch);
}

void BatchQueue::Close(arrow::Status status) {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    if (!status.ok() && !error_) {
      error_ = std::make_shared<arrow::Status>(std::move(status));
      items_.clear();
      bytes_ = 0;
    }
  }
  not_full_.notify_all();
  not_empty_.notify_all();
}

int64_t BatchQueue::bytes() const {
  std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace dxt
