#include "server/scheduler/schedule_loop.h"

#include <set>

#include "base/time_text.h"
#include "server/scheduler/run_listener.h"
#include "server/scheduler/test_daemon.h"

namespace dxt {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class ScheduleLoopTest : public DaemonTest {
 protected:
  void SetUp() override {
    clock_ = &manual_;
    manual_.Set("2026-11-21T09:02:00Z");
    engine_->Release();
    DaemonTest::SetUp();
    StorePipeline("a");
  }
  /// A schedule of pipeline a.
  ScheduleRecord Make(const std::string& cron) {
    ScheduleRecord schedule;
    schedule.project = "shop";
    schedule.name = "nightly";
    schedule.pipeline = "a";
    schedule.cron = cron;
    return schedule;
  }
  void Store(ScheduleRecord schedule) {
    schedule.created_at = FormatTime(manual_.Now());
    ASSERT_TRUE(CheckSchedule(schedule).ok());
    schedule.next_at = *FirstDue(schedule, manual_.Now());
    ASSERT_TRUE(store_->schedules().Create(schedule).ok());
  }
  std::string FireDue() {
    if (!loop_) {
      loop_ = std::make_unique<ScheduleLoop>(*store_, *dispatcher_, manual_, nullptr);
    }
    const auto next = loop_->FireDue();
    EXPECT_TRUE(next.ok()) << next.status();
    if (!next.ok() || !*next) return "never";
    return FormatTime(**next);
  }
  /// "time outcome" of each tick, oldest first.
  std::vector<std::string> Ticks() {
    std::vector<std::string> texts;
    for (const auto& tick : *store_->schedules().Ticks("shop", "nightly", "", 1000)) {
      texts.insert(texts.begin(), tick.scheduled_at.substr(11, 5) + " " + tick.outcome);
    }
    return texts;
  }
  void EndAll() {
    for (const auto& run : RunsOf("a")) Ended(run.id);
  }
  void TearDown() override {
    loop_.reset();
    DaemonTest::TearDown();
  }

