#include "server/scheduler/run_queue.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

namespace dxt {
namespace {

QueuedRun Make(const std::string& id, const std::string& pipeline, int priority = 0) {
  QueuedRun run;
  run.id = id;
  run.pipeline = pipeline;
  run.priority = priority;
  run.memory = 1;
  return run;
}

QueuedRun Using(QueuedRun run, std::vector<ConnectionUse> connections) {
  run.connections = std::move(connections);
  return run;
}

std::string Taken(RunQueue& queue) { return queue.Take().value_or("none"); }

TEST(RunQueue, TheHighestPriorityIsFirstThenTheOldest) {
  RunQueue queue(100);
  queue.Add(Make("1", "a"));
  queue.Add(Make("2", "b", 5));
  queue.Add(Make("3", "c", -5));
  queue.Add(Make("4", "d", 5));
  for (const char* id : {"2", "4", "1", "3", "none"}) EXPECT_EQ(Taken(queue), id);
  EXPECT_EQ(queue.running(), 4u);
}

TEST(RunQueue, RunsOfOnePipelineTakeTurnsByPriority) {
  RunQueue queue(100);
  queue.Add(Make("1", "a"));
  EXPECT_EQ(Taken(queue), "1");
  queue.Add(Make("2", "a"));
  queue.Add(Make("3", "a", 1));
  queue.Add(Make("4", "b"));
  EXPECT_EQ(queue.Running("a"), "1");
  EXPECT_EQ(queue.Waiting("a"), (std::vector<std::string>{"3", "2"}));
  EXPECT_EQ(Taken(queue), "4");
  EXPECT_EQ(Taken(queue), "none");
  queue.Done("1");
  EXPECT_EQ(Taken(queue), "3");
  EXPECT_EQ(Taken(queue), "none");
}

TEST(RunQueue, RunsThatDoNotWriteDoNotTakeTurns) {
  RunQueue queue(100);
  for (const char* id : {"1", "2", "3"}) {
    auto run = Make(id, "a");
    run.writes = id[0] == '1';
    queue.Add(run);
  }
  for (const char* id : {"1", "2", "3"}) EXPECT_EQ(Taken(queue), id);
}

TEST(RunQueue, AConnectionServesOnlySoManyAndOthersGoAhead) {
  RunQueue queue(100);
  for (int i = 1; i <= 4; ++i) {
    queue.Add(Using(Make(std::to_string(i), "p" + std::to_string(i)), {{"w", 2}}));
  }
  queue.Add(Make("5", "p5"));
  for (const char* id : {"1", "2", "5", "none"}) EXPECT_EQ(Taken(queue), id);
  EXPECT_EQ(queue.WaitingFor("3"), "connection w serves 2 runs, as many as it may");
  queue.Done("1");
  EXPECT_EQ(Taken(queue), "3");
  EXPECT_EQ(Taken(queue), "none");
  queue.Done("2");
  queue.Done("3");
  EXPECT_EQ(Taken(queue), "4");
}

TEST(RunQueue, AFreeSlotIsNotLostWhenItsFirstWaiterWaitsForAnother) {
  RunQueue queue(100);
  queue.Add(Using(Make("1", "p1"), {{"x", 1}}));
  queue.Add(Using(Make("2", "p2"), {{"y", 1}}));
  EXPECT_EQ(Taken(queue), "1");
  EXPECT_EQ(Taken(queue), "2");
  queue.Add(Using(Make("3", "p3"), {{"x", 1}, {"y", 1}}));
  queue.Add(Using(Make("4", "p4"), {{"x", 1}}));
  EXPECT_EQ(Taken(queue), "none");
  queue.Done("1");
  EXPECT_EQ(Taken(queue), "4");
  queue.Done("4");
  queue.Done("2");
  EXPECT_EQ(Taken(queue), "3");
}

TEST(RunQueue, ARunThatWaitsForMemoryIsNotOvertaken) {
  RunQueue queue(10);
  auto big = Make("2", "b"), small = Make("3", "c");
  big.memory = 8;
  auto first = Make("1", "a");
  first.memory = 5;
  for (const auto& run : {first, big, small}) queue.Add(run);
  EXPECT_EQ(Taken(queue), "1");
  EXPECT_EQ(Taken(queue), "none");
  EXPECT_NE(queue.WaitingFor("2"), "");
  queue.Done("1");
  EXPECT_EQ(Taken(queue), "2");
  EXPECT_EQ(Taken(queue), "3");
}

TEST(RunQueue, ARemovedRunMakesRoomForTheNext) {
  RunQueue queue(10);
  for (const char* id : {"1", "2"}) {
    auto run = Make(id, "a");
    run.schedule = "shop/nightly";
    queue.Add(run);
  }
  EXPECT_EQ(queue.Instances("shop/nightly"), 2);
  EXPECT_TRUE(queue.Remove("1"));
  EXPECT_FALSE(queue.Remove("1"));
  EXPECT_EQ(Taken(queue), "2");
  EXPECT_FALSE(queue.Remove("2"));
  queue.Done("2");
  EXPECT_EQ(queue.Instances("shop/nightly"), 0);
  EXPECT_EQ(queue.waiting() + queue.running(), 0u);
}

TEST(RunQueue, SaysWhyARunWaits) {
  RunQueue queue(10);
  queue.Add(Make("1", "shop/a"));
  EXPECT_EQ(queue.WaitingFor("1"), "a free worker");
  EXPECT_EQ(Taken(queue), "1");
  queue.Add(Make("2", "shop/a"));
  EXPECT_EQ(queue.WaitingFor("2"), "pipeline shop/a is running (run 1)");
  EXPECT_EQ(queue.WaitingFor("1"), "");
  EXPECT_EQ(queue.WaitingFor("9"), "");
}

/// The rules again, by looking at everything each time.
class SlowQueue {
 public:
  explicit SlowQueue(int64_t memory) : free_(memory) {}
  void Add(const QueuedRun& run) { waiting_.push_back(run); }
  std::optional<std::string> Take() {
    std::sort(waiting_.begin(), waiting_.end(), [](const auto& a, const auto& b) {
      return std::pair(-a.priority, a.id) < std::pair(-b.priority, b.id);
    });
    for (auto at = waiting_.begin(); at != waiting_.end(); ++at) {
      if (Blocked(*at)) continue;
      if (at->memory > free_) return std::nullopt;
      free_ -= at->memory;
      running_.push_back(*at);
      waiting_.erase(at);
      return running_.back().id;
    }
    return std::nullopt;
  }
  void Remove(const std::string& id) {
    std::erase_if(waiting_, [&](const auto& run) { return run.id == id; });
  }
  void Done(const std::string& id) {
    for (const auto& run : running_) free_ += run.id == id ? run.memory : 0;
    std::erase_if(running_, [&](const auto& run) { return run.id == id; });
  }
  std::vector<QueuedRun> waiting_, running_;

