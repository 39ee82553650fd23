#pragma once
#include <chrono>
#include <cstdint>
#include <string>

#include "client/dxtctl/result.h"

namespace google::protobuf {
class Timestamp;
}

namespace dxt::ctl {

enum class TimeFormat { kRelative, kLocal, kIso };

/// For tables: "5m ago", "in 2h"; local time; or UTC, RFC 3339. "-" for the zero time.
std::string TimeText(const google::protobuf::Timestamp& time, TimeFormat format);

/// "2026-10-25 02:30:00 +01:00": what clocks show that are so far ahead of UTC.
std::string ClockText(const google::protobuf::Timestamp& time, int64_t ahead_seconds);

/// "2.3s", "5m12s", "3h07m", "2d4h"
std::string DurationText(double seconds);

/// "90s", "15m", "1h30m", "7d" as seconds.
Result<int64_t> ParseDuration(const std::string& text, const std::string& flag);

/// RFC 3339, a date (midnight UTC), or a duration before now, as the former in UTC.
Result<std::string> ParseMoment(const std::string& text, const std::string& flag);

}  // namespace dxt::ctl
