#include "server/tracing/run_traces.h"

#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/error.h"
#include "base/time_text.h"
#include "server/outgoing/test_receiver.h"
#include "server/tracing/span_exporter.h"

namespace dxt {
namespace {

using outgoing_test::Receiver;
using outgoing_test::Status;
using Json = nlohmann::json;
using std::chrono::milliseconds;

constexpr char kRun[] = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
constexpr char kTrace[] = "01563e3ab5d3d6764c61efb99302bd5b";

/// Time that the test moves.
class HandClock : public Clock {
 public:
  std::chrono::system_clock::time_point Now() const override { return now_; }
  std::chrono::steady_clock::time_point Tick() const override { return {}; }
  bool WaitUntil(std::chrono::steady_clock::time_point, std::stop_token) override {
    return true;
  }
  void At(int64_t millis) { now_ = SpanTime(milliseconds(1795251600000 + millis)); }

 private:
  SpanTime now_{};
};

class RunTracesTest : public testing::Test {
 protected:
  RunTracesTest() {
    clock_.At(0);
    run_.id = kRun;
    run_.project = "shop";
    run_.pipeline = "orders";
    run_.created_at = FormatTime(clock_.Now());
    run_.attempt = 1;
    run_.trigger.kind = "SCHEDULE";
    run_.trigger.source = "nightly";
    StreamConfig config;
    config.id = "items";
    config.source = "public.items";
    document_.streams.push_back(config);
  }
  static std::unique_ptr<SpanExporter> To(std::string url) {
    SpanExporterOptions options;
    options.url = std::move(url);
    return *SpanExporter::Make(options, SystemClock(), nullptr);
  }
  void Phase(int64_t at, StreamPhase phase, int attempt = 1) {
    clock_.At(at);
    StreamProgress progress;
    progress.stream = "items";
    progress.phase = phase;
    progress.attempt = attempt;
    traces_.OnProgress(kRun, progress);
  }
  void Start(int64_t at) {
    clock_.At(at);
    traces_.OnStarted(run_, 0);
  }
  void End(int64_t at, arrow::Status error = arrow::Status::OK()) {
    clock_.At(at);
    run_.state = error.ok() ? "SUCCEEDED" : "FAILED";
    RunResult result;
    StreamResult stream;
    stream.id = "items";
    stream.state = error.ok() ? StreamState::kSucceeded : StreamState::kFailed;
    stream.rows_read = 7;
    stream.target = "main.items";
    stream.error = std::move(error);
    result.streams.push_back(std::move(stream));
    traces_.OnEnded(run_, result, document_);
  }
  /// What the collector got.
  std::vector<Json> Spans() {
    exporter_->Stop(std::chrono::seconds(60));
    std::vector<Json> spans;
    for (const auto& request : receiver_.requests()) {
      const auto json = Json::parse(request.substr(request.find("\r\n\r\n") + 4));
      for (const auto& span : json["resourceSpans"][0]["scopeSpans"][0]["spans"]) {
        spans.push_back(span);
      }
    }
    return spans;
  }
  static Json Attribute(const Json& span, const std::string& key) {
    for (const auto& item : span["attributes"]) {
      if (item["key"] == key) return item["value"].begin().value();
    }
    return {};
  }
  /// "name begin-end" in milliseconds since the run was made.
  static std::string Shape(const Json& span) {
    const auto at = [&](const char* key) {
      return std::to_string(std::stoll(span[key].get<std::string>()) / 1000000 -
                            1795251600000);
    };
    return span["name"].get<std::string>() + " " + at("startTimeUnixNano") + "-" +
           at("endTimeUnixNano");
  }
  static std::vector<std::string> Shapes(const std::vector<Json>& spans) {
    std::vector<std::string> shapes;
    for (const auto& span : spans) shapes.push_back(Shape(span));
    return shapes;
  }

