#include "server/tracing/span_exporter.h"

#include <functional>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "server/outgoing/test_receiver.h"

namespace dxt {
namespace {

using outgoing_test::Receiver;
using outgoing_test::Status;
using std::chrono::milliseconds;
using std::chrono::seconds;

class SpanExporterTest : public testing::Test {
 protected:
  SpanExporterTest() {
    options_.delay = milliseconds(1);
    options_.posting.first_delay = milliseconds(1);
    options_.posting.max_delay = milliseconds(5);
  }
  SpanExporter& To(Receiver& receiver) {
    options_.url = receiver.url();
    exporter_ = *SpanExporter::Make(options_, SystemClock(), nullptr);
    return *exporter_;
  }
  static std::vector<Span> Spans(size_t count) {
    std::vector<Span> spans(count);
    for (auto& span : spans) span.name = "a";
    return spans;
  }
  static size_t CountIn(const std::string& request) {
    const auto json = nlohmann::json::parse(request.substr(request.find("\r\n\r\n") + 4));
    return json["resourceSpans"][0]["scopeSpans"][0]["spans"].size();
  }

  SpanExporterOptions options_;
  std::unique_ptr<SpanExporter> exporter_;
};

TEST_F(SpanExporterTest, SpansGoInBatchesWithTheHeadersAsked) {
  Receiver receiver([](int) { return Status("200 OK"); });
  options_.headers = {"Authorization: Bearer token"};
  options_.max_batch = 4;
  options_.delay = seconds(60);
  To(receiver).Export(Spans(3));
  exporter_->Export(Spans(3));
  const std::string request = receiver.Wait(1);
  EXPECT_NE(request.find("Authorization: Bearer token\r\n"), std::string::npos);
  EXPECT_NE(request.find("Content-Type: application/json\r\n"), std::string::npos);
  EXPECT_EQ(CountIn(request), 4u);
  exporter_->Stop(seconds(60));
  EXPECT_EQ(CountIn(receiver.Wait(2)), 2u) << "what waits goes at the end";
  EXPECT_EQ(exporter_->counts().exported, 6);
  EXPECT_EQ(exporter_->counts().dropped, 0);
}

TEST_F(SpanExporterTest, ACollectorThatIsAwayIsTriedAgainAndOneThatRefusesIsNot) {
  Receiver receiver([](int number) {
    return Status(number == 1 ? "503 Service Unavailable" : "200 OK");
  });
  To(receiver).Export(Spans(2));
  receiver.Wait(2);
  exporter_->Stop(seconds(60));
  EXPECT_EQ(exporter_->counts().exported, 2);
  Receiver refusing([](int) { return Status("500 Internal Server Error"); });
  To(refusing).Export(Spans(2));
  exporter_->Stop(seconds(60));
  EXPECT_EQ(refusing.count(), 1u);
  EXPECT_EQ(exporter_->counts().dropped, 2);
}

TEST_F(SpanExporterTest, WhatTheCollectorRejectsIsCounted) {
  const std::string answer = R"({"partialSuccess":{"rejectedSpans":"2"}})";
  Receiver receiver([&](int) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(answer.size()) +
           "\r\nConnection: close\r\n\r\n" + answer;
  });
  To(receiver).Export(Spans(5));
  exporter_->Stop(seconds(60));
  EXPECT_EQ(exporter_->counts().exported, 3);
  EXPECT_EQ(exporter_->counts().dropped, 2);
}

TEST_F(SpanExporterTest, WhatDoesNotFitIsDroppedAndNobodyWaits) {
  Receiver receiver([](int) { return ""; });
  options_.max_waiting = 10;
  options_.max_batch = 5;
  options_.posting.max_waiting = 1;
  options_.posting.timeout = seconds(600);
  To(receiver).Export(Spans(5));
  receiver.Wait(1);
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) exporter_->Export(Spans(10));
  exporter_->Stop(milliseconds(20));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(20));
  EXPECT_EQ(exporter_->counts().dropped, 1005);
  exporter_->Export(Spans(1));
  EXPECT_EQ(exporter_->counts().dropped, 1006);
}

}  // namespace
}  // namespace dxt
