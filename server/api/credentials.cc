#include "server/api/credentials.h"

#include <string_view>

#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpcpp/security/server_credentials.h>

#include "server/api/certificates.h"
#include "server/api/tokens.h"

namespace dxt {
namespace {

std::string_view View(const grpc_slice& slice) {
  return {reinterpret_cast<const char*>(GRPC_SLICE_START_PTR(slice)),
          GRPC_SLICE_LENGTH(slice)};
}

/// gRPC's own InsecureServerCredentials takes no authentication, and its Ssl ones no new
/// certificates; both stand on the same core, which takes both.
class ListenerCredentials final : public grpc::ServerCredentials {
 public:
  explicit ListenerCredentials(ListenerRules rules) : rules_(std::move(rules)) {}

  void SetAuthMetadataProcessor(
      const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    grpc_server_credentials* credentials = nullptr;
    if (rules_.certificates) {
      const auto request =
          rules_.certificates->wants_client()
              ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
              : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
      credentials = grpc_ssl_server_credentials_create_with_options(
          grpc_ssl_server_credentials_create_options_using_config_fetcher(
              request, FetchCertificates, this));
    } else {
      credentials = grpc_insecure_server_credentials_create();
    }
    if (credentials == nullptr) return 0;
    if (rules_.tokens) {
      grpc_server_credentials_set_auth_metadata_processor(credentials,
                                                          {Process, nullptr, this});
    }
    const int port = grpc_server_add_http2_port(server, address.c_str(), credentials);
    grpc_server_credentials_release(credentials);
    return port;
  }

  static grpc_ssl_certificate_config_reload_status FetchCertificates(
      void* self, grpc_ssl_server_certificate_config** config) {
    auto* const me = static_cast<ListenerCredentials*>(self);
    const int generation = me->rules_.certificates->generation();
    if (generation == me->given_generation_) {
      return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
    }
    const CertificateTexts texts = me->rules_.certificates->texts();
    const grpc_ssl_pem_key_cert_pair pair{texts.key.c_str(), texts.cert.c_str()};
    // Core wants roots also where no client is asked for a certificate.
    const std::string& roots = texts.client_ca.empty() ? texts.cert : texts.client_ca;
    *config = grpc_ssl_server_certificate_config_create(roots.c_str(), &pair, 1);
    me->given_generation_ = generation;
    return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
  }

  static void Process(void* self, grpc_auth_context* context, const grpc_metadata* items,
                      size_t count, grpc_process_auth_metadata_done_cb done,
                      void* user_data) {
    const ListenerRules& rules = static_cast<ListenerCredentials*>(self)->rules_;
    std::string_view path, authorization;
    for (size_t i = 0; i < count; ++i) {
      const auto key = View(items[i].key);
      if (key == ":path") path = View(items[i].value);
      if (key == "authorization") authorization = View(items[i].value);
    }
    const auto answer = [&](grpc_status_code code, const char* message) {
      done(user_data, nullptr, 0, nullptr, 0, code, message);
    };
    if (path.starts_with("/grpc.health.v1.Health/")) {
      return answer(GRPC_STATUS_OK, nullptr);
    }
    constexpr std::string_view kScheme = "Bearer ";
    if (!authorization.starts_with(kScheme)) {
      return answer(GRPC_STATUS_UNAUTHENTICATED,
                    "this server needs a token: `authorization: Bearer TOKEN`");
    }
    const auto name = rules.tokens->NameOf(authorization.substr(kScheme.size()));
    if (!name) {
      return answer(GRPC_STATUS_UNAUTHENTICATED, "this token is not known here");
    }
    grpc_auth_context_add_cstring_property(context, kPrincipalProperty, name->c_str());
    grpc_auth_context_set_peer_identity_property_name(context, kPrincipalProperty);
    answer(GRPC_STATUS_OK, nullptr);
  }

  const ListenerRules rules_;
  int given_generation_ = 0;  ///< Core calls the fetcher under a lock of its own.
};

}  // namespace

std::shared_ptr<grpc::ServerCredentials> MakeListenerCredentials(ListenerRules rules) {
  return std::make_shared<ListenerCredentials>(std::move(rules));
}

}  // namespace dxt
