#pragma once
#include <chrono>
#include <optional>
#include <string_view>

namespace dxt {

/// Reads RFC 3339 in UTC, as FormatTime (base/clock.h) writes it, with or without a
/// fraction, of which milliseconds count; nullopt for any other text.
std::optional<std::chrono::system_clock::time_point> ParseUtcTime(std::string_view text);

}  // namespace dxt
