#pragma once
#include <memory>

namespace grpc {
class ServerBuilderOption;
}

namespace dxt {

/// Takes server reflection, which its library adds to every server, out of the one that
/// is built.
std::unique_ptr<grpc::ServerBuilderOption> WithoutReflection();

}  // namespace dxt
