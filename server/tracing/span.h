#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace dxt {

using TraceId = std::array<uint8_t, 16>;
using SpanId = std::array<uint8_t, 8>;
using SpanTime = std::chrono::system_clock::time_point;
using SpanValue = std::variant<std::string, int64_t, bool>;
using SpanAttributes = std::vector<std::pair<std::string, SpanValue>>;

/// Values of OTLP's SpanKind.
enum class SpanKind : uint8_t { kInternal = 1, kClient = 3 };

struct SpanEvent {
  SpanTime at;
  std::string name;
  SpanAttributes attributes;
};

/// One piece of work, ended. Holds nothing secret.
struct Span {
  TraceId trace{};
  SpanId id{};
  SpanId parent{};  ///< All zero = the trace's first.
  std::string name;
  SpanKind kind = SpanKind::kInternal;
  SpanTime begin, end;
  SpanAttributes attributes;
  std::vector<SpanEvent> events;
  std::optional<std::string> error;  ///< Why it failed; unset = it did not.
};

/// Who called, as W3C Trace Context tells it.
struct TraceContext {
  TraceId trace{};
  SpanId parent{};
  bool sampled = false;
};

/// Reads a `traceparent` header (https://www.w3.org/TR/trace-context/, version 00 and
/// what later ones begin with); nullopt for what is none.
std::optional<TraceContext> ParseTraceparent(std::string_view text);

/// The trace of a run that nobody traced before: its ULID, which has as many bits.
TraceId TraceOfRun(std::string_view run);
/// The span at `path` of a run; the same on every call.
SpanId SpanOfRun(std::string_view run, std::string_view path);

/// Lower-case hexadecimal digits.
template <size_t N>
std::string ToHex(const std::array<uint8_t, N>& bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace dxt
