// What is told of stored pipelines: ticks that are missed, and successes that do not
// come.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/time_text.h"
#include "server/alerts/alert_sender.h"
#include "server/alerts/stale_watch.h"
#include "server/alerts/tick_alerts.h"
#include "server/alerts/told_alerts.h"
#include "server/outgoing/test_receiver.h"
#include "server/scheduler/schedule_loop.h"
#include "server/scheduler/test_daemon.h"

namespace dxt {
namespace {

using outgoing_test::Receiver;
using outgoing_test::Status;

class StoredAlerts : public DaemonTest {
 protected:
  void SetUp() override {
    clock_ = &manual_;
    manual_.Set("2026-11-21T09:02:00Z");
    catalog_options_.variables["HOOK"] = receiver_.url();
    catalog_options_.secrets.insert("HOOK");
    sender_ = *AlertSender::Make({}, SystemClock(), nullptr);
    DaemonTest::SetUp();
    Restart();
  }
  void TearDown() override {
    sender_.reset();
    DaemonTest::TearDown();
  }
  /// What is kept in memory is forgotten, as by another process.
  void Restart() {
    Shut();
    told_ = std::make_unique<ToldAlerts>(folder_ / "told.json");
    Start();
    ticks_ = std::make_unique<TickAlerts>(TickAlerts::Parts{
        sender_.get(), catalog_.get(), store_.get(), told_.get(), nullptr, "here"});
    stale_ = std::make_unique<StaleWatch>(StaleWatch::Parts{sender_.get(), catalog_.get(),
                                                            store_.get(), told_.get(),
                                                            &manual_, nullptr, "here"});
  }
  void StoreSchedule(const std::string& pipeline, const std::string& cron) {
    ScheduleRecord schedule;
    schedule.project = "shop";
    schedule.name = "nightly";
    schedule.pipeline = pipeline;
    schedule.cron = cron;
    schedule.created_at = schedule.updated_at = FormatTime(manual_.Now());
    schedule.next_at = *FirstDue(schedule, manual_.Now());
    ASSERT_TRUE(store_->schedules().Create(schedule).ok());
  }
  /// A tick of "nightly" at that time of day.
  void Tick(const std::string& time, const std::string& outcome,
            const std::string& pipeline = "a") {
    TickRecord tick;
    tick.project = "shop";
    tick.schedule = "nightly";
    tick.scheduled_at = "2026-11-21T" + time + ":00.000Z";
    tick.fired_at = tick.scheduled_at;
    tick.outcome = outcome;
    tick.reason = "because";
    ASSERT_TRUE(
        store_->schedules().Fire(tick, "2027-01-01T00:00:00.000Z", std::nullopt).ok());
    if (outcome != "FIRED") ticks_->OnTickMissed(tick, "shop/" + pipeline);
  }
  void Succeed(const std::string& pipeline, const std::string& time) {
    NewRun run;
    run.id = ids_->Ulid();
    run.project = "shop";
    run.pipeline = pipeline;
    run.created_at = "2026-11-21T" + time + ":00.000Z";
    ASSERT_TRUE(store_->runs().Create(run).ok());
    const auto lease = store_->runs().Claim(run.id, run.created_at);
    RunOutcome outcome;
    outcome.state = "SUCCEEDED";
    outcome.ended_at = run.created_at;
    ASSERT_TRUE(store_->runs().Finish(*lease, outcome).ok());
  }
  /// When it will look again, at "2026-11-21T<time>:00Z".
  std::string LookAt(const std::string& time) {
    manual_.Set("2026-11-21T" + time + ":00Z");
    const auto next = stale_->Look();
    EXPECT_TRUE(next.ok()) << next.status();
    return next.ok() ? FormatTime(*next).substr(11, 8) : "";
  }
  /// The parts for programs of all that was told, in order. Ends the sender.
  std::vector<nlohmann::json> Told() {
    sender_->Stop(std::chrono::seconds(60));
    std::vector<nlohmann::json> told;
    for (const auto& request : receiver_.requests()) {
      const auto json =
          nlohmann::json::parse(request.substr(request.find("\r\n\r\n") + 4));
      told.push_back(json["metadata"]["event_payload"]);
    }
    return told;
  }

  static constexpr char kMissed[] = "alerts: [{webhook: '${HOOK}', on: missed}]\n";
  Receiver receiver_{[](int) { return Status("200 OK"); }};
  ManualClock manual_;
  std::unique_ptr<AlertSender> sender_;
  std::unique_ptr<ToldAlerts> told_;
  std::unique_ptr<TickAlerts> ticks_;
  std::unique_ptr<StaleWatch> stale_;
};

TEST_F(StoredAlerts, AMissedTickIsToldOnceUntilATickMakesARun) {
  StorePipeline("a", kMissed);
  StoreSchedule("a", "*/5 * * * *");
  Tick("09:05", "SKIPPED_OVERLAP");
  Tick("09:10", "SKIPPED_OVERLAP");
  Restart();
  Tick("09:15", "SKIPPED_REFUSED");
  Tick("09:20", "FIRED");
  Tick("09:25", "SKIPPED_MISFIRE");
  const auto told = Told();
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0]["event"], "missed");
  EXPECT_EQ(told[0]["pipeline"], "a");
  EXPECT_EQ(told[0]["schedule"], "nightly");
  EXPECT_EQ(told[0]["code"], "tick.skipped_overlap");
  EXPECT_EQ(told[0]["server"], "here");
  EXPECT_NE(told[0]["detail"].get<std::string>().find("because"), std::string::npos);
  EXPECT_NE(told[1]["summary"].get<std::string>().find("2026-11-21T09:25:00.000Z"),
            std::string::npos);
}