  using Texts = std::vector<std::string>;
  ManualClock manual_;
  std::unique_ptr<ScheduleLoop> loop_;
};

TEST_F(ScheduleLoopTest, ATickBecomesOneRun) {
  Store(Make("*/5 * * * *"));
  EXPECT_EQ(FireDue(), "2026-11-21T09:05:00.000Z");
  EXPECT_TRUE(Ticks().empty());
  manual_.Set("2026-11-21T09:05:00Z");
  EXPECT_EQ(FireDue(), "2026-11-21T09:10:00.000Z");
  FireDue();
  EXPECT_EQ(Ticks(), Texts{"09:05 FIRED"});
  const auto runs = RunsOf("a");
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_EQ(runs[0].trigger.kind, "SCHEDULE");
  EXPECT_EQ(runs[0].trigger.source, "nightly");
  EXPECT_EQ(runs[0].trigger.scheduled_at, "2026-11-21T09:05:00.000Z");
  EXPECT_EQ(Ended(runs[0].id).state, "SUCCEEDED");
}

TEST_F(ScheduleLoopTest, MissedTicksBecomeOneRun) {
  Store(Make("*/5 * * * *"));
  manual_.Set("2026-11-21T10:13:00Z");
  EXPECT_EQ(FireDue(), "2026-11-21T10:15:00.000Z");
  EXPECT_EQ(Ticks(), (Texts{"09:05 SKIPPED_MISFIRE", "10:10 FIRED"}));
}

TEST_F(ScheduleLoopTest, MissedTicksBecomeNoRun) {
  auto schedule = Make("*/5 * * * *");
  schedule.misfire = "none";
  Store(schedule);
  manual_.Set("2026-11-21T10:13:00Z");
  FireDue();
  EXPECT_EQ(Ticks(), Texts{"09:05 SKIPPED_MISFIRE"});
  // Within the grace it is on time.
  manual_.Set("2026-11-21T10:16:00Z");
  EXPECT_EQ(FireDue(), "2026-11-21T10:20:00.000Z");
  EXPECT_EQ(Ticks().back(), "10:15 FIRED");
}

TEST_F(ScheduleLoopTest, MissedTicksBecomeARunEachUpToAHundred) {
  auto schedule = Make("*/5 * * * *");
  schedule.misfire = "all";
  schedule.max_instances = 100;
  Store(schedule);
  manual_.Set("2026-11-21T09:31:00Z");
  FireDue();
  EXPECT_EQ(Ticks(), (Texts{"09:05 FIRED", "09:10 FIRED", "09:15 FIRED", "09:20 FIRED",
                            "09:25 FIRED", "09:30 FIRED"}));
  EndAll();
  manual_.Advance(hours(48));
  FireDue();
  const auto ticks = Ticks();
  EXPECT_EQ(ticks.size(), 6u + 1 + 100);
  EXPECT_EQ(ticks[6], "09:35 SKIPPED_MISFIRE");
  EXPECT_EQ(ticks.back(), "09:30 FIRED");
}

TEST_F(ScheduleLoopTest, OverlapIsSkippedQueuedOrReplaces) {
  engine_->Hold();
  StorePipeline("a", "runtime: {overlap: skip}\n");
  Store(Make("@every 1m"));
  manual_.Advance(minutes(1));
  FireDue();
  engine_->AwaitRunning(1);
  manual_.Advance(minutes(1));
  FireDue();
  EXPECT_EQ(Ticks(), (Texts{"09:03 FIRED", "09:04 SKIPPED_OVERLAP"}));
  StorePipeline("a", "runtime: {overlap: queue}\n");
  manual_.Advance(minutes(1));
  FireDue();
  manual_.Advance(minutes(1));
  FireDue();
  EXPECT_EQ(Ticks(), (Texts{"09:03 FIRED", "09:04 SKIPPED_OVERLAP", "09:05 FIRED",
                            "09:06 SKIPPED_OVERLAP"}));
  StorePipeline("a", "runtime: {overlap: cancel_previous}\n");
  manual_.Advance(minutes(1));
  FireDue();
  const auto runs = RunsOf("a");
  ASSERT_EQ(runs.size(), 3u);
  EXPECT_EQ(Ended(runs[0].id).state, "CANCELLED");
  EXPECT_EQ(Ended(runs[1].id).state, "CANCELLED");
  engine_->Release();
  EXPECT_EQ(Ended(runs[2].id).state, "SUCCEEDED");
}

TEST_F(ScheduleLoopTest, APausedPipelineRefusesTheTick) {
  Store(Make("@every 1m"));
  ASSERT_TRUE(
      store_->definitions().SetPaused("shop", "a", true, "inventory", "now").ok());
  class Listener : public RunListener {
   public:
    void OnTickMissed(const TickRecord& tick, const std::string& pipeline) override {
      missed.insert(pipeline + " " + tick.outcome);
    }
    std::set<std::string> missed;
  } listener;
  options_.listeners = {&listener};
  Shut();
  Start();
  manual_.Advance(minutes(1));
  EXPECT_EQ(FireDue(), "2026-11-21T09:04:00.000Z");
  const auto ticks = *store_->schedules().Ticks("shop", "nightly", "", 10);
  ASSERT_EQ(ticks.size(), 1u);
  EXPECT_EQ(ticks[0].outcome, "SKIPPED_REFUSED");
  EXPECT_NE(ticks[0].reason.find("inventory"), std::string::npos);
  EXPECT_EQ(listener.missed, std::set<std::string>{"shop/a SKIPPED_REFUSED"});
  loop_.reset();
  Shut();
  options_.listeners.clear();
  Start();
}

TEST_F(ScheduleLoopTest, AClockThatIsSetBackFiresNothingTwiceAndLosesNothing) {
  Store(Make("*/5 * * * *"));
  manual_.Set("2026-11-21T09:05:30Z");
  FireDue();
  EndAll();
  // A year ahead by mistake, and back.
  manual_.Set("2027-11-21T09:07:00Z");
  EXPECT_EQ(FireDue(), "2027-11-21T09:10:00.000Z");
  EndAll();
  manual_.Set("2026-11-21T09:04:59Z");
  EXPECT_EQ(FireDue(), "2026-11-21T09:05:00.000Z");
  manual_.Set("2026-11-21T09:05:01Z");
  FireDue();
  manual_.Set("2026-11-21T09:15:01Z");
  EXPECT_EQ(FireDue(), "2026-11-21T09:20:00.000Z");
  std::set<std::string> ticks;
  int fired = 0;
  for (const auto& run : RunsOf("a")) {
    EXPECT_TRUE(ticks.insert(run.trigger.scheduled_at).second);
    ++fired;
  }
  EXPECT_TRUE(ticks.count("2026-11-21T09:15:00.000Z"));
  EXPECT_EQ(fired, 3);
}

TEST_F(ScheduleLoopTest, ARestartFindsAScheduleThatAWrongClockMovedAway) {
  Store(Make("*/5 * * * *"));
  manual_.Set("2027-11-21T09:07:00Z");
  FireDue();
  manual_.Set("2026-11-21T09:08:00Z");
  loop_.reset();
  EXPECT_EQ(FireDue(), "2026-11-21T09:10:00.000Z");
}

TEST_F(ScheduleLoopTest, JitterDelaysATickAlikeAndKeepsTheOrder) {
  auto schedule = Make("*/5 * * * *");
  schedule.jitter_seconds = 3600;
  Store(schedule);
  std::set<std::string> delays;
  for (int i = 0; i < 40; ++i) {
    const std::string next = FireDue();
    manual_.Set(next);
    EXPECT_EQ(FireDue() > next, true);
    const auto tick = store_->schedules().Ticks("shop", "nightly", "", 1)->front();
    const auto at = *ParseUtcTime(tick.scheduled_at);
    EXPECT_EQ(at.time_since_epoch() % minutes(5), seconds(0));
    const auto delay = *ParseUtcTime(next) - at;
    EXPECT_GE(delay, seconds(0));
    EXPECT_LT(delay, minutes(5));
    delays.insert(FormatTime(std::chrono::system_clock::time_point() + delay));
    EndAll();
  }
  EXPECT_GT(delays.size(), 30u);
  EXPECT_EQ(RunsOf("a").size(), 40u);
}

TEST_F(ScheduleLoopTest, TheThreadSleepsUntilTheTickOrAChange) {
  // The real clock: this is about waking up.
  clock_ = &SystemClock();
  Shut();
  Start();
  ScheduleLoop loop(*store_, *dispatcher_, SystemClock(), nullptr);
  loop.Start();
  auto schedule = Make("@every 1s");
  schedule.created_at = FormatTime(SystemClock().Now());
  schedule.next_at = *FirstDue(schedule, SystemClock().Now());
  ASSERT_TRUE(store_->schedules().Create(schedule).ok());
  loop.Changed();
  engine_->AwaitBegun(2);
  loop.Stop();
}

TEST_F(ScheduleLoopTest, ATriggerRunsBesideTheTicks) {
  Store(Make("@daily"));
  const auto schedule = **store_->schedules().Get("shop", "nightly");
  const auto run = *dispatcher_->Trigger(schedule, "now");
  EXPECT_EQ(run.trigger.kind, "SCHEDULE");
  EXPECT_EQ(run.trigger.scheduled_at, "");
  EXPECT_EQ(dispatcher_->Trigger(schedule, "now")->id, run.id);
  EXPECT_EQ(Ended(run.id).state, "SUCCEEDED");
}

TEST_F(ScheduleLoopTest, SchedulesAreCheckedBeforeTheyAreStored) {
  const auto refused = [&](auto change) {
    auto schedule = Make("@daily");
    change(schedule);
    return GetErrorInfo(CheckSchedule(schedule)).code;
  };
  EXPECT_EQ(refused([](auto& s) { s.cron = "61 * * * *"; }), "schedule.cron");
  EXPECT_EQ(refused([](auto& s) { s.timezone = "Mars/Base"; }), "schedule.timezone");
  EXPECT_EQ(refused([](auto& s) { s.misfire = "some"; }), "schedule.invalid");
  EXPECT_EQ(refused([](auto& s) { s.jitter_seconds = -1; }), "schedule.invalid");
  EXPECT_EQ(refused([](auto& s) { s.max_instances = 0; }), "schedule.invalid");
  EXPECT_EQ(refused([](auto& s) { s.misfire_grace_seconds = -5; }), "schedule.invalid");
  EXPECT_EQ(refused([](auto& s) { s.priority = 2000; }), "schedule.invalid");
}

}  // namespace
}  // namespace dxt
