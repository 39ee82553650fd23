#pragma once
#include <memory>

namespace grpc {
class ServerCredentials;
}

namespace dxt {

class Certificates;
class TokenFile;

/// What a TCP listener asks of its clients.
struct ListenerRules {
  std::shared_ptr<Certificates> certificates;  ///< Null = no TLS.
  std::shared_ptr<TokenFile> tokens;           ///< Null = no token; health needs none.
};

/// Name of the property of a call's authentication context that holds the name beside
/// its token.
inline constexpr char kPrincipalProperty[] = "dxt.principal";

/// Checks calls before any handler or message is looked at: UNAUTHENTICATED without a
/// token where one is asked for. New connections see new certificates at once. Must
/// outlive the server, which does not own them.
std::shared_ptr<grpc::ServerCredentials> MakeListenerCredentials(ListenerRules rules);

}  // namespace dxt