TEST_F(StoredAlerts, AMissedTickIsToldThoughThePipelinesDocumentIsWrongToday) {
  catalog_options_.variables["GONE"] = "x";
  Restart();
  StorePipeline("a", std::string(kMissed) + "description: '${GONE}'\n");
  StoreSchedule("a", "*/5 * * * *");
  catalog_options_.variables.erase("GONE");
  Restart();
  ASSERT_FALSE(catalog_->Prepare("shop", "a", {}, {}).ok());
  Tick("09:05", "SKIPPED_REFUSED");
  EXPECT_EQ(Told().size(), 1u);
}

TEST_F(StoredAlerts, AMissedTickOfAPausedPipelineOrWithoutReceiversTellsNobody) {
  StorePipeline("a", kMissed);
  StorePipeline("b", "alerts: [{webhook: '${HOOK}'}]\n");
  StoreSchedule("a", "*/5 * * * *");
  ASSERT_TRUE(store_->definitions()
                  .SetPaused("shop", "a", true, "", FormatTime(manual_.Now()))
                  .ok());
  Tick("09:05", "SKIPPED_REFUSED");
  Tick("09:10", "SKIPPED_REFUSED", "b");
  EXPECT_TRUE(Told().empty());
}

TEST_F(StoredAlerts, AStalePipelineIsToldOnceUntilItSucceeds) {
  StorePipeline("a", "alerts: [{webhook: '${HOOK}', on: stale, stale_after: 1h}]\n");
  EXPECT_EQ(LookAt("09:03"), "09:04:00");
  Succeed("a", "09:30");
  EXPECT_EQ(LookAt("10:29"), "10:30:00");
  LookAt("10:31");
  LookAt("10:32");
  Restart();
  LookAt("10:33");
  Succeed("a", "10:40");
  EXPECT_EQ(LookAt("11:39"), "11:40:00");
  LookAt("11:41");
  const auto told = Told();
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0]["event"], "stale");
  EXPECT_EQ(told[0]["summary"],
            "is stale: it has not succeeded since 2026-11-21T09:30:00.000Z");
  EXPECT_EQ(told[1]["summary"],
            "is stale: it has not succeeded since 2026-11-21T10:40:00.000Z");
}

TEST_F(StoredAlerts, APipelineThatNeverSucceededIsStaleFromWhenItWasStored) {
  StorePipeline("a", "alerts: [{webhook: '${HOOK}', on: stale, stale_after: 1h}]\n");
  EXPECT_EQ(LookAt("10:01"), "10:02:00");
  LookAt("10:02");
  const auto told = Told();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0]["summary"],
            "is stale: it was stored at 2026-11-21T09:02:00.000Z and has not succeeded "
            "yet");
  EXPECT_EQ(told[0]["detail"].get<std::string>().find("No run of it is known"), 0u);
}

TEST_F(StoredAlerts, WithoutAnAgeTheThirdTickOfAScheduleMakesItStale) {
  StorePipeline("a", "alerts: [{webhook: '${HOOK}', on: stale}]\n");
  EXPECT_EQ(LookAt("23:59"), "00:00:00");
  manual_.Set("2026-11-21T09:02:00Z");
  StoreSchedule("a", "0 * * * *");
  EXPECT_EQ(LookAt("11:59"), "12:00:00");
  Succeed("a", "11:30");
  EXPECT_EQ(LookAt("13:59"), "14:00:00");
  LookAt("14:00");
  EXPECT_EQ(Told().size(), 1u);
}

TEST_F(StoredAlerts, PausedPipelinesAndSchedulesAreNotStale) {
  StorePipeline("a", "alerts: [{webhook: '${HOOK}', on: stale, stale_after: 1h}]\n");
  StorePipeline("b", "alerts: [{webhook: '${HOOK}', on: stale}]\n");
  StoreSchedule("b", "0 * * * *");
  ASSERT_TRUE(store_->definitions()
                  .SetPaused("shop", "a", true, "", FormatTime(manual_.Now()))
                  .ok());
  auto schedule = **store_->schedules().Get("shop", "nightly");
  schedule.paused = true;
  ASSERT_TRUE(store_->schedules().Update(schedule, std::nullopt).ok());
  LookAt("23:00");
  EXPECT_TRUE(Told().empty());
}

TEST_F(StoredAlerts, AChangedDocumentIsLookedAtAgainAndAnotherAgeToldByItself) {
  StorePipeline("a");
  LookAt("12:00");
  StorePipeline("a", "alerts: [{webhook: '${HOOK}', on: stale, stale_after: 1h}]\n");
  LookAt("12:01");
  StorePipeline("a",
                "alerts: [{webhook: '${HOOK}', on: stale, stale_after: 1h}, {webhook: "
                "'${HOOK}/slow', on: stale, stale_after: 2h}]\n");
  LookAt("12:02");
  EXPECT_EQ(Told().size(), 2u);
}

TEST(ToldAlertsTest, AFileThatIsNoneIsAsNothingTold) {
  ToldAlerts lost("/nonexistent/told.json");
  lost.Set("a", "1");
  EXPECT_EQ(lost.Of("a"), "1");
  lost.KeepOnly("", {});
  EXPECT_EQ(lost.Of("a"), "");
}

}  // namespace
}  // namespace dxt
