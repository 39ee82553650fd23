#pragma once
#include <arrow/status.h>

#include "base/secret.h"
#include "engine/run/result.h"

namespace dxt {

/// The same failure with secrets taken out of every text it carries.
arrow::Status RedactStatus(const arrow::Status& status, const Redactor& redactor);

/// Takes secrets out of every text of a result that did not come from a document's own
/// names. Done before ToJson, so that no replacement can break its syntax.
void RedactResult(RunResult& result, const Redactor& redactor);

}  // namespace dxt
