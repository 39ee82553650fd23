#include "engine/run/batch_queue.h"

#include <atomic>
#include <thread>

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace dxt {
namespace {

std::shared_ptr<arrow::RecordBatch> Batch(int64_t rows) {
  arrow::Int64Builder builder;
  for (int64_t i = 0; i < rows; ++i) EXPECT_TRUE(builder.Append(i).ok());
  return arrow::RecordBatch::Make(arrow::schema({arrow::field("x", arrow::int64())}),
                                  rows, {*builder.Finish()});
}

TEST(BatchQueue, HandsBatchesOverInOrderAndEndsWithNull) {
  BatchQueue queue(1 << 20);
  ASSERT_TRUE(queue.Push({Batch(1), {}}, {}).ok());
  ASSERT_TRUE(queue.Push({Batch(2), {}}, {}).ok());
  queue.Close(arrow::Status::OK());
  EXPECT_EQ(queue.Pop({})->batch->num_rows(), 1);
  EXPECT_EQ(queue.Pop({})->batch->num_rows(), 2);
  EXPECT_EQ(queue.Pop({})->batch, nullptr);
  EXPECT_EQ(queue.bytes(), 0);
}

TEST(BatchQueue, CountsTheBytesOfSlicesOnly) {
  const auto whole = Batch(1000);
  EXPECT_EQ(BatchBytes(*whole), 8000);
  EXPECT_EQ(BatchBytes(*whole->Slice(10, 5)), 40);
}

TEST(BatchQueue, NeverHoldsMoreThanItsBytes) {
  BatchQueue queue(3 * 800);
  std::atomic<int64_t> most{0};
  std::jthread writer([&] {
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(queue.Push({Batch(100), {}}, {}).ok());
    queue.Close(arrow::Status::OK());
  });
  int64_t rows = 0;
  while (true) {
    most = std::max<int64_t>(most, queue.bytes());
    const auto batch = queue.Pop({})->batch;
    if (!batch) break;
    rows += batch->num_rows();
  }
  EXPECT_EQ(rows, 20000);
  EXPECT_LE(most, 3 * 800);
}

TEST(BatchQueue, ABatchLargerThanTheQueuePassesAlone) {
  BatchQueue queue(10);
  std::jthread writer([&] {
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(queue.Push({Batch(1000), {}}, {}).ok());
    queue.Close(arrow::Status::OK());
  });
  for (int i = 0; i < 3; ++i) EXPECT_EQ(queue.Pop({})->batch->num_rows(), 1000);
  EXPECT_EQ(queue.Pop({})->batch, nullptr);
}

TEST(BatchQueue, AnErrorReachesTheReceiverAtOnce) {
  BatchQueue queue(1 << 20);
  ASSERT_TRUE(queue.Push({Batch(1), {}}, {}).ok());
  queue.Close(MakeError(ErrorClass::kTransient, "pg.connection_lost", "gone"));
  EXPECT_EQ(GetErrorInfo(queue.Pop({}).status()).code, "pg.connection_lost");
}

TEST(BatchQueue, TheReceiversErrorReachesASenderThatWaits) {
  BatchQueue queue(8);
  ASSERT_TRUE(queue.Push({Batch(1), {}}, {}).ok());
  arrow::Status seen;
  std::jthread writer([&] { seen = queue.Push({Batch(1), {}}, {}); });
  queue.Close(MakeError(ErrorClass::kData, "value.nul", "bad row"));
  writer.join();
  EXPECT_EQ(GetErrorInfo(seen).code, "value.nul");
}

TEST(BatchQueue, TheFirstErrorWins) {
  BatchQueue queue(8);
  queue.Close(arrow::Status::OK());
  queue.Close(MakeError(ErrorClass::kData, "first", "x"));
  queue.Close(MakeError(ErrorClass::kData, "second", "x"));
  EXPECT_EQ(GetErrorInfo(queue.Pop({}).status()).code, "first");
  EXPECT_EQ(GetErrorInfo(queue.Push({Batch(1), {}}, {})).code, "first");
}

TEST(BatchQueue, AStopWakesBothSides) {
  BatchQueue queue(8);
  ASSERT_TRUE(queue.Push({Batch(1), {}}, {}).ok());
  BatchQueue empty(8);
  arrow::Status pushed, popped;
  std::jthread writer(
      [&](std::stop_token stop) { pushed = queue.Push({Batch(1), {}}, stop); });
  std::jthread reader([&](std::stop_token stop) { popped = empty.Pop(stop).status(); });
  writer.request_stop();
  reader.request_stop();
  writer.join();
  reader.join();
  EXPECT_EQ(GetErrorInfo(pushed).error_class, ErrorClass::kCancelled);
  EXPECT_EQ(GetErrorInfo(popped).error_class, ErrorClass::kCancelled);
}

}  // namespace
}  // namespace dxt
