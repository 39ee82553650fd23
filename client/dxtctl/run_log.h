#pragma once
#include <fstream>
#include <string>

#include "client/dxtctl/invocation.h"

namespace dxt::v1 {
class LogLine;
}

namespace dxt::ctl {

class ProgressLines;

/// "2026-11-21T09:00:00Z info load_committed [orders] …", or a JSON object.
std::string LogLineText(const google::protobuf::Timestamp& time, const v1::LogLine& line,
                        bool json);

/// Log lines of a run: to stderr with -v, to --log-file where one is named.
class RunLog {
 public:
  static Result<RunLog> Open(const GlobalOptions& options);
  void Write(const google::protobuf::Timestamp& time, const v1::LogLine& line,
             ProgressLines& progress);

 private:
  explicit RunLog(const GlobalOptions& options)
      : verbose_(options.verbose), json_(options.log_format == "json") {}

  int verbose_;
  bool json_;
  std::ofstream file_;
};

}  // namespace dxt::ctl
