#pragma once
#include <span>

namespace dxt::ctl {

/// A call of dxt.v1 and the verb that makes it.
struct RpcVerb {
  const char* rpc;   ///< "RunService.SubmitRun"
  const char* verb;  ///< "submit"
};

/// Every call has its verb here; a test holds it to the services' descriptors.
std::span<const RpcVerb> RpcVerbs();

}  // namespace dxt::ctl
