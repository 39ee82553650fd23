#pragma once
#include <memory>
#include <string>
#include <thread>

#include "client/dxtctl/json_path.h"

namespace dxt::ctl {

/// While it lives, each JSON document that is printed on stdout (a line) is replaced by
/// what a template picks out of it; other lines go through as they are.
class JsonPathOutput {
 public:
  static Result<std::unique_ptr<JsonPathOutput>> Begin(const std::string& text);
  /// Returns when all that was printed has gone out.
  ~JsonPathOutput();
  JsonPathOutput(const JsonPathOutput&) = delete;
  JsonPathOutput& operator=(const JsonPathOutput&) = delete;

 private:
  explicit JsonPathOutput(JsonPath path) : path_(std::move(path)) {}
  void Filter();
  void WriteLine(const std::string& line) const;

  const JsonPath path_;
  int real_ = -1;   ///< Where stdout went.
  int reads_ = -1;  ///< What is printed meanwhile.
  std::thread thread_;
};

}  // namespace dxt::ctl
