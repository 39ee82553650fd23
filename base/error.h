#pragma once
// Errors are part of the product: what failed, where, why, and the next command to try.
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <arrow/status.h>

namespace dxt {

/// Says what a failure asks of the caller. Retry policy, gRPC status and exit code are
/// pure functions of it and read nothing else.
enum class ErrorClass : uint8_t {
  kConfig,       ///< The user must edit a document or a flag. Never retried.
  kAuth,         ///< A credential was refused. Retried once it has changed.
  kData,         ///< A row or schema broke the contract. Retrying is futile.
  kUnsupported,  ///< Asked for something the connector did not declare.
  kTransient,    ///< The other side may recover. Retried with back-off.
  kThrottled,    ///< As kTransient, but not before `retry_after`.
  kCancelled,    ///< A user or a shutdown asked for it.
  kFenced,       ///< This worker no longer owns the stream. Stop at once.
  kGuard,        ///< A safety guard stopped the run before it changed anything.
  kInternal,     ///< A bug in dxt. Never retried, always reported.
};

/// Rides on every arrow::Status that dxt creates.
struct ErrorInfo {
  ErrorClass error_class = ErrorClass::kInternal;
  std::string code;         ///< Stable and documented, e.g. "pg.permission_denied".
  std::string vendor_code;  ///< SQLSTATE, HTTP status, errno name.
  std::string hint;         ///< The next thing to try; a command where there is one.
  std::string stream;       ///< Stream id, filled in by the engine.
  std::string column;
  std::string key;  ///< The row's key or number as JSON text, e.g. {"id":7}.
  std::optional<std::chrono::milliseconds> retry_after;
  /// A Commit was sent and its answer never came: look with Destination::Resolve,
  /// never repeat.
  bool outcome_unknown = false;
};

/// Makes a failed status that carries `info`. `message` is one sentence without a
/// trailing full stop, and never holds a secret.
arrow::Status MakeError(ErrorInfo info, std::string message);

/// Shorthand for the common case.
arrow::Status MakeError(ErrorClass error_class, std::string_view code,
                        std::string message, std::string hint = {});

/// Returns the attached info; a status without one (a bare Arrow failure) reads as
/// kInternal/"internal", a bare arrow Cancelled as kCancelled, a bare IOError as
/// kTransient/"io".
ErrorInfo GetErrorInfo(const arrow::Status& status);

/// Returns `status` with stream, column, key or hint filled in where they were empty.
arrow::Status Annotate(const arrow::Status& status, const ErrorInfo& more);

/// Puts `prefix` and ": " before the message and keeps the info.
arrow::Status Prefix(const arrow::Status& status, std::string_view prefix);

std::string_view ErrorClassName(ErrorClass error_class);

/// True for kTransient and kThrottled.
bool IsRetryable(ErrorClass error_class);

}  // namespace dxt
