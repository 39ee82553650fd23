#include "base/error.h"

#include <utility>

namespace dxt {
namespace {

constexpr char kTypeId[] = "dxt::ErrorDetail";

class ErrorDetail : public arrow::StatusDetail {
 public:
  explicit ErrorDetail(ErrorInfo info) : info_(std::move(info)) {}
  const char* type_id() const override { return kTypeId; }
  std::string ToString() const override { return info_.code; }
  const ErrorInfo& info() const { return info_; }

 private:
  ErrorInfo info_;
};

arrow::StatusCode CodeOf(ErrorClass error_class) {
  switch (error_class) {
    case ErrorClass::kConfig:
    case ErrorClass::kData:
    case ErrorClass::kGuard:
      return arrow::StatusCode::Invalid;
    case ErrorClass::kUnsupported:
      return arrow::StatusCode::NotImplemented;
    case ErrorClass::kCancelled:
      return arrow::StatusCode::Cancelled;
    case ErrorClass::kAuth:
    case ErrorClass::kTransient:
    case ErrorClass::kThrottled:
      return arrow::StatusCode::IOError;
    case ErrorClass::kFenced:
    case ErrorClass::kInternal:
      return arrow::StatusCode::UnknownError;
  }
  return arrow::StatusCode::UnknownError;
}

}  // namespace

arrow::Status MakeError(ErrorInfo info, std::string message) {
  const auto code = CodeOf(info.error_class);
  return arrow::Status(code, std::move(message),
                       std::make_shared<ErrorDetail>(std::move(info)));
}

arrow::Status MakeError(ErrorClass error_class, std::string_view code,
                        std::string message, std::string hint) {
  ErrorInfo info;
  info.error_class = error_class;
  info.code = code;
  info.hint = std::move(hint);
  return MakeError(std::move(info), std::move(message));
}

ErrorInfo GetErrorInfo(const arrow::Status& status) {
  const auto& detail = status.detail();
  if (detail && std::string_view(detail->type_id()) == kTypeId) {
    return static_cast<const ErrorDetail&>(*detail).info();
  }
  ErrorInfo info;
  if (status.IsCancelled()) {
    info.error_class = ErrorClass::kCancelled;
    info.code = "cancelled";
  } else if (status.IsIOError()) {
    info.error_class = ErrorClass::kTransient;
    info.code = "io";
  } else {
    info.code = "internal";
  }
  return info;
}

arrow::Status Annotate(const arrow::Status& status, const ErrorInfo& more) {
  if (status.ok()) return status;
  ErrorInfo info = GetErrorInfo(status);
  if (info.stream.empty()) info.stream = more.stream;
  if (info.column.empty()) info.column = more.column;
  if (info.key.empty()) info.key = more.key;
  if (info.hint.empty()) info.hint = more.hint;
  return MakeError(std::move(info), status.message());
}

arrow::Status Prefix(const arrow::Status& status, std::string_view prefix) {
  if (status.ok()) return status;
  return MakeError(GetErrorInfo(status), std::string(prefix) + ": " + status.message());
}

std::string_view ErrorClassName(ErrorClass error_class) {
  switch (error_class) {
    case ErrorClass::kConfig:
      return "config";
    case ErrorClass::kAuth:
      return "auth";
    case ErrorClass::kData:
      return "data";
    case ErrorClass::kUnsupported:
      return "unsupported";
    case ErrorClass::kTransient:
      return "transient";
    case ErrorClass::kThrottled:
      return "throttled";
    case ErrorClass::kCancelled:
      return "cancelled";
    case ErrorClass::kFenced:
      return "fenced";
    case ErrorClass::kGuard:
      return "guard";
    case ErrorClass::kInternal:
      return "internal";
  }
  return "internal";
}

bool IsRetryable(ErrorClass error_class) {
  return error_class == ErrorClass::kTransient || error_class == ErrorClass::kThrottled;
}

}  // namespace dxt
