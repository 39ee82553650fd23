#include "client/dxtctl/run_log.h"

#include <cstdio>

#include <google/protobuf/util/time_util.h>
#include <nlohmann/json.hpp>

#include "client/dxtctl/output.h"
#include "client/dxtctl/progress.h"
#include "dxt/v1/run_service.pb.h"

namespace dxt::ctl {
namespace {

std::string SeverityName(v1::LogLine::Severity severity) {
  switch (severity) {
    case v1::LogLine::DEBUG:
      return "debug";
    case v1::LogLine::WARNING:
      return "warning";
    case v1::LogLine::ERROR:
      return "error";
    default:
      return "info";
  }
}

}  // namespace

std::string LogLineText(const google::protobuf::Timestamp& time, const v1::LogLine& line,
                        bool json) {
  const std::string at = google::protobuf::util::TimeUtil::ToString(time);
  if (json) {
    nlohmann::ordered_json object = {
        {"time", at}, {"level", SeverityName(line.severity())}, {"event", line.event()}};
    if (!line.stream().empty()) object["stream"] = line.stream();
    object["message"] = line.message();
    return ToJson(object);
  }
  std::string text = at + " " + SeverityName(line.severity()) + " " + line.event();
  if (!line.stream().empty()) text += " [" + line.stream() + "]";
  if (!line.message().empty()) text += " " + Printable(line.message());
  return text;
}

Result<RunLog> RunLog::Open(const GlobalOptions& options) {
  RunLog log(options);
  if (!options.log_file.empty()) {
    log.file_.open(options.log_file, std::ios::app);
    if (!log.file_)
      return UsageError("Cannot write the log file '" + options.log_file + "'");
  }
  return log;
}

void RunLog::Write(const google::protobuf::Timestamp& time, const v1::LogLine& line,
                   ProgressLines& progress) {
  const std::string text = LogLineText(time, line, json_);
  if (file_.is_open()) file_ << text << std::endl;
  const bool shown =
      verbose_ > 1 || (verbose_ == 1 && line.severity() != v1::LogLine::DEBUG);
  if (!shown) return;
  progress.Clear();
  std::fprintf(stderr, "%s\n", text.c_str());
}

}  // namespace dxt::ctl
