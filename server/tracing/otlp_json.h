#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "server/tracing/span.h"

namespace dxt {

/// The body of an OTLP/HTTP request in the JSON encoding of its ExportTraceServiceRequest
/// (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: ids in hexadecimal,
/// 64-bit numbers as text, enumerations as numbers). `resource` describes this dxtd.
std::string ToOtlpJson(const SpanAttributes& resource, std::string_view version,
                       std::span<const Span> spans);

/// How many spans the receiver says that it rejected (`partialSuccess`); 0 where its
/// answer says nothing of it.
int64_t RejectedSpans(const std::string& answer);

}  // namespace dxt
