#include "server/tracing/otlp_json.h"

#include <algorithm>
#include <cstdlib>

#include <nlohmann/json.hpp>

namespace dxt {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kStatusOk = 1, kStatusError = 2;

std::string Nanoseconds(SpanTime time) {
  return std::to_string(
      std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch())
          .count());
}

Json Attributes(const SpanAttributes& attributes) {
  Json list = Json::array();
  for (const auto& [key, value] : attributes) {
    Json any;
    if (const auto* text = std::get_if<std::string>(&value)) {
      any["stringValue"] = *text;
    } else if (const auto* number = std::get_if<int64_t>(&value)) {
      any["intValue"] = std::to_string(*number);
    } else {
      any["boolValue"] = std::get<bool>(value);
    }
    list.push_back({{"key", key}, {"value", std::move(any)}});
  }
  return list;
}

Json ToJson(const Span& span) {
  Json json = {{"traceId", ToHex(span.trace)}, {"spanId", ToHex(span.id)}};
  if (span.parent != SpanId{}) json["parentSpanId"] = ToHex(span.parent);
  json["name"] = span.name;
  json["kind"] = static_cast<int>(span.kind);
  json["startTimeUnixNano"] = Nanoseconds(span.begin);
  // A clock that was set back must not make a span of negative length.
  json["endTimeUnixNano"] = Nanoseconds(std::max(span.begin, span.end));
  json["attributes"] = Attributes(span.attributes);
  Json events = Json::array();
  for (const auto& event : span.events) {
    events.push_back({{"timeUnixNano", Nanoseconds(event.at)},
                      {"name", event.name},
                      {"attributes", Attributes(event.attributes)}});
  }
  if (!events.empty()) json["events"] = std::move(events);
  if (span.error) {
    json["status"] = {{"code", kStatusError}, {"message", *span.error}};
  } else {
    json["status"] = {{"code", kStatusOk}};
  }
  return json;
}

}  // namespace

std::string ToOtlpJson(const SpanAttributes& resource, std::string_view version,
                       std::span<const Span> spans) {
  Json list = Json::array();
  for (const Span& span : spans) list.push_back(ToJson(span));
  const Json scope = {{"name", "dxt"}, {"version", version}};
  Json scope_spans = {{"scope", scope}, {"spans", std::move(list)}};
  Json resource_spans = {{"resource", {{"attributes", Attributes(resource)}}},
                         {"scopeSpans", Json::array({std::move(scope_spans)})}};
  const Json body = {{"resourceSpans", Json::array({std::move(resource_spans)})}};
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

int64_t RejectedSpans(const std::string& answer) {
  const auto json = Json::parse(answer, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("partialSuccess")) return 0;
  const auto& partial = json["partialSuccess"];
  if (!partial.is_object() || !partial.contains("rejectedSpans")) return 0;
  const auto& rejected = partial["rejectedSpans"];
  if (rejected.is_number_integer()) return rejected.get<int64_t>();
  if (!rejected.is_string()) return 0;
  return std::strtoll(rejected.get_ref<const std::string&>().c_str(), nullptr, 10);
}

}  // namespace dxt
