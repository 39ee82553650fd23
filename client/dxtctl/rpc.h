#pragma once
// The statuses of gRPC, as errors for people.
#include <string>

#include "client/dxtctl/result.h"

namespace grpc {
class Status;
}

namespace google::protobuf {
template <typename T>
class RepeatedPtrField;
}

namespace dxt::v1 {
class Problem;
}

namespace dxt::ctl {

/// "file:line:column: error: path: message (suggestion)"
std::string ProblemText(const v1::Problem& problem);

/// dxt.problems/1
std::string ProblemsJson(const google::protobuf::RepeatedPtrField<v1::Problem>& problems);

/// What a failed call means to its caller: message, hint and exit code.
Error ErrorOf(const grpc::Status& status);

/// gRPC's name of a status: "OK", "NOT_FOUND", …
std::string StatusName(const grpc::Status& status);

/// The exit code of a failed verb, by the engine's name of the error class.
int ExitCodeOfClass(const std::string& error_class);

}  // namespace dxt::ctl
