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

/// What `reader` takes and opens; -1 for none.
int Read(SplitQueue& queue, int reader) {
  const auto split = queue.Take(reader);
  if (!split) return -1;
  queue.Opened(reader);
  return split->number;
}

TEST(SplitQueueTest, DealsEachSplitOnceInOrder) {
  SplitQueue queue(Numbered(4), 2);
  EXPECT_EQ(Read(queue, 0), 0);
  EXPECT_EQ(Read(queue, 1), 1);
  EXPECT_EQ(Read(queue, 1), 2);
  EXPECT_EQ(Read(queue, 0), 3);
  EXPECT_EQ(Read(queue, 1), -1);
  EXPECT_EQ(Read(queue, 0), -1);
}

TEST(SplitQueueTest, WhatCouldNotBeOpenedGoesToAnother) {
  SplitQueue queue(Numbered(3), 2);
  auto split = queue.Take(1);
  EXPECT_TRUE(queue.HandBack(1, std::move(*split)));
  for (const int expected : {0, 1, 2, -1}) EXPECT_EQ(Read(queue, 0), expected);
}

TEST(SplitQueueTest, AnyReaderMayBeTheOneThatReads) {
  SplitQueue queue(Numbered(2), 3);
  EXPECT_EQ(Read(queue, 1), 0);
  auto refused = queue.Take(0);
  EXPECT_TRUE(queue.HandBack(0, std::move(*refused)));
  refused = queue.Take(2);
  EXPECT_TRUE(queue.HandBack(2, std::move(*refused)));
  EXPECT_EQ(Read(queue, 1), 1);
  EXPECT_EQ(Read(queue, 1), -1);
}

TEST(SplitQueueTest, TheLastThatCannotOpenIsTold) {
  SplitQueue queue(Numbered(2), 2);
  auto first = queue.Take(0), second = queue.Take(1);
  EXPECT_TRUE(queue.HandBack(0, std::move(*first)));
  EXPECT_FALSE(queue.HandBack(1, std::move(*second)));
}

TEST(SplitQueueTest, TheLastReaderDoesNotWaitForOneThatCannotOpen) {
  for (const int able : {0, 1}) {
    const int stuck = 1 - able;
    SplitQueue queue(Numbered(2), 2);
    auto held = queue.Take(stuck);
    // As a pooler without a free session keeps its client waiting.
    std::jthread other([&] {
      std::mutex mutex;
      std::condition_variable_any never;
      std::unique_lock lock(mutex);
      never.wait(lock, queue.Opening(stuck), [] { return false; });
      EXPECT_TRUE(queue.HandBack(stuck, std::move(*held)));
    });
    EXPECT_EQ(Read(queue, able), 1);
    EXPECT_EQ(Read(queue, able), 0);
    EXPECT_EQ(Read(queue, able), -1);
  }
}

TEST(SplitQueueTest, AReaderThatIsReadingIsNotWaitedFor) {
  SplitQueue queue(Numbered(2), 2);
  EXPECT_EQ(Read(queue, 1), 0);
  EXPECT_EQ(Read(queue, 0), 1);
  EXPECT_EQ(Read(queue, 0), -1);
  EXPECT_FALSE(queue.Opening(1).stop_requested());
}

}  // namespace
}  // namespace dxt
