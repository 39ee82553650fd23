#include "client/dxtctl/endpoint.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <grp.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/client_interceptor.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/spelling.h"
#include "client/dxtctl/rpc.h"
#include "client/dxtctl/variables.h"

namespace dxt::ctl {
namespace {

/// The first that is not empty.
std::string FirstOf(std::initializer_list<std::string> values) {
  for (const auto& value : values) {
    if (!value.empty()) return value;
  }
  return {};
}

Result<Context> FindContext(const Contexts& contexts, const std::string& name) {
  const auto found = contexts.all.find(name);
  if (found != contexts.all.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [known, context] : contexts.all) names.push_back(known);
  const std::string nearest = NearestSpelling(name, names);
  return UsageError("There is no context '" + name + "'" +
                        (nearest.empty() ? "" : "; did you mean '" + nearest + "'?"),
                    "`dxtctl context list` shows what there is");
}

/// The context that is chosen, and what chose it; "" = none is.
Result<std::string> ChooseContext(const EndpointFlags& flags, Endpoint& endpoint) {
  const bool by_server = !flags.server.empty();
  const bool by_variable =
      flags.context.empty() && !EnvironmentText("DXT_SERVER").empty();
  if (flags.context.empty() && (by_server || by_variable)) return std::string();
  CTL_ASSIGN(const Contexts contexts, LoadContexts(ContextsPath()));
  const std::string name =
      FirstOf({flags.context, EnvironmentText("DXT_CONTEXT"), contexts.current});
  if (name.empty()) return name;
  CTL_ASSIGN(endpoint.context, FindContext(contexts, name));
  return name;
}

std::string HostOf(const std::string& server) {
  const size_t colon = server.rfind(':');
  std::string host = server.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']'))
    host = host.substr(1, host.size() - 2);
  return host;
}

bool IsLoopback(const std::string& server) {
  const std::string host = HostOf(server);
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

bool IsUnix(const std::string& server) { return server.starts_with("unix:"); }

Result<std::string> ReadSmallFile(const std::string& path, const char* what) {
  std::ifstream file(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (file.bad() || !file || text.empty()) {
    return UsageError(std::string("Cannot read the ") + what + " '" + path +
                          "': " + (file.is_open() ? "it is empty" : std::strerror(errno)),
                      "Check the path and who may read it");
  }
  return text;
}

Result<std::string> ReadToken(const std::string& path) {
  CTL_ASSIGN(std::string token, ReadSmallFile(path, "token file"));
  const auto blank = " \t\r\n";
  token.erase(token.find_last_not_of(blank) + 1);
  token.erase(0, token.find_first_not_of(blank));
  for (const char c : token) {
    if (c <= 0x20 || c >= 0x7F || token.size() > 4096) {
      return UsageError("'" + path + "' does not hold one token on one line",
                        "Write the token alone into the file");
    }
  }
  if (token.empty()) return UsageError("The token file '" + path + "' is empty");
  return token;
}

/// Adds the token to each call, and tells of it where that is asked for.
class CallInterceptor : public grpc::experimental::Interceptor {
 public:
  CallInterceptor(std::string method, std::string token, bool debug)
      : method_(std::move(method)), token_(std::move(token)), debug_(debug) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    using Point = grpc::experimental::InterceptionHookPoints;
    if (!token_.empty() &&
        methods->QueryInterceptionHookPoint(Point::PRE_SEND_INITIAL_METADATA)) {
      methods->GetSendInitialMetadata()->insert({"authorization", "Bearer " + token_});
    }
    if (debug_ && methods->QueryInterceptionHookPoint(Point::POST_RECV_STATUS)) {
      std::fprintf(stderr, "debug: %s %s\n", method_.c_str(),
                   StatusName(*methods->GetRecvStatus()).c_str());
    }
    methods->Proceed();
  }

 private:
  const std::string method_, token_;
  const bool debug_;
};

class InterceptorFactory : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  InterceptorFactory(std::string token, bool debug)
      : token_(std::move(token)), debug_(debug) {}
  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo* info) override {
    return new CallInterceptor(info->method(), token_, debug_);
  }

 private:
  const std::string token_;
  const bool debug_;
};

Result<std::shared_ptr<grpc::ChannelCredentials>> Credentials(const Context& context) {
  const TlsFiles& tls = context.tls;
  if (tls.cert.empty() != tls.key.empty()) {
    return UsageError("A client certificate and its key are named together",
                      "Give both --tls-cert and --tls-key");
  }
  const bool clear =
      IsUnix(context.server) || (IsLoopback(context.server) && tls == TlsFiles{});
  if (clear) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  if (!tls.ca.empty()) {
    CTL_ASSIGN(options.pem_root_certs, ReadSmallFile(tls.ca, "CA file"));
  }
  if (!tls.cert.empty()) {
    CTL_ASSIGN(options.pem_cert_chain, ReadSmallFile(tls.cert, "certificate"));
    CTL_ASSIGN(options.pem_private_key, ReadSmallFile(tls.key, "key"));
  }
  return grpc::SslCredentials(options);
}

grpc::ChannelArguments ChannelSettings(const std::string& server) {
  grpc::ChannelArguments settings;
  settings.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  settings.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  settings.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // An attempt to connect ends after the smallest back-off.
  settings.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5000);
  settings.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  settings.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  if (!IsUnix(server)) {  // A watch notices a connection that died without a word.
    settings.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30000);
    settings.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10000);
  }
  settings.SetMaxReceiveMessageSize(64 << 20);
  return settings;
}

