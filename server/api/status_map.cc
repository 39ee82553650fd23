#include "server/api/status_map.h"

#include <cctype>
#include <map>
#include <string_view>

#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>

#include "base/error.h"
#include "dxt/v1/document.pb.h"
#include "server/api/convert.h"
#include "server/scheduler/redaction.h"

namespace dxt {
namespace {

grpc::StatusCode CodeOf(const ErrorInfo& info) {
  if (info.code.ends_with(".not_found")) return grpc::StatusCode::NOT_FOUND;
  static const std::map<std::string_view, grpc::StatusCode> by_code = {
      {"definition.owned_by_folder", grpc::StatusCode::FAILED_PRECONDITION},
      {"dependency.exists", grpc::StatusCode::ALREADY_EXISTS},
      {"files.outside_roots", grpc::StatusCode::FAILED_PRECONDITION},
      {"pipeline.in_use", grpc::StatusCode::FAILED_PRECONDITION},
      {"pipeline.paused", grpc::StatusCode::FAILED_PRECONDITION},
      {"project.in_use", grpc::StatusCode::FAILED_PRECONDITION},
      {"run.input_gone", grpc::StatusCode::FAILED_PRECONDITION},
      {"run.not_retryable", grpc::StatusCode::FAILED_PRECONDITION},
      {"run.request_reused", grpc::StatusCode::ALREADY_EXISTS},
      {"schedule.exists", grpc::StatusCode::ALREADY_EXISTS},
      {"server.draining", grpc::StatusCode::UNAVAILABLE},
      {"state.backup_exists", grpc::StatusCode::ALREADY_EXISTS},
      {"state.corrupt", grpc::StatusCode::DATA_LOSS},
      {"state.disk_full", grpc::StatusCode::RESOURCE_EXHAUSTED},
  };
  if (const auto found = by_code.find(info.code); found != by_code.end()) {
    return found->second;
  }
  switch (info.error_class) {
    case ErrorClass::kConfig:
      return grpc::StatusCode::INVALID_ARGUMENT;
    // UNAUTHENTICATED would speak of this client; it is a source or target that refused.
    case ErrorClass::kAuth:
    case ErrorClass::kData:
    case ErrorClass::kUnsupported:
    case ErrorClass::kGuard:
      return grpc::StatusCode::FAILED_PRECONDITION;
    case ErrorClass::kTransient:
      return grpc::StatusCode::UNAVAILABLE;
    case ErrorClass::kThrottled:
      return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case ErrorClass::kCancelled:
      return grpc::StatusCode::CANCELLED;
    case ErrorClass::kFenced:
      return grpc::StatusCode::ABORTED;
    case ErrorClass::kInternal:
      return grpc::StatusCode::INTERNAL;
  }
  return grpc::StatusCode::INTERNAL;
}

google::rpc::ErrorInfo ToProto(const ErrorInfo& info) {
  google::rpc::ErrorInfo proto;
  proto.set_reason(ReasonOfCode(info.code));
  proto.set_domain("dxt.dev");
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) (*proto.mutable_metadata())[key] = value;
  };
  add("class", std::string(ErrorClassName(info.error_class)));
  add("code", info.code);
  add("hint", info.hint);
  add("stream", info.stream);
  add("column", info.column);
  add("key", info.key);
  add("vendor_code", info.vendor_code);
  return proto;
}

grpc::Status WithDetails(grpc::StatusCode code, const std::string& message,
                         google::rpc::Status& details) {
  details.set_code(static_cast<int>(code));
  details.set_message(message);
  return grpc::Status(code, message, details.SerializeAsString());
}

}  // namespace

std::string ReasonOfCode(const std::string& code) {
  std::string reason;
  for (const char c : code) {
    const auto byte = static_cast<unsigned char>(c);
    reason += std::isalnum(byte) ? static_cast<char>(std::toupper(byte)) : '_';
  }
  return reason;
}

grpc::Status ToGrpc(const arrow::Status& failed, const Redactor& redactor) {
  if (failed.ok()) return grpc::Status::OK;
  const auto status = RedactStatus(failed, redactor);
  const ErrorInfo info = GetErrorInfo(status);
  google::rpc::Status details;
  details.add_details()->PackFrom(ToProto(info));
  if (info.retry_after) {
    google::rpc::RetryInfo retry;
    const int64_t millis = info.retry_after->count();
    retry.mutable_retry_delay()->set_seconds(millis / 1000);
    retry.mutable_retry_delay()->set_nanos(static_cast<int32_t>(millis % 1000 * 1000000));
    details.add_details()->PackFrom(retry);
  }
  return WithDetails(CodeOf(info), status.message(), details);
}

grpc::Status ProblemsToGrpc(const std::vector<Problem>& problems,
                            const Redactor& redactor) {
  v1::ProblemList list;
  int errors = 0;
  for (const auto& problem : problems) {
    *list.add_problems() = ToProto(problem, redactor);
    errors += problem.level == Problem::Level::kError;
  }
  ErrorInfo info;
  info.error_class = ErrorClass::kConfig;
  info.code = "document.invalid";
  google::rpc::Status details;
  details.add_details()->PackFrom(ToProto(info));
  details.add_details()->PackFrom(list);
  const std::string message = errors == 1
                                  ? "The documents have an error and nothing was run"
                                  : "The documents have " + std::to_string(errors) +
                                        " errors and nothing was run";
  return WithDetails(grpc::StatusCode::INVALID_ARGUMENT, message, details);
}

grpc::Status ApiError(grpc::StatusCode code, const std::string& dxt_code,
                      const std::string& message, const std::string& hint,
                      const std::string& field) {
  ErrorInfo info;
  info.error_class = ErrorClass::kConfig;
  info.code = dxt_code;
  info.hint = hint;
  google::rpc::Status details;
  details.add_details()->PackFrom(ToProto(info));
  if (!field.empty()) {
    google::rpc::BadRequest request;
    auto* violation = request.add_field_violations();
    violation->set_field(field);
    violation->set_description(message);
    details.add_details()->PackFrom(request);
  }
  return WithDetails(code, message, details);
}

}  // namespace dxt
