#include "server/scheduler/redaction.h"

#include "base/error.h"

namespace dxt {

arrow::Status RedactStatus(const arrow::Status& status, const Redactor& redactor) {
  if (status.ok() || redactor.empty()) return status;
  ErrorInfo info = GetErrorInfo(status);
  info.hint = redactor.Redact(info.hint);
  info.column = redactor.Redact(info.column);
  info.key = redactor.Redact(info.key);
  return MakeError(std::move(info), redactor.Redact(status.message()));
}

void RedactResult(RunResult& result, const Redactor& redactor) {
  if (redactor.empty()) return;
  const auto redact = [&](std::string& text) { text = redactor.Redact(text); };
  result.error = RedactStatus(result.error, redactor);
  for (auto& stream : result.streams) {
    stream.error = RedactStatus(stream.error, redactor);
    redact(stream.target);
    redact(stream.query);
    redact(stream.strategy_reason);
    for (auto& warning : stream.warnings) redact(warning.message);
    for (auto& change : stream.schema_changes) redact(change);
    for (auto& statement : stream.ddl) redact(statement);
    for (auto& column : stream.columns) {
      redact(column.source);
      redact(column.reason);
    }
  }
}

}  // namespace dxt
