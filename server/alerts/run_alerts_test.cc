#include "server/alerts/run_alerts.h"

#include <gtest/gtest.h>

#include "base/clock.h"
#include "server/outgoing/test_receiver.h"

namespace dxt {
namespace {

using outgoing_test::Receiver;
using outgoing_test::Status;

class RunAlertsTest : public testing::Test {
 protected:
  RunAlertsTest() : sender_(*AlertSender::Make({}, SystemClock(), nullptr)) {}

  static AlertRule Rule(const std::string& url, std::vector<AlertEvent> on) {
    AlertRule rule;
    rule.webhook = url;
    rule.on = std::move(on);
    return rule;
  }
  void End(RunState state) {
    RunResult result;
    result.project = "shop";
    result.pipeline = "orders";
    result.run = "01RUN";
    result.state = state;
    RunAlerts(*sender_).OnEnded({}, result, document_);
  }
  int64_t Sent() {
    sender_->Stop(std::chrono::seconds(20));
    return sender_->counts().sent;
  }

  Receiver receiver_{[](int) { return Status("200 OK"); }};
  std::unique_ptr<AlertSender> sender_;
  PipelineDocument document_;
};

TEST_F(RunAlertsTest, AReceiverOfProjectAndPipelineIsToldOnce) {
  document_.alerts = {Rule(receiver_.url(), {AlertEvent::kFailed})};
  document_.project.alerts = {Rule(receiver_.url(), {AlertEvent::kFailed})};
  End(RunState::kFailed);
  EXPECT_EQ(Sent(), 1);
  EXPECT_NE(receiver_.Wait(1).find("dxt: shop/orders failed"), std::string::npos);
}

TEST_F(RunAlertsTest, OnlyWhoAskedForTheEventIsTold) {
  document_.alerts = {Rule(receiver_.url(), {AlertEvent::kPartial})};
  document_.project.alerts = {Rule(receiver_.url() + "/all", {AlertEvent::kFailed})};
  End(RunState::kFailed);
  EXPECT_EQ(Sent(), 1);
  EXPECT_NE(receiver_.Wait(1).find("/all"), std::string::npos);
}

TEST_F(RunAlertsTest, ASuccessTellsNobody) {
  document_.alerts = {Rule(receiver_.url(), {AlertEvent::kFailed, AlertEvent::kPartial})};
  End(RunState::kSucceeded);
  End(RunState::kCancelled);
  EXPECT_EQ(Sent(), 0);
}

}  // namespace
}  // namespace dxt
