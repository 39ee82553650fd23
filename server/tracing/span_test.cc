#include "server/tracing/span.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "server/tracing/otlp_json.h"

namespace dxt {
namespace {

constexpr char kParent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(Traceparent, IsReadAsW3cWritesIt) {
  const auto context = ParseTraceparent(kParent);
  ASSERT_TRUE(context);
  EXPECT_EQ(ToHex(context->trace), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(ToHex(context->parent), "00f067aa0ba902b7");
  EXPECT_TRUE(context->sampled);
  EXPECT_FALSE(ParseTraceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")
                   ->sampled);
  EXPECT_TRUE(
      ParseTraceparent("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"));
}

TEST(Traceparent, WhatIsNoneIsNone) {
  for (const char* text :
       {"", "00", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x"}) {
    EXPECT_FALSE(ParseTraceparent(text)) << text;
  }
}

TEST(Ids, TheTraceOfARunIsItsUlid) {
  EXPECT_EQ(ToHex(TraceOfRun("00000000000000000000000001")),
            "00000000000000000000000000000001");
  EXPECT_EQ(ToHex(TraceOfRun("7ZZZZZZZZZZZZZZZZZZZZZZZZZ")),
            "ffffffffffffffffffffffffffffffff");
  EXPECT_EQ(ToHex(TraceOfRun("01ARZ3NDEKTSV4RRFFQ69G5FAV")),
            "01563e3ab5d3d6764c61efb99302bd5b");
  EXPECT_NE(TraceOfRun("no ulid"), TraceId{});
  EXPECT_NE(TraceOfRun("no ulid"), TraceOfRun("another"));
}

TEST(Ids, TheSpansOfARunAreTheSameOnEveryCallAndDifferent) {
  EXPECT_EQ(SpanOfRun("a", "x"), SpanOfRun("a", "x"));
  EXPECT_NE(SpanOfRun("a", "x"), SpanOfRun("a", "y"));
  EXPECT_NE(SpanOfRun("a", ""), SpanOfRun("b", ""));
}

TEST(OtlpJson, IsTheJsonEncodingOfTheProtocol) {
  Span span;
  span.trace = TraceOfRun("01ARZ3NDEKTSV4RRFFQ69G5FAV");
  span.id = {1, 2, 3, 4, 5, 6, 7, 8};
  span.name = "load";
  span.kind = SpanKind::kClient;
  span.begin = SpanTime(std::chrono::milliseconds(1795251600123));
  span.end = span.begin - std::chrono::seconds(1);
  span.attributes = {{"rows", int64_t{1} << 60}, {"dry", true}, {"bytes", "\xff"}};
  span.events = {{span.begin, "retry", {{"error.type", "transient"}}}};
  span.error = "it failed";
  const auto json = nlohmann::json::parse(
      ToOtlpJson({{"service.name", "dxtd"}}, "1.2", std::span(&span, 1)));
  const auto& resource = json["resourceSpans"][0];
  EXPECT_EQ(resource["resource"]["attributes"][0]["value"]["stringValue"], "dxtd");
  const auto& written = resource["scopeSpans"][0]["spans"][0];
  EXPECT_EQ(resource["scopeSpans"][0]["scope"]["version"], "1.2");
  EXPECT_EQ(written["traceId"], "01563e3ab5d3d6764c61efb99302bd5b");
  EXPECT_EQ(written["spanId"], "0102030405060708");
  EXPECT_FALSE(written.contains("parentSpanId"));
  EXPECT_EQ(written["kind"], 3);
  EXPECT_EQ(written["startTimeUnixNano"], "1795251600123000000");
  EXPECT_EQ(written["endTimeUnixNano"], "1795251600123000000")
      << "never before its start";
  EXPECT_EQ(written["attributes"][0]["value"]["intValue"], "1152921504606846976");
  EXPECT_EQ(written["attributes"][1]["value"]["boolValue"], true);
  EXPECT_EQ(written["events"][0]["name"], "retry");
  EXPECT_EQ(written["status"]["code"], 2);
  EXPECT_EQ(written["status"]["message"], "it failed");
}

TEST(OtlpJson, AnAnswerMaySayThatSomeAreRejected) {
  EXPECT_EQ(RejectedSpans(R"({"partialSuccess":{"rejectedSpans":"3"}})"), 3);
  EXPECT_EQ(RejectedSpans(R"({"partialSuccess":{"rejectedSpans":2}})"), 2);
  for (const char* text : {"", "{}", "[]", "no", R"({"partialSuccess":{}})",
                           R"({"partialSuccess":{"errorMessage":"slow"}})"}) {
    EXPECT_EQ(RejectedSpans(text), 0) << text;
  }
}

}  // namespace
}  // namespace dxt