 private:
  bool Blocked(const QueuedRun& run) const {
    for (const auto& other : running_) {
      if (run.writes && other.writes && other.pipeline == run.pipeline) return true;
    }
    for (const auto& use : run.connections) {
      int used = 0;
      for (const auto& other : running_) {
        for (const auto& its : other.connections)
          used += its.connection == use.connection;
      }
      if (use.most > 0 && used >= use.most) return true;
    }
    // An earlier one of its own pipeline is always first.
    for (const auto& other : waiting_) {
      if (other.id == run.id) return false;
      if (other.pipeline == run.pipeline && other.writes == run.writes) return true;
    }
    return false;
  }
  int64_t free_;
};

TEST(RunQueue, AgreesWithAQueueThatLooksAtEverything) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::minstd_rand random(seed + 1);
    const auto draw = [&](int below) { return static_cast<int>(random() % below); };
    RunQueue fast(20);
    SlowQueue slow(20);
    for (int step = 0; step < 200; ++step) {
      const int what = draw(10);
      if (what < 4) {
        auto run =
            Make(std::to_string(1000 + step), "p" + std::to_string(draw(6)), draw(3));
        run.writes = draw(4) != 0;
        run.memory = draw(6);
        for (int c = draw(3); c > 0; --c) {
          const std::string name(1, static_cast<char>('w' + c));
          run.connections.push_back({name, c});
        }
        fast.Add(run);
        slow.Add(run);
      } else if (what < 7) {
        ASSERT_EQ(Taken(fast), slow.Take().value_or("none")) << "seed " << seed;
      } else if (what < 9 && !slow.running_.empty()) {
        const std::string id = slow.running_[static_cast<size_t>(draw(
                                                 static_cast<int>(slow.running_.size())))]
                                   .id;
        fast.Done(id);
        slow.Done(id);
      } else if (!slow.waiting_.empty()) {
        const std::string id = slow.waiting_[static_cast<size_t>(draw(
                                                 static_cast<int>(slow.waiting_.size())))]
                                   .id;
        ASSERT_TRUE(fast.Remove(id));
        slow.Remove(id);
      }
      ASSERT_EQ(fast.waiting(), slow.waiting_.size());
      ASSERT_EQ(fast.running(), slow.running_.size());
    }
  }
}

}  // namespace
}  // namespace dxt
