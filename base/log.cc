#include "base/log.h"

#include <mutex>
#include <string>

#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/error.h"

namespace dxt {
namespace {

constexpr size_t kMostBytes = 10 << 20;
constexpr size_t kKeptFiles = 5;

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "info";
}

class FileLog : public Log {
 public:
  arrow::Status Configure(const LogOptions& options) override {
    std::lock_guard lock(mutex_);
    if (logger_ && options == options_) return arrow::Status::OK();
    // A file is open once, or its rotation would lose lines.
    if (!logger_ || options.file != options_.file) {
      ARROW_ASSIGN_OR_RAISE(logger_, Open(options));
    }
    logger_->set_level(ToSpdlog(options.level));
    options_ = options;
    return arrow::Status::OK();
  }

  void Write(LogLevel level, std::string_view event, std::string_view message,
             std::initializer_list<Field> fields) override {
    std::lock_guard lock(mutex_);
    if (!logger_->should_log(ToSpdlog(level))) return;
    const std::string line = options_.json ? JsonLine(level, event, message, fields)
                                           : TextLine(level, event, message, fields);
    logger_->log(ToSpdlog(level), spdlog::string_view_t(line.data(), line.size()));
  }

 private:
  static std::string JsonLine(LogLevel level, std::string_view event,
                              std::string_view message,
                              std::initializer_list<Field> fields) {
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
                              std::string_view message,
                              std::initializer_list<Field> fields) {
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

  static arrow::Result<std::shared_ptr<spdlog::logger>> Open(const LogOptions& options) {
    try {
      spdlog::sink_ptr sink;
      if (options.file == "-") {
        sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
      } else {
        sink = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
            options.file.string(), kMostBytes, kKeptFiles);
      }
      auto logger = std::make_shared<spdlog::logger>("dxt", std::move(sink));
      logger->set_pattern("%v");
      logger->flush_on(spdlog::level::debug);
      return logger;
    } catch (const spdlog::spdlog_ex& error) {
      return MakeError(
          ErrorClass::kConfig, "log.cannot_open",
          "cannot open the log file " + options.file.string() + ": " + error.what(),
          "Check that its folder can be written");
    }
  }

  std::mutex mutex_;
  LogOptions options_;
  std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace

arrow::Result<std::unique_ptr<Log>> Log::Make(const LogOptions& options) {
  auto log = std::make_unique<FileLog>();
  ARROW_RETURN_NOT_OK(log->Configure(options));
  return log;
}

}  // namespace dxt
