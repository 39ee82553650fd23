#include "server/alerts/alert_message.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace dxt {
namespace {

RunResult Result(RunState state, arrow::Status error = arrow::Status::OK()) {
  RunResult result;
  result.project = "shop";
  result.pipeline = "orders";
  result.run = "01RUN";
  result.state = state;
  result.error = std::move(error);
  result.ended_at = "2026-11-21T09:00:00.000Z";
  return result;
}

StreamResult Stream(const std::string& id, arrow::Status error) {
  StreamResult stream;
  stream.id = id;
  stream.error = std::move(error);
  return stream;
}

TEST(AlertMessages, OnlyWhatWentWrongIsAnEvent) {
  EXPECT_TRUE(EventsOf(Result(RunState::kSucceeded)).empty());
  EXPECT_TRUE(EventsOf(Result(RunState::kCancelled)).empty());
  RunResult dry = Result(RunState::kFailed);
  dry.dry_run = true;
  EXPECT_TRUE(EventsOf(dry).empty());
  EXPECT_EQ(EventsOf(Result(RunState::kFailed)),
            std::vector<AlertEvent>{AlertEvent::kFailed});
  EXPECT_EQ(EventsOf(Result(RunState::kPartial)),
            std::vector<AlertEvent>{AlertEvent::kPartial});
}

TEST(AlertMessages, AGuardIsToldBeforeTheFailureThatItIs) {
  RunResult result = Result(RunState::kFailed);
  result.streams.push_back(
      Stream("a", MakeError(ErrorClass::kGuard, "guard.shrink", "too few rows")));
  EXPECT_EQ(EventsOf(result),
            (std::vector<AlertEvent>{AlertEvent::kGuard, AlertEvent::kFailed}));
}

TEST(AlertMessages, ThePayloadSaysWhatHappened) {
  RunResult result = Result(RunState::kPartial);
  result.streams.push_back(Stream("fine", arrow::Status::OK()));
  result.streams.push_back(
      Stream("bad", MakeError(ErrorClass::kAuth, "pg.permission_denied",
                              "no right to read t", "GRANT SELECT ON t")));
  const auto json =
      nlohmann::json::parse(ToWebhookJson(MessageOf(AlertEvent::kPartial, result)));
  EXPECT_EQ(json["text"], "dxt: shop/orders loaded only in part: 1 of 2 streams failed");
  EXPECT_EQ(json["attachments"][0]["color"], "warning");
  EXPECT_EQ(json["attachments"][0]["text"], "bad: no right to read t. GRANT SELECT ON t");
  const auto& payload = json["metadata"]["event_payload"];
  EXPECT_EQ(payload["event"], "partial");
  EXPECT_EQ(payload["code"], "pg.permission_denied");
  EXPECT_EQ(payload["run"], "01RUN");
  EXPECT_EQ(payload["time"], "2026-11-21T09:00:00.000Z");
}

TEST(AlertMessages, RowsThatWereLeftOutAreNoFailedStreams) {
  RunResult result = Result(RunState::kPartial);
  result.streams.push_back(Stream("fine", arrow::Status::OK()));
  result.streams[0].rows_rejected = 3;
  const auto message = MessageOf(AlertEvent::kPartial, result);
  EXPECT_EQ(message.summary, "was loaded, but for 3 rows left out");
  EXPECT_NE(message.detail.find("dxtctl dlq list"), std::string::npos);
}

TEST(AlertMessages, TextCannotMentionOrLinkAndStaysShort) {
  const auto message = MessageOf(
      AlertEvent::kFailed,
      Result(RunState::kFailed, MakeError(ErrorClass::kData, "x.y",
                                          "<!channel> & " + std::string(5000, 'x'))));
  const auto json = nlohmann::json::parse(ToWebhookJson(message));
  const std::string text = json["attachments"][0]["text"];
  EXPECT_EQ(text.find("&lt;!channel&gt; &amp; x"), 0u);
  EXPECT_LT(text.size(), 1600u);
}

TEST(AlertMessages, BytesThatAreNoTextDoNotBreakThePayload) {
  const auto message =
      MessageOf(AlertEvent::kFailed,
                Result(RunState::kFailed,
                       MakeError(ErrorClass::kData, "x.y", "value \xff\xfe of a row")));
  EXPECT_TRUE(nlohmann::json::accept(ToWebhookJson(message)));
}

}  // namespace
}  // namespace dxt