/// The group that may use a unix socket which this process may not use; else "".
std::string ClosedSocketGroup(const std::string& server) {
  if (!server.starts_with("unix:")) return {};
  const std::filesystem::path socket = server.substr(5);
  if (access(socket.c_str(), R_OK | W_OK) == 0 || errno != EACCES) return {};
  struct stat found{};
  if (stat(socket.c_str(), &found) != 0 &&
      stat(socket.parent_path().c_str(), &found) != 0) {
    return {};
  }
  const group* entry = getgrgid(found.st_gid);
  return entry == nullptr ? std::to_string(found.st_gid) : entry->gr_name;
}

}  // namespace

Status CheckServer(const std::string& server) {
  if (IsUnix(server)) {
    if (server.size() > 6 && server[5] == '/') return Done{};
    return UsageError("'" + server + "' names no absolute path",
                      "Write unix:/path/of/the/socket");
  }
  const size_t colon = server.rfind(':');
  const bool port =
      colon != std::string::npos && colon + 1 < server.size() &&
      server.find_first_not_of("0123456789", colon + 1) == std::string::npos;
  if (port && colon > 0 && server.find('/') == std::string::npos) return Done{};
  return UsageError("'" + server + "' is not the address of a dxtd",
                    "Write unix:/path/of/the/socket or host:port");
}

std::string Endpoint::Text() const {
  return context.server + (named_by.empty() ? "" : " (" + named_by + ")");
}

Result<std::optional<Endpoint>> NamedEndpoint(const EndpointFlags& flags) {
  if (flags.local) {
    if (flags.server.empty() && flags.context.empty()) return std::optional<Endpoint>();
    return UsageError("--local and a named daemon exclude each other",
                      "Leave out --local, or --server and --context");
  }
  Endpoint endpoint;
  CTL_ASSIGN(const std::string context, ChooseContext(flags, endpoint));
  Context& chosen = endpoint.context;
  if (!flags.server.empty()) {
    endpoint.named_by = "--server";
    chosen.server = flags.server;
  } else if (!flags.context.empty()) {
    endpoint.named_by = "context '" + context + "'";
  } else if (const auto server = EnvironmentText("DXT_SERVER"); !server.empty()) {
    endpoint.named_by = "DXT_SERVER";
    chosen.server = server;
  } else if (!context.empty()) {
    endpoint.named_by = "context '" + context + "'";
  } else {
    return std::optional<Endpoint>();
  }
  if (chosen.server.empty()) {
    return UsageError("The context '" + context + "' names no server",
                      "dxtctl context set " + context + " --server host:port");
  }
  CTL_RETURN_NOT_OK(CheckServer(chosen.server));
  chosen.tls.ca = FirstOf({flags.tls.ca, EnvironmentText("DXT_TLS_CA"), chosen.tls.ca});
  chosen.tls.cert =
      FirstOf({flags.tls.cert, EnvironmentText("DXT_TLS_CERT"), chosen.tls.cert});
  chosen.tls.key =
      FirstOf({flags.tls.key, EnvironmentText("DXT_TLS_KEY"), chosen.tls.key});
  chosen.token_file =
      FirstOf({flags.token_file, EnvironmentText("DXT_TOKEN_FILE"), chosen.token_file});
  return std::optional<Endpoint>(std::move(endpoint));
}

Result<std::shared_ptr<grpc::Channel>> OpenChannel(const Endpoint& endpoint, bool debug) {
  const Context& context = endpoint.context;
  std::string token;
  if (!context.token_file.empty()) {
    CTL_ASSIGN(token, ReadToken(context.token_file));
  }
  CTL_ASSIGN(const auto credentials, Credentials(context));
  std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>>
      interceptors;
  if (debug || !token.empty()) {
    interceptors.push_back(std::make_unique<InterceptorFactory>(token, debug));
  }
  return grpc::experimental::CreateCustomChannelWithInterceptors(
      context.server, credentials, ChannelSettings(context.server),
      std::move(interceptors));
}

Error Explain(Error error, const Endpoint& endpoint) {
  const std::string where = endpoint.Text();
  if (error.exit_code == kExitNotAuthorized) {
    error.message = "dxtd at " + where + " refused this client: " + error.message;
    if (error.hint.empty()) {
      error.hint =
          endpoint.context.token_file.empty() && endpoint.context.tls.cert.empty()
              ? "Name a token file (--token-file) or a client certificate "
                "(--tls-cert, --tls-key)"
              : "Check the token file or client certificate with whoever runs it";
    }
    return error;
  }
  if (!error.unanswered()) return error;
  if (error.rpc_status == "DEADLINE_EXCEEDED") {
    error.exit_code = kExitNoDaemon;
    error.message = "dxtd at " + where + " did not answer in time";
    error.hint = "`dxtctl doctor` says more";
  } else if (error.rpc_status == "UNIMPLEMENTED") {
    error.message =
        "dxtd at " + where + " does not know this call: it is of another version";
    error.hint = "`dxtctl doctor` shows both versions";
  } else if (const std::string group = ClosedSocketGroup(endpoint.context.server);
             error.rpc_status == "UNAVAILABLE" && !group.empty()) {
    error.exit_code = kExitNotAuthorized;
    error.message = "This user may not use dxtd at " + where +
                    ": its socket is open to the group '" + group + "' alone";
    error.hint = "Have an administrator say `usermod --append --groups " + group +
                 " USER`, and log in again";
  } else if (error.rpc_status == "UNAVAILABLE") {
    error.message = "Cannot reach dxtd at " + where + ": " + error.transport;
    error.hint =
        endpoint.named_by.empty()
            ? "Nothing named a daemon, so this machine's was tried: start it, or "
              "name another with --server, DXT_SERVER or `dxtctl context use`"
            : "Check the address and that dxtd runs there; `dxtctl doctor` "
              "looks further";
  }
  return error;
}

}  // namespace dxt::ctl
