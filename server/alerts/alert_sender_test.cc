#include "server/alerts/alert_sender.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/outgoing/test_receiver.h"

namespace dxt {
namespace {

using outgoing_test::Receiver;
using outgoing_test::Status;
using std::chrono::milliseconds;
using std::chrono::seconds;

class Alerts : public testing::Test {
 protected:
  Alerts()
      : folder_(std::filesystem::temp_directory_path() /
                ("dxt-alerts-" + std::to_string(getpid()))) {
    auto log = Log::Make({folder_ / "dxt.log", LogLevel::kDebug, true});
    EXPECT_TRUE(log.ok());
    log_ = std::move(*log);
    options_.first_delay = milliseconds(1);
    options_.max_delay = milliseconds(5);
    options_.timeout = milliseconds(5000);
  }
  ~Alerts() override {
    sender_.reset();
    log_.reset();
    std::error_code error;
    std::filesystem::remove_all(folder_, error);
  }

  AlertSender& Sender() {
    if (!sender_) sender_ = *AlertSender::Make(options_, SystemClock(), log_.get());
    return *sender_;
  }
  static OutgoingAlert To(const std::string& url) {
    return {url, R"({"text":"hello"})", "failed", "shop/orders", "01RUN"};
  }
  /// Waits until `done` holds of the counts.
  void Await(const std::function<bool(const AlertSender::Counts&)>& done) {
    const auto end = std::chrono::steady_clock::now() + seconds(20);
    while (!done(Sender().counts())) {
      ASSERT_LT(std::chrono::steady_clock::now(), end);
      std::this_thread::yield();
    }
  }
  std::string LogText() {
    std::ostringstream text;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      text << std::ifstream(entry.path()).rdbuf();
    }
    return text.str();
  }

  const std::filesystem::path folder_;
  std::unique_ptr<Log> log_;
  AlertSenderOptions options_;
  std::unique_ptr<AlertSender> sender_;
};

TEST_F(Alerts, APostOfJsonArrives) {
  Receiver receiver([](int) { return Status("200 OK"); });
  ASSERT_TRUE(Sender().Send(To(receiver.url())));
  const std::string request = receiver.Wait(1);
  EXPECT_EQ(request.find("POST /services/T000/s3cret HTTP/1.1\r\n"), 0u);
  EXPECT_NE(request.find("Content-Type: application/json\r\n"), std::string::npos);
  EXPECT_NE(request.find("\r\n\r\n{\"text\":\"hello\"}"), std::string::npos);
  Await([](const auto& counts) { return counts.sent == 1; });
}

TEST_F(Alerts, AReceiverThatFailsTwiceIsTriedThreeTimes) {
  Receiver receiver([](int number) {
    return number <= 2 ? Status("503 Service Unavailable") : Status("204 No Content");
  });
  ASSERT_TRUE(Sender().Send(To(receiver.url())));
  receiver.Wait(3);
  Await([](const auto& counts) { return counts.sent == 1; });
  EXPECT_EQ(Sender().counts().retried, 2);
  EXPECT_EQ(Sender().counts().failed, 0);
}

TEST_F(Alerts, AReceiverThatHangsIsLeftAndTriedAgain) {
  options_.timeout = milliseconds(100);
  Receiver receiver([](int number) { return number == 1 ? "" : Status("200 OK"); });
  ASSERT_TRUE(Sender().Send(To(receiver.url())));
  receiver.Wait(2);
  Await([](const auto& counts) { return counts.sent == 1; });
}

TEST_F(Alerts, AReceiverThatHangsHoldsUpNoOther) {
  Receiver stuck([](int) { return ""; });
  Receiver good([](int) { return Status("200 OK"); });
  ASSERT_TRUE(Sender().Send(To(stuck.url())));
  stuck.Wait(1);
  ASSERT_TRUE(Sender().Send(To(good.url())));
  good.Wait(1);
  Await([](const auto& counts) { return counts.sent == 1; });
}

TEST_F(Alerts, ARefusedConnectionIsGivenUpInTheEnd) {
  std::string url;
  {
    Receiver gone([](int) { return ""; });
    url = gone.url();
  }
  options_.attempts = 4;
  ASSERT_TRUE(Sender().Send(To(url)));
  Await([](const auto& counts) { return counts.failed == 1; });
  EXPECT_EQ(Sender().counts().retried, 3);
}

TEST_F(Alerts, AnAnswerThatWillNotChangeIsFinal) {
  Receiver receiver([](int) { return Status("404 Not Found"); });
  ASSERT_TRUE(Sender().Send(To(receiver.url())));
  Await([](const auto& counts) { return counts.failed == 1; });
  EXPECT_EQ(receiver.count(), 1u);
  EXPECT_EQ(Sender().counts().retried, 0);
}

TEST_F(Alerts, ARedirectIsNotFollowed) {
  Receiver inside([](int) { return Status("200 OK"); });
  Receiver receiver([&](int) {
    return Status("307 Temporary Redirect", "Location: " + inside.url() + "\r\n");
  });
  ASSERT_TRUE(Sender().Send(To(receiver.url())));
  Await([](const auto& counts) { return counts.failed == 1; });
  EXPECT_EQ(inside.count(), 0u);
}

TEST_F(Alerts, OtherProtocolsAreNotSpoken) {
  ASSERT_TRUE(Sender().Send(To("file:///etc/passwd")));
  Await([](const auto& counts) { return counts.failed == 1; });
}

TEST_F(Alerts, RetryAfterIsObeyedUpToTheLongestDelay) {
  options_.max_delay = milliseconds(50);
  Receiver receiver([](int number) {
    return number == 1 ? Status("429 Too Many Requests", "Retry-After: 3600\r\n")
                       : Status("200 OK");
  });
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(Sender().Send(To(receiver.url())));
  receiver.Wait(2);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(50));
  Await([](const auto& counts) { return counts.sent == 1; });
}

