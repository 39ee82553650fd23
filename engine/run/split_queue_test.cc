#include "engine/run/split_queue.h"

#include <condition_variable>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>

namespace dxt {
namespace {

std::vector<Split> Numbered(int count) {
  std::vector<Split> splits;
  for (int i = 0; i < count; ++i) splits.push_back({i, ""});
  return splits;
}

TEST(SplitQueueTest, DealsEachSplitOnceInOrder) {
  SplitQueue queue(Numbered(4), 2);
  EXPECT_EQ(queue.Take(0)->number, 0);
  EXPECT_EQ(queue.Take(1)->number, 1);
  queue.Opened(1);
  EXPECT_EQ(queue.Take(1)->number, 2);
  queue.Opened(1);
  EXPECT_EQ(queue.Take(0)->number, 3);
  EXPECT_FALSE(queue.Take(1));
  EXPECT_FALSE(queue.Take(0));
}

TEST(SplitQueueTest, WhatCouldNotBeOpenedGoesToAnother) {
  SplitQueue queue(Numbered(3), 2);
  auto split = queue.Take(1);
  queue.HandBack(1, std::move(*split));
  EXPECT_EQ(queue.Take(0)->number, 0);
  EXPECT_EQ(queue.Take(0)->number, 1);
  EXPECT_EQ(queue.Take(0)->number, 2);
  EXPECT_FALSE(queue.Take(0));
}

TEST(SplitQueueTest, TheFirstReaderDoesNotWaitForOneThatCannotOpen) {
  SplitQueue queue(Numbered(2), 2);
  auto stuck = queue.Take(1);
  // As a pooler without a free session keeps its client waiting.
  std::jthread other([&] {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    never.wait(lock, queue.Opening(1), [] { return false; });
    queue.HandBack(1, std::move(*stuck));
  });
  EXPECT_EQ(queue.Take(0)->number, 1);
  EXPECT_EQ(queue.Take(0)->number, 0);
  EXPECT_FALSE(queue.Take(0));
}

TEST(SplitQueueTest, AReaderThatIsReadingIsNotWaitedFor) {
  SplitQueue queue(Numbered(2), 2);
  queue.Take(1);
  queue.Opened(1);
  EXPECT_TRUE(queue.Take(0));
  EXPECT_FALSE(queue.Take(0));
  EXPECT_FALSE(queue.Opening(1).stop_requested());
}

}  // namespace
}  // namespace dxt
