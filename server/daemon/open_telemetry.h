#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace dxt {

class ProblemList;

/// A variable of the environment, as
/// https://opentelemetry.io/docs/specs/otel/protocol/exporter/ names them.
struct StandardValue {
  std::string name, value;
};

/// What a standard variable says of `otel.endpoint` or `otel.service_name`; nullopt where
/// none does, and for all other keys. The variables of traces alone win over those of all
/// signals; OTEL_SDK_DISABLED and OTEL_TRACES_EXPORTER=none leave no endpoint.
std::optional<StandardValue> FromOpenTelemetry(
    std::string_view path, const std::map<std::string, std::string>& environment);

/// Where traces go: below `endpoint`, or exactly there when `source` is the variable of
/// traces alone. "" for "".
std::string TracesUrl(std::string endpoint, std::string_view source);

/// The pairs of a list `name=value,…` with percent-encoded values: "HEADERS" of the
/// exporter, or "RESOURCE_ATTRIBUTES". Reports what is no pair, and never a value.
std::map<std::string, std::string> StandardPairs(
    std::string_view which, const std::map<std::string, std::string>& environment,
    ProblemList& problems);

}  // namespace dxt
