#include "client/dxtctl/rpc.h"

#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <grpcpp/grpcpp.h>
#include <nlohmann/json.hpp>

#include "dxt/v1/document.pb.h"

namespace dxt::ctl {
namespace {

std::string LevelName(v1::Problem::Level level) {
  return level == v1::Problem::WARNING ? "warning" : "error";
}

template <typename Message>
bool FindDetail(const google::rpc::Status& status, Message& message) {
  for (const auto& detail : status.details()) {
    if (detail.Is<Message>() && detail.UnpackTo(&message)) return true;
  }
  return false;
}

google::rpc::Status DetailsOf(const grpc::Status& status) {
  google::rpc::Status details;
  details.ParseFromString(status.error_details());
  return details;
}

int ExitCodeOf(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::FAILED_PRECONDITION:
    case grpc::StatusCode::NOT_FOUND:
    case grpc::StatusCode::ALREADY_EXISTS:
    case grpc::StatusCode::OUT_OF_RANGE:
      return kExitUsage;
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::PERMISSION_DENIED:
      return kExitNotAuthorized;
    case grpc::StatusCode::CANCELLED:
      return kExitCancelled;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return kExitTimedOut;
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::UNIMPLEMENTED:
      return kExitNoDaemon;
    default:
      return kExitFailed;
  }
}

}  // namespace

int ExitCodeOfClass(const std::string& error_class) {
  if (error_class == "config" || error_class == "unsupported") return kExitUsage;
  if (error_class == "guard") return kExitGuard;
  if (error_class == "cancelled") return kExitCancelled;
  return kExitFailed;
}

std::string StatusName(const grpc::Status& status) {
  static constexpr const char* kNames[] = {"OK",
                                           "CANCELLED",
                                           "UNKNOWN",
                                           "INVALID_ARGUMENT",
                                           "DEADLINE_EXCEEDED",
                                           "NOT_FOUND",
                                           "ALREADY_EXISTS",
                                           "PERMISSION_DENIED",
                                           "RESOURCE_EXHAUSTED",
                                           "FAILED_PRECONDITION",
                                           "ABORTED",
                                           "OUT_OF_RANGE",
                                           "UNIMPLEMENTED",
                                           "INTERNAL",
                                           "UNAVAILABLE",
                                           "DATA_LOSS",
                                           "UNAUTHENTICATED"};
  const auto code = static_cast<size_t>(status.error_code());
  return code < std::size(kNames) ? kNames[code] : "UNKNOWN";
}

std::string ProblemText(const v1::Problem& problem) {
  std::string text = problem.file();
  if (problem.line() > 0) {
    text += ":" + std::to_string(problem.line()) + ":" + std::to_string(problem.column());
  }
  if (!text.empty()) text += ": ";
  text += LevelName(problem.level()) + ": ";
  if (!problem.path().empty()) text += problem.path() + ": ";
  text += problem.message();
  if (!problem.suggestion().empty()) text += " (" + problem.suggestion() + ")";
  return text;
}

std::string ProblemsJson(
    const google::protobuf::RepeatedPtrField<v1::Problem>& problems) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& problem : problems) {
    list.push_back({{"level", LevelName(problem.level())},
                    {"file", problem.file()},
                    {"line", problem.line()},
                    {"column", problem.column()},
                    {"path", problem.path()},
                    {"code", problem.code()},
                    {"message", problem.message()},
                    {"suggestion", problem.suggestion()}});
  }
  const nlohmann::ordered_json document = {{"schema", "dxt.problems/1"},
                                           {"problems", list}};
  return document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Error ErrorOf(const grpc::Status& status) {
  Error error;
  error.exit_code = ExitCodeOf(status);
  error.message = status.error_message();
  error.rpc_status = StatusName(status);
  const auto details = DetailsOf(status);
  google::rpc::ErrorInfo info;
  if (FindDetail(details, info)) {
    const auto value = [&](const char* key) {
      const auto found = info.metadata().find(key);
      return found == info.metadata().end() ? std::string() : found->second;
    };
    // Whether this client may come in is no question of an error class.
    if (!value("class").empty() && error.exit_code != kExitNotAuthorized &&
        info.reason() != "SERVER_DRAINING") {
      error.exit_code = ExitCodeOfClass(value("class"));
    }
    error.reason = info.reason();
    error.code = value("code");
    error.hint = value("hint");
    error.stream = value("stream");
  } else {
    error.transport = status.error_message();
  }
  if (error.unanswered() && error.exit_code == kExitNoDaemon) {
    error.message = "dxtd went away: " + error.message;
    error.hint =
        "Its log is logs/dxt.log in the state folder; run the command again to go on";
  }
  v1::ProblemList problems;
  if (FindDetail(details, problems)) {
    error.problems_json = ProblemsJson(problems.problems());
    for (const auto& problem : problems.problems()) {
      error.problems_text += ProblemText(problem) + "\n";
    }
  }
  return error;
}

}  // namespace dxt::ctl
