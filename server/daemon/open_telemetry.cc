#include "server/daemon/open_telemetry.h"

#include <cctype>
#include <initializer_list>
#include <sstream>

#include "base/percent.h"
#include "engine/plan/checker.h"

namespace dxt {
namespace {

using Environment = std::map<std::string, std::string>;

constexpr char kTracesEndpoint[] = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";

/// The first of these variables that says something.
std::optional<StandardValue> First(std::initializer_list<const char*> names,
                                   const Environment& environment) {
  for (const char* name : names) {
    const auto found = environment.find(name);
    if (found != environment.end() && !found->second.empty()) {
      return StandardValue{name, found->second};
    }
  }
  return std::nullopt;
}

bool Says(const char* name, const char* value, const Environment& environment) {
  const auto found = environment.find(name);
  return found != environment.end() && found->second == value;
}

std::string Trimmed(std::string_view text) {
  const auto space = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  return std::string(text);
}

/// Nothing that would end a header's line.
bool Plain(const std::string& text) {
  for (const char c : text) {
    if (std::iscntrl(static_cast<unsigned char>(c))) return false;
  }
  return true;
}

}  // namespace

std::optional<StandardValue> FromOpenTelemetry(std::string_view path,
                                               const Environment& environment) {
  if (path == "otel.service_name") return First({"OTEL_SERVICE_NAME"}, environment);
  if (path != "otel.endpoint" || Says("OTEL_SDK_DISABLED", "true", environment) ||
      Says("OTEL_TRACES_EXPORTER", "none", environment)) {
    return std::nullopt;
  }
  return First({kTracesEndpoint, "OTEL_EXPORTER_OTLP_ENDPOINT"}, environment);
}

std::string TracesUrl(std::string endpoint, std::string_view source) {
  constexpr std::string_view kPath = "/v1/traces";
  if (endpoint.empty() || source == kTracesEndpoint || endpoint.ends_with(kPath)) {
    return endpoint;
  }
  while (endpoint.ends_with('/')) endpoint.pop_back();
  return endpoint.append(kPath);
}

std::map<std::string, std::string> StandardPairs(std::string_view which,
                                                 const Environment& environment,
                                                 ProblemList& problems) {
  const auto listed =
      which == "HEADERS"
          ? First({"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"},
                  environment)
          : First({"OTEL_RESOURCE_ATTRIBUTES"}, environment);
  std::map<std::string, std::string> pairs;
  if (!listed) return pairs;
  std::istringstream stream(listed->value);
  for (std::string item; std::getline(stream, item, ',');) {
    const size_t equals = item.find('=');
    const std::string name = Trimmed(item.substr(0, equals));
    if (name.empty() && equals == std::string::npos) continue;
    const std::string value = equals == std::string::npos
                                  ? std::string()
                                  : PercentDecoded(Trimmed(item.substr(equals + 1)));
    if (equals == std::string::npos || name.empty() || !Plain(name) || !Plain(value) ||
        name.find_first_of(": ") != std::string::npos) {
      problems.Warn({listed->name, 0, 0}, listed->name, "config.wrong_type",
                    "an item of it is not NAME=VALUE and counts for nothing");
      continue;
    }
    pairs[name] = value;
  }
  return pairs;
}

}  // namespace dxt
