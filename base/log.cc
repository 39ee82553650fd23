#include "base/log.h"

#include <string>

#include <nlohmann/json.hpp>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/spdlog.h>

#include "base/clock.h"
#include "base/error.h"

namespace dxt {
namespace {

constexpr size_t kMostBytes = 10 << 20;
constexpr size_t kKeptFiles = 5;

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return spdlog::level::debug;
    case LogLevel::kInfo: return spdlog::level::info;
    case LogLevel::kWarning: return spdlog::level::warn;
    case LogLevel::kError: return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return "debug";
    case LogLevel::kInfo: return "info";
    case LogLevel::kWarning: return "warning";
    case LogLevel::kError: return "error";
  }
  return "info";
}

class FileLog : public Log {
 public:
  FileLog(std::shared_ptr<spdlog::logger> logger, bool json)
      : logger_(std::move(logger)), json_(json) {}

  void Write(LogLevel level, std::string_view event, std::string_view message,
             std::initializer_list<Field> fields) override {
    if (!logger_->should_log(ToSpdlog(level))) return;
    const std::string line = json_ ? JsonLine(level, event, message, fields)
                                   : TextLine(level, event, message, fields);
    logger_->log(ToSpdlog(level), spdlog::string_view_t(line.data(), line.size()));
  }

 private:
  static std::string JsonLine(LogLevel level, std::string_view event,
                              std::string_view message, std::initializer_list<Field> fields) {
    nlohmann::ordered_json line = {{"time", FormatTime(SystemClock().Now())},
                                   {"level", LevelName(level)},
                                   {"event", event}};
    for (const auto& [name, value] : fields) {
      if (!value.empty()) line[std::string(name)] = value;
    }
    if (!message.empty()) line["message"] = message;
    return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }

  static std::string TextLine(LogLevel level, std::string_view event,
                              std::string_view message, std::initializer_list<Field> fields) {
    std::string line = FormatTime(SystemClock().Now());
    line.append(" ").append(LevelName(level)).append(" ").append(event);
    for (const auto& [name, value] : fields) {
      if (!value.empty()) line.append(" ").append(name).append("=").append(value);
    }
    if (!message.empty()) line.append(" ").append(message);
    // One event is one line, whatever a message holds.
    for (char& c : line) {
      if (c == '\n' || c == '\r') c = ' ';
    }
    return line;
  }

  const std::shared_ptr<spdlog::logger> logger_;
  const bool json_;
};

}  // namespace

arrow::Result<std::unique_ptr<Log>> Log::Make(const LogOptions& options) {
  try {
    auto sink = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
        options.file.string(), kMostBytes, kKeptFiles);
    auto logger = std::make_shared<spdlog::logger>("dxt", std::move(sink));
    logger->set_pattern("%v");
    logger->set_level(ToSpdlog(options.level));
    logger->flush_on(spdlog::level::info);
    return std::make_unique<FileLog>(std::move(logger), options.json);
  } catch (const spdlog::spdlog_ex& error) {
    return MakeError(ErrorClass::kConfig, "log.cannot_open",
                     "cannot open the log file " + options.file.string() + ": " + error.what(),
                     "Check that its folder can be written");
  }
}

}  // namespace dxt
