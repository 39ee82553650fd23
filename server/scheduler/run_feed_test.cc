#include "server/scheduler/run_feed.h"

#include <gtest/gtest.h>

namespace dxt {
namespace {

StreamProgress Progress(const std::string& stream, int64_t rows) {
  StreamProgress progress;
  progress.stream = stream;
  progress.rows_read = rows;
  return progress;
}

class CountingWatcher : public FeedWatcher {
 public:
  void OnMore() override { ++calls; }
  int calls = 0;
};

TEST(RunFeed, GivesEventsInOrderAndGoesOnAfterACursor) {
  RunFeed feed;
  feed.AddState("RUNNING");
  feed.AddLog({Severity::kInfo, "orders", "extract_started", ""});
  feed.AddProgress(Progress("orders", 5));
  const auto all = feed.After(0);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(std::get<StateEntry>(all[0].what).state, "RUNNING");
  EXPECT_EQ(std::get<LogEntry>(all[1].what).event, "extract_started");
  EXPECT_EQ(feed.After(all[1].cursor).size(), 1u);
  EXPECT_TRUE(feed.After(all[2].cursor).empty());
}

TEST(RunFeed, KeepsOnlyTheNewestProgressOfAStream) {
  RunFeed feed;
  for (int i = 1; i <= 100; ++i) feed.AddProgress(Progress("orders", i));
  feed.AddProgress(Progress("items", 7));
  const auto events = feed.After(0);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(std::get<StreamProgress>(events[0].what).rows_read, 100);
  EXPECT_EQ(std::get<StreamProgress>(events[1].what).stream, "items");
}

TEST(RunFeed, IsBoundedAndKeepsTheEnd) {
  RunFeed feed;
  for (int i = 0; i < 5000; ++i) feed.AddLog({Severity::kInfo, "", "event", ""});
  RunRecord run;
  run.state = "SUCCEEDED";
  feed.End(run);
  feed.AddLog({Severity::kInfo, "", "late", ""});
  const auto events = feed.After(0);
  EXPECT_LE(events.size(), 2000u);
  EXPECT_EQ(std::get<RunRecord>(events.back().what).state, "SUCCEEDED");
  EXPECT_TRUE(feed.ended());
}

TEST(RunFeed, OfALaterAttemptBeginsAfterEveryCursorOfAnEarlierOne) {
  RunFeed first, second(1);
  for (int i = 0; i < 5000; ++i) first.AddLog({Severity::kInfo, "", "event", ""});
  second.AddState("RUNNING");
  const auto all = second.After(first.After(0).back().cursor);
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(std::get<StateEntry>(all[0].what).state, "RUNNING");
}

TEST(RunFeed, TellsWatchersUntilTheyAreGone) {
  RunFeed feed;
  feed.AddState("RUNNING");
  auto late = std::make_shared<CountingWatcher>();
  feed.Watch(late);
  EXPECT_EQ(late->calls, 1);
  feed.AddState("CANCELLING");
  EXPECT_EQ(late->calls, 2);
  late.reset();
  feed.AddState("CANCELLED");
}

}  // namespace
}  // namespace dxt
