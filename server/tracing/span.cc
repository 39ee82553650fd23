#include "server/tracing/span.h"

#include <algorithm>

#include "base/digest.h"
#include "base/ids.h"

namespace dxt {
namespace {

std::optional<uint8_t> HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return std::nullopt;
}

/// False unless `text` is exactly the lower-case digits of a value that is not zero.
template <size_t N>
bool FromHex(std::string_view text, std::array<uint8_t, N>& bytes) {
  if (text.size() != 2 * N) return false;
  for (size_t i = 0; i < N; ++i) {
    const auto high = HexDigit(text[2 * i]), low = HexDigit(text[2 * i + 1]);
    if (!high || !low) return false;
    bytes[i] = static_cast<uint8_t>(*high << 4 | *low);
  }
  return std::any_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte != 0; });
}

template <size_t N>
std::array<uint8_t, N> DigestOf(const std::string& text) {
  std::array<uint8_t, N> bytes{};
  FromHex(std::string_view(Sha256Hex(text)).substr(0, 2 * N), bytes);
  return bytes;
}

}  // namespace

std::optional<TraceContext> ParseTraceparent(std::string_view text) {
  // 00-<32 digits>-<16 digits>-<2 digits>; later versions may append "-…".
  constexpr size_t kLength = 55;
  if (text.size() < kLength || text[2] != '-' || text[35] != '-' || text[52] != '-') {
    return std::nullopt;
  }
  const std::string_view version = text.substr(0, 2);
  if (!HexDigit(version[0]) || !HexDigit(version[1]) || version == "ff") {
    return std::nullopt;
  }
  if (text.size() > kLength && (version == "00" || text[kLength] != '-')) {
    return std::nullopt;
  }
  TraceContext context;
  const auto high = HexDigit(text[53]), low = HexDigit(text[54]);
  if (!high || !low || !FromHex(text.substr(3, 32), context.trace) ||
      !FromHex(text.substr(36, 16), context.parent)) {
    return std::nullopt;
  }
  context.sampled = (*low & 1) != 0;
  return context;
}

TraceId TraceOfRun(std::string_view run) {
  if (const auto number = UlidBytes(run)) return *number;
  return DigestOf<16>(std::string(run));
}

SpanId SpanOfRun(std::string_view run, std::string_view path) {
  return DigestOf<8>(std::string(run) + "/" + std::string(path));
}

}  // namespace dxt
