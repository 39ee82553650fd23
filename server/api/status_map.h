#pragma once
// Errors at the gRPC edge. No other file makes a grpc::Status of a failure.
#include <string>
#include <vector>

#include <arrow/status.h>
#include <grpcpp/support/status.h>

#include "base/secret.h"
#include "engine/plan/documents.h"

namespace dxt {

/// "pg.permission_denied" -> "PG_PERMISSION_DENIED".
std::string ReasonOfCode(const std::string& code);

/// OK stays OK; an error gets the canonical code of its class and an ErrorInfo.
grpc::Status ToGrpc(const arrow::Status& status, const Redactor& redactor = {});

/// Refused documents: INVALID_ARGUMENT with a ProblemList.
grpc::Status ProblemsToGrpc(const std::vector<Problem>& problems,
                            const Redactor& redactor);

/// A failure that begins at this edge: names, versions, draining. With `field`, a
/// BadRequest detail names that field of the request.
grpc::Status ApiError(grpc::StatusCode code, const std::string& dxt_code,
                      const std::string& message, const std::string& hint = {},
                      const std::string& field = {});

}  // namespace dxt
