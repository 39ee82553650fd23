#include "client/dxtctl/times.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include <google/protobuf/util/time_util.h>

namespace dxt::ctl {
namespace {

using google::protobuf::Timestamp;
using google::protobuf::util::TimeUtil;

std::string Formatted(const char* form, int64_t first, int64_t second) {
  char text[48];
  std::snprintf(text, sizeof text, form, static_cast<long long>(first),
                static_cast<long long>(second));
  return text;
}

/// The one or two largest units: what a person wants to know.
std::string RoughText(int64_t seconds) {
  if (seconds < 60) return std::to_string(seconds) + "s";
  if (seconds < 3600) return std::to_string(seconds / 60) + "m";
  if (seconds < 86400) {
    const int64_t minutes = seconds / 60 % 60;
    return minutes == 0 || seconds >= 36000
               ? std::to_string(seconds / 3600) + "h"
               : Formatted("%lldh%lldm", seconds / 3600, minutes);
  }
  return std::to_string(seconds / 86400) + "d";
}

int64_t UnitSeconds(char unit) {
  switch (unit) {
    case 's':
      return 1;
    case 'm':
      return 60;
    case 'h':
      return 3600;
    case 'd':
      return 86400;
    default:
      return 0;
  }
}

}  // namespace

std::string TimeText(const Timestamp& time, TimeFormat format) {
  if (time.seconds() == 0 && time.nanos() == 0) return "-";
  if (format == TimeFormat::kIso) return TimeUtil::ToString(time);
  if (format == TimeFormat::kLocal) {
    const time_t seconds = time.seconds();
    std::tm parts{};
    localtime_r(&seconds, &parts);
    char text[48];
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %Z", &parts);
    return text;
  }
  const int64_t ago = TimeUtil::GetCurrentTime().seconds() - time.seconds();
  return ago >= 0 ? RoughText(ago) + " ago" : "in " + RoughText(-ago);
}

std::string ClockText(const Timestamp& time, int64_t ahead_seconds) {
  const time_t shown = time.seconds() + ahead_seconds;
  std::tm parts{};
  gmtime_r(&shown, &parts);
  char text[48];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S ", &parts);
  const int64_t minutes = std::abs(ahead_seconds) / 60;
  return text + std::string(ahead_seconds < 0 ? "-" : "+") +
         Formatted("%02lld:%02lld", minutes / 60, minutes % 60);
}

std::string DurationText(double seconds) {
  if (seconds < 60) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1fs", std::max(0.0, seconds));
    return text;
  }
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  if (whole < 3600) return Formatted("%lldm%02llds", whole / 60, whole % 60);
  if (whole < 86400) return Formatted("%lldh%02lldm", whole / 3600, whole / 60 % 60);
  return Formatted("%lldd%lldh", whole / 86400, whole / 3600 % 24);
}

Result<int64_t> ParseDuration(const std::string& text, const std::string& flag) {
  const Error refused =
      UsageError(flag + " takes a duration, not '" + text + "'",
                 "Write a number and s, m, h or d, like 90s, 15m or 1h30m");
  int64_t total = 0, number = 0;
  bool digits = false;
  for (const char c : text) {
    if (c >= '0' && c <= '9' && number < 1'000'000'000) {
      number = number * 10 + (c - '0');
      digits = true;
    } else if (digits && UnitSeconds(c) > 0) {
      total += number * UnitSeconds(c);
      number = 0;
      digits = false;
    } else {
      return refused;
    }
  }
  if (text.empty() || digits || total > int64_t{100} * 366 * 86400) return refused;
  return total;
}

Result<std::string> ParseMoment(const std::string& text, const std::string& flag) {
  Timestamp time;
  if (text.size() == 10 && TimeUtil::FromString(text + "T00:00:00Z", &time))
    return TimeUtil::ToString(time);
  if (TimeUtil::FromString(text, &time)) return TimeUtil::ToString(time);
  if (const auto ago = ParseDuration(text, flag); ago.ok()) {
    return TimeUtil::ToString(TimeUtil::GetCurrentTime() -
                              TimeUtil::SecondsToDuration(*ago));
  }
  return UsageError(flag + " takes a time, not '" + text + "'",
                    "Write 2026-11-21, 2026-11-21T09:00:00Z, or how long ago: 90s, 2h, "
                    "7d");
}

}  // namespace dxt::ctl
