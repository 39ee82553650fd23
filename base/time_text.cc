#include "base/time_text.h"

#include <cstdio>
#include <ctime>
#include <string>

namespace dxt {

std::optional<std::chrono::system_clock::time_point> ParseUtcTime(std::string_view text) {
  std::tm utc{};
  int read = 0;
  const std::string copy(text);
  if (std::sscanf(copy.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d%n", &utc.tm_year, &utc.tm_mon,
                  &utc.tm_mday, &utc.tm_hour, &utc.tm_min, &utc.tm_sec, &read) != 6) {
    return std::nullopt;
  }
  int64_t millis = 0;
  size_t at = static_cast<size_t>(read);
  if (at < text.size() && text[at] == '.') {
    int digits = 0;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, ++digits) {
      if (digits < 3) millis = millis * 10 + (text[at] - '0');
    }
    if (digits == 0) return std::nullopt;
    for (; digits < 3; ++digits) millis *= 10;
  }
  if (text.substr(at) != "Z") return std::nullopt;
  utc.tm_year -= 1900;
  utc.tm_mon -= 1;
  return std::chrono::system_clock::from_time_t(timegm(&utc)) +
         std::chrono::milliseconds(millis);
}

}  // namespace dxt
