#pragma once
// Log of a process. The engine does not include this: it tells an Observer.
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <utility>

#include <arrow/result.h>

namespace dxt {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError };

struct LogOptions {
  /// Its folder is made; rotated at 10 MiB, five are kept. "-" = stderr.
  std::filesystem::path file;
  LogLevel level = LogLevel::kInfo;
  bool json = true;  ///< One object a line; else text for people.
  bool operator==(const LogOptions&) const = default;
};

/// Appends events to a log file. Safe from any thread; never fails: a line that cannot be
/// written is lost. Texts are redacted by the caller.
class Log {
 public:
  using Field = std::pair<std::string_view, std::string_view>;

  static arrow::Result<std::unique_ptr<Log>> Make(const LogOptions& options);
  virtual ~Log() = default;
  /// Goes on in another file, level or form; equal options change nothing. On failure the
  /// log stays as it was.
  virtual arrow::Status Configure(const LogOptions& options) = 0;
  /// `event` is a stable snake_case name; fields with an empty value are left out.
  virtual void Write(LogLevel level, std::string_view event, std::string_view message,
                     std::initializer_list<Field> fields = {}) = 0;
};

}  // namespace dxt
