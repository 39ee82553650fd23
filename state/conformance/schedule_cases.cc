#include <atomic>

#include "state/conformance/state_store_suite.h"

namespace dxt {
namespace {

ScheduleRecord MakeSchedule(const std::string& name, const std::string& next_at) {
  ScheduleRecord record;
  record.project = "shop";
  record.name = name;
  record.pipeline = "orders";
  record.cron = "0 2 * * *";
  record.timezone = "Europe/Zurich";
  record.misfire = "all";
  record.misfire_grace_seconds = 90;
  record.max_instances = 2;
  record.jitter_seconds = 5;
  record.options = "{\"select\":\"a\"}";
  record.variables = "{\"x\":\"1\"}";
  record.priority = 4;
  record.next_at = next_at;
  record.created_at = "2026-11-21T09:00:00.000Z";
  return record;
}

TickRecord MakeTick(const std::string& schedule, const std::string& at,
                    const std::string& run = "") {
  TickRecord tick;
  tick.project = "shop";
  tick.schedule = schedule;
  tick.scheduled_at = at;
  tick.fired_at = at + "+";
  tick.outcome = run.empty() ? "SKIPPED_OVERLAP" : "FIRED";
  tick.run = run;
  tick.reason = run.empty() ? "one runs" : "";
  return tick;
}

TEST_P(StateStoreSuite, AScheduleKeepsAllThatItWasMadeWith) {
  ApplyPipelines({"orders", "items"});
  auto made = store_->schedules().Create(MakeSchedule("nightly", "t1"));
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->revision, 1);
  EXPECT_EQ(CodeOf(store_->schedules().Create(MakeSchedule("nightly", "")).status()),
            "schedule.exists");
  ScheduleRecord homeless = MakeSchedule("other", "");
  homeless.pipeline = "none";
  EXPECT_EQ(CodeOf(store_->schedules().Create(homeless).status()), "pipeline.not_found");
  Reopen();
  auto stored = store_->schedules().Get("shop", "nightly").ValueOrDie().value();
  EXPECT_EQ(stored.pipeline, "orders");
  EXPECT_EQ(stored.cron, "0 2 * * *");
  EXPECT_EQ(stored.timezone, "Europe/Zurich");
  EXPECT_EQ(stored.misfire, "all");
  EXPECT_EQ(stored.misfire_grace_seconds, 90);
  EXPECT_EQ(stored.max_instances, 2);
  EXPECT_EQ(stored.jitter_seconds, 5);
  EXPECT_EQ(stored.options, "{\"select\":\"a\"}");
  EXPECT_EQ(stored.variables, "{\"x\":\"1\"}");
  EXPECT_EQ(stored.priority, 4);
  EXPECT_EQ(stored.next_at, "t1");
  EXPECT_EQ(stored.last_at, "");
  stored.pipeline = "items";
  stored.paused = true;
  stored.pause_note = "broken";
  stored.updated_at = "later";
  EXPECT_EQ(CodeOf(store_->schedules().Update(stored, 7).status()), "state.etag");
  const auto updated = store_->schedules().Update(stored, 1);
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_EQ(updated->revision, 2);
  stored = store_->schedules().Get("shop", "nightly").ValueOrDie().value();
  EXPECT_EQ(stored.pipeline, "items");
  EXPECT_TRUE(stored.paused);
  EXPECT_EQ(stored.pause_note, "broken");
  EXPECT_EQ(stored.created_at, kNow);
  EXPECT_EQ(stored.updated_at, "later");
  ASSERT_TRUE(store_->schedules().Delete("shop", "nightly").ok());
  EXPECT_EQ(CodeOf(store_->schedules().Delete("shop", "nightly")), "schedule.not_found");
  EXPECT_EQ(CodeOf(store_->schedules().Update(stored, {}).status()),
            "schedule.not_found");
  EXPECT_EQ(store_->schedules().Create(MakeSchedule("nightly", ""))->revision, 3);
}

TEST_P(StateStoreSuite, SchedulesAreListedByPage) {
  ApplyPipelines({"orders", "items"});
  for (const char* name : {"c", "a", "b"}) {
    ScheduleRecord record = MakeSchedule(name, "");
    if (*name == 'b') record.pipeline = "items";
    ASSERT_TRUE(store_->schedules().Create(record).ok());
  }
  EXPECT_EQ(store_->schedules().List("", "", "", 2)->size(), 2u);
  EXPECT_EQ(store_->schedules().List("shop", "", "shop/a", 2)->front().name, "b");
  EXPECT_EQ(store_->schedules().List("shop", "orders", "shop/a", 2)->front().name, "c");
  EXPECT_TRUE(store_->schedules().List("none", "", "", 2)->empty());
}

TEST_P(StateStoreSuite, TheDueAreThoseThatWaitAndAreNotPaused) {
  ApplyPipelines({"orders"});
  EXPECT_FALSE(store_->schedules().NextDue().ValueOrDie().has_value());
  ASSERT_TRUE(store_->schedules().Create(MakeSchedule("c", "t3")).ok());
  ASSERT_TRUE(store_->schedules().Create(MakeSchedule("b", "t1")).ok());
  ASSERT_TRUE(store_->schedules().Create(MakeSchedule("a", "t2")).ok());
  ASSERT_TRUE(store_->schedules().Create(MakeSchedule("never", "")).ok());
  ScheduleRecord paused = MakeSchedule("paused", "t0");
  paused.paused = true;
  ASSERT_TRUE(store_->schedules().Create(paused).ok());
  EXPECT_EQ(store_->schedules().NextDue().ValueOrDie(), "t1");
  const auto due = store_->schedules().Due("t2", 10).ValueOrDie();
  ASSERT_EQ(due.size(), 2u);
  EXPECT_EQ(due[0].name, "b");
  EXPECT_EQ(due[1].name, "a");
  EXPECT_EQ(store_->schedules().Due("t9", 1)->size(), 1u);
  EXPECT_EQ(store_->schedules().CountActive().ValueOr(-1), 3);
}

TEST_P(StateStoreSuite, ATickItsRunAndTheNextTimeAreOneChange) {
  ApplyPipelines({"orders"});
  ASSERT_TRUE(store_->schedules().Create(MakeSchedule("nightly", "t1")).ok());
  NewRun run = MakeRun("01A");
  run.trigger = {"SCHEDULE", "nightly", "t1"};
  const auto fired =
      store_->schedules().Fire(MakeTick("nightly", "t1", "01A"), "t2", run);
  ASSERT_TRUE(fired.ok()) << fired.status();
  EXPECT_EQ((*fired)->id, "01A");
  Reopen();
  EXPECT_EQ(Run("01A").trigger.scheduled_at, "t1");
  auto stored = store_->schedules().Get("shop", "nightly").ValueOrDie().value();
  EXPECT_EQ(stored.next_at, "t2");
  EXPECT_EQ(stored.last_at, "t1+");
  EXPECT_EQ(stored.revision, 1);

  const auto again =
      store_->schedules().Fire(MakeTick("nightly", "t1", "01B"), "t9", MakeRun("01B"));
  EXPECT_EQ(CodeOf(again.status()), "schedule.tick_fired");
  EXPECT_EQ(ClassOf(again.status()), ErrorClass::kFenced);
  // A run that cannot be stored (its id is taken) leaves no tick behind.
  EXPECT_FALSE(store_->schedules()
                   .Fire(MakeTick("nightly", "t2", "01A"), "t3", MakeRun("01A"))
                   .ok());
  stored = store_->schedules().Get("shop", "nightly").ValueOrDie().value();
  EXPECT_EQ(stored.next_at, "t2");
  EXPECT_FALSE(store_->runs().Get("01B")->has_value());

  const auto skipped = store_->schedules().Fire(MakeTick("nightly", "t2"), "t3", {});
  ASSERT_TRUE(skipped.ok());
  EXPECT_FALSE(skipped->has_value());
  stored = store_->schedules().Get("shop", "nightly").ValueOrDie().value();
  EXPECT_EQ(stored.next_at, "t3");
  EXPECT_EQ(stored.last_at, "t1+");
  const auto ticks = store_->schedules().Ticks("shop", "nightly", "", 10).ValueOrDie();
  ASSERT_EQ(ticks.size(), 2u);
  EXPECT_EQ(ticks[0].scheduled_at, "t2");
  EXPECT_EQ(ticks[0].outcome, "SKIPPED_OVERLAP");
  EXPECT_EQ(ticks[0].reason, "one runs");
  EXPECT_EQ(ticks[1].run, "01A");
  EXPECT_EQ(store_->schedules().Ticks("shop", "nightly", "t2", 10)->size(), 1u);
}

TEST_P(StateStoreSuite, OneOfManyFiresATick) {
  ApplyPipelines({"orders"});
  ASSERT_TRUE(store_->schedules().Create(MakeSchedule("nightly", "t0")).ok());
  for (int round = 0; round < 10; ++round) {
    const std::string at = "t" + std::to_string(round);
    std::atomic<int> fired = 0;
    std::atomic<int> refused = 0;
    Together([&](int thread) {
      const std::string id = "01R" + at + "-" + std::to_string(thread);
      const auto run =
          store_->schedules().Fire(MakeTick("nightly", at, id), at + "0", MakeRun(id));
      if (run.ok()) ++fired;
      if (CodeOf(run.status()) == "schedule.tick_fired") ++refused;
    });
    EXPECT_EQ(fired, 1);
    EXPECT_EQ(refused, kThreads - 1);
  }
  EXPECT_EQ(store_->runs().Queued()->size(), 10u);
}

TEST_P(StateStoreSuite, AScheduleThatWasChangedIsNotFiredByItsOldTimes) {
  ApplyPipelines({"orders"});
  ASSERT_TRUE(store_->schedules().Create(MakeSchedule("nightly", "t1")).ok());
  const auto due = store_->schedules().Due("t1", 1)->front();
  ASSERT_TRUE(store_->schedules().Update(MakeSchedule("nightly", "t5"), {}).ok());
  TickRecord tick = MakeTick("nightly", "t1", "01A");
  tick.schedule_revision = due.revision;
  EXPECT_EQ(CodeOf(store_->schedules().Fire(tick, "t2", MakeRun("01A")).status()),
            "schedule.changed");
  EXPECT_EQ(store_->schedules().Get("shop", "nightly").ValueOrDie()->next_at, "t5");
  EXPECT_TRUE(store_->schedules().Ticks("shop", "nightly", "", 10)->empty());
  EXPECT_TRUE(store_->runs().Queued()->empty());
  ASSERT_TRUE(store_->schedules().Delete("shop", "nightly").ok());
  EXPECT_EQ(CodeOf(store_->schedules().Fire(tick, "t2", {}).status()),
            "schedule.not_found");
}

TEST_P(StateStoreSuite, PruneKeepsEachSchedulesNewestTick) {
  ApplyPipelines({"orders"});
  for (const char* name : {"busy", "rare"}) {
    ASSERT_TRUE(store_->schedules().Create(MakeSchedule(name, "")).ok());
  }
  for (const char* at : {"2026-01-01", "2026-02-01", "2026-03-01"}) {
    ASSERT_TRUE(store_->schedules().Fire(MakeTick("busy", at), "", {}).ok());
  }
  ASSERT_TRUE(store_->schedules().Fire(MakeTick("rare", "2026-01-01"), "", {}).ok());
  ASSERT_TRUE(store_->runs().Prune("2026-02-15", 0, kNow).ok());
  EXPECT_EQ(store_->schedules().Ticks("shop", "busy", "", 10)->size(), 1u);
  EXPECT_EQ(store_->schedules().Ticks("shop", "rare", "", 10)->size(), 1u);
}

}  // namespace
}  // namespace dxt