  using Texts = std::vector<std::string>;
  Receiver receiver_{[](int) { return Status("200 OK"); }};
  HandClock clock_;
  std::unique_ptr<SpanExporter> exporter_ = To(receiver_.url());
  RunTraces traces_{*exporter_, clock_};
  RunRecord run_;
  PipelineDocument document_;
};

TEST_F(RunTracesTest, ARunIsATraceOfItsQueueAndItsStreamsWork) {
  traces_.OnQueued(run_);
  Start(100);
  Phase(110, StreamPhase::kPlanning);
  Phase(120, StreamPhase::kReading);
  Phase(125, StreamPhase::kReading);
  Phase(140, StreamPhase::kWriting);
  Phase(150, StreamPhase::kReading);
  Phase(160, StreamPhase::kCommitting);
  Phase(170, StreamPhase::kDone);
  End(180);
  const auto spans = Spans();
  EXPECT_EQ(Shapes(spans),
            (Texts{"run shop/orders 0-180", "queue 0-100", "stream items 110-170",
                   "plan 110-120", "extract 120-160", "load 140-160", "commit 160-170"}));
  for (const auto& span : spans) {
    EXPECT_EQ(span["traceId"], kTrace);
    EXPECT_EQ(span["status"]["code"], 1);
  }
  EXPECT_FALSE(spans[0].contains("parentSpanId"));
  EXPECT_EQ(spans[1]["parentSpanId"], spans[0]["spanId"]);
  EXPECT_EQ(spans[2]["parentSpanId"], spans[0]["spanId"]);
  std::set<std::string> ids;
  for (const auto& span : spans) ids.insert(span["spanId"].get<std::string>());
  EXPECT_EQ(ids.size(), spans.size());
  for (size_t i = 3; i < spans.size(); ++i) {
    EXPECT_EQ(spans[i]["parentSpanId"], spans[2]["spanId"]);
  }
  EXPECT_EQ(Attribute(spans[0], "dxt.run.id"), kRun);
  EXPECT_EQ(Attribute(spans[0], "dxt.run.trigger.source"), "nightly");
  EXPECT_EQ(Attribute(spans[2], "dxt.rows.read"), "7");
}

TEST_F(RunTracesTest, APackageIsReadToItsEndBeforeItIsLoaded) {
  Start(0);
  Phase(10, StreamPhase::kPlanning);
  Phase(20, StreamPhase::kReading);
  Phase(30, StreamPhase::kPlanning);
  Phase(40, StreamPhase::kWriting);
  Phase(50, StreamPhase::kCommitting);
  Phase(60, StreamPhase::kDone);
  End(60);
  const auto shapes = Shapes(Spans());
  EXPECT_EQ(
      Texts(shapes.begin() + 3, shapes.end()),
      (Texts{"plan 10-20", "extract 20-30", "plan 30-40", "load 40-50", "commit 50-60"}));
}

TEST_F(RunTracesTest, ARetryIsAnEventAndWhatFailedLastIsInError) {
  Start(0);
  Phase(10, StreamPhase::kPlanning);
  Phase(20, StreamPhase::kReading);
  clock_.At(30);
  traces_.OnRetry(kRun, "items", ErrorClass::kTransient);
  Phase(90, StreamPhase::kPlanning, 2);
  Phase(95, StreamPhase::kReading, 2);
  Phase(99, StreamPhase::kDone, 2);
  End(100, MakeError(ErrorClass::kTransient, "pg.connection", "it hung up"));
  const auto spans = Spans();
  const auto shapes = Shapes(spans);
  EXPECT_EQ(Texts(shapes.begin() + 3, shapes.end()),
            (Texts{"plan 10-20", "extract 20-30", "plan 90-95", "extract 95-99"}));
  EXPECT_EQ(spans[2]["events"][0]["name"], "retry");
  EXPECT_EQ(spans[2]["events"][0]["attributes"][0]["value"]["stringValue"], "transient");
  for (const size_t failed : {0, 2, 6}) {
    EXPECT_EQ(spans[failed]["status"]["code"], 2) << failed;
    EXPECT_EQ(spans[failed]["status"]["message"], "it hung up");
    EXPECT_EQ(Attribute(spans[failed], "error.type"), "pg.connection");
  }
  EXPECT_EQ(spans[4]["status"]["code"], 1);
}

TEST_F(RunTracesTest, TheCallersTraceGoesOnAndItsWishNotToBeSampledHolds) {
  run_.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  traces_.OnQueued(run_);
  Start(0);
  End(10);
  run_.traceparent = "00-5bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
  traces_.OnQueued(run_);
  Start(20);
  End(30);
  const auto spans = Spans();
  ASSERT_EQ(spans.size(), 2u);
  EXPECT_EQ(spans[0]["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(spans[0]["parentSpanId"], "00f067aa0ba902b7");
  EXPECT_EQ(spans[1]["parentSpanId"], spans[0]["spanId"]);
}

TEST_F(RunTracesTest, ARunThatNeverBeganOnlyWaited) {
  traces_.OnQueued(run_);
  End(50);
  EXPECT_EQ(Shapes(Spans()), (Texts{"run shop/orders 0-50", "queue 0-50"}));
}

TEST_F(RunTracesTest, ARunThatGoesOnAfterARestartBeginsThere) {
  run_.attempt = 2;
  Start(5000);
  End(6000);
  EXPECT_EQ(Shapes(Spans()), Texts{"run shop/orders 5000-6000"});
}

}  // namespace
}  // namespace dxt