TEST_F(Alerts, AFullQueueRefusesAndCounts) {
  options_.max_waiting = 3;
  Receiver receiver([](int) { return ""; });
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Sender().Send(To(receiver.url())));
  EXPECT_FALSE(Sender().Send(To(receiver.url())));
  EXPECT_EQ(Sender().counts().dropped, 1);
}

TEST_F(Alerts, StoppingLetsASentAlertBeAnswered) {
  Receiver receiver([](int) { return Status("200 OK"); });
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Sender().Send(To(receiver.url())));
  Sender().Stop(seconds(20));
  EXPECT_EQ(Sender().counts().sent, 20);
  EXPECT_FALSE(Sender().Send(To(receiver.url())));
}

TEST_F(Alerts, StoppingDoesNotWaitForAReceiverThatHangs) {
  options_.timeout = seconds(600);
  Receiver receiver([](int) { return ""; });
  ASSERT_TRUE(Sender().Send(To(receiver.url())));
  receiver.Wait(1);
  const auto begin = std::chrono::steady_clock::now();
  Sender().Stop(milliseconds(20));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(20));
  EXPECT_EQ(Sender().counts().dropped, 1);
}

TEST_F(Alerts, TheLogNamesTheHostAndNeverTheUrl) {
  options_.attempts = 2;
  Receiver receiver([](int number) {
    return number == 1 ? Status("500 No") : Status("403 Forbidden");
  });
  ASSERT_TRUE(Sender().Send(To(receiver.url())));
  Await([](const auto& counts) { return counts.failed == 1; });
  sender_.reset();
  log_.reset();
  const std::string text = LogText();
  EXPECT_NE(text.find("alert_retry"), std::string::npos);
  EXPECT_NE(text.find("alert_failed"), std::string::npos);
  EXPECT_NE(text.find("127.0.0.1"), std::string::npos);
  EXPECT_EQ(text.find("s3cret"), std::string::npos);
}

}  // namespace
}  // namespace dxt
