// Who gets in, over real sockets.
#include <cerrno>
#include <cstring>
#include <fstream>

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/client_unary_call.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"
#include "dxt/v1/run_service.grpc.pb.h"
#include "dxt/v1/server_service.grpc.pb.h"
#include "server/api/certificates.h"
#include "server/api/test_certificate.h"
#include "server/api/test_server.h"
#include "server/api/tokens.h"
#include "server/api/unix_listener.h"

namespace dxt {
namespace {

namespace fs = std::filesystem;
constexpr char kToken[] = "0123456789abcdef0123456789abcdef";

class Folder {
 public:
  Folder() {
    char name[] = "/tmp/dxt-listen-XXXXXX";
    path_ = mkdtemp(name);
  }
  ~Folder() { fs::remove_all(path_); }
  fs::path operator/(const char* name) const { return path_ / name; }

 private:
  fs::path path_;
};

std::unique_ptr<grpc::ClientContext> Context(const std::string& authorization = {}) {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  if (!authorization.empty()) context->AddMetadata("authorization", authorization);
  return context;
}

grpc::Status GetInfo(const std::shared_ptr<grpc::Channel>& channel,
                     const std::string& authorization = {}) {
  v1::ServerInfo info;
  return v1::ServerService::NewStub(channel)->GetServerInfo(Context(authorization).get(),
                                                            {}, &info);
}

std::shared_ptr<grpc::Channel> Plain(const std::string& address) {
  return grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
}

std::shared_ptr<grpc::Channel> Tls(const std::string& address, const std::string& roots,
                                   const TestCertificate& client = {}) {
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = roots;
  options.pem_cert_chain = client.cert;
  options.pem_private_key = client.key;
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(address, grpc::SslCredentials(options), arguments);
}

/// Asks the health service as any prober would, by bytes: field 1 of the answer is 1 when
/// it serves.
grpc::Status Health(const std::shared_ptr<grpc::Channel>& channel, std::string& answer,
                    const std::string& service = {}) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  const grpc::internal::RpcMethod method("/grpc.health.v1.Health/Check",
                                         grpc::internal::RpcMethod::NORMAL_RPC);
  grpc::ByteBuffer request, response;
  const grpc::Slice asked(
      service.empty()
          ? service
          : "\x0a" + std::string(1, static_cast<char>(service.size())) + service);
  request = grpc::ByteBuffer(&asked, 1);
  const auto status =
      grpc::internal::BlockingUnaryCall<grpc::ByteBuffer, grpc::ByteBuffer>(
          channel.get(), method, &context, request, &response);
  std::vector<grpc::Slice> slices;
  if (status.ok() && response.Dump(&slices).ok()) {
    for (const auto& slice : slices) {
      answer.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
    }
  }
  return status;
}

ListenOptions TcpWithTokens(const Folder& folder) {
  WriteText(folder / "tokens", std::string("# who\nci:") + kToken +
                                   "\nops:another-token-of-enough-length\n");
  ListenOptions options;
  options.places = {{false, "127.0.0.1:0"}};
  options.tokens = TokenFile::Load(folder / "tokens").ValueOrDie();
  return options;
}

TEST(Listening, ATcpClientNeedsATokenForEverythingButHealth) {
  const Folder folder;
  const TestServer server(TcpWithTokens(folder));
  const auto channel = Plain(server.tcp_address());
  EXPECT_EQ(GetInfo(channel).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(GetInfo(channel, "Bearer wrong-token-wrong-token").error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(GetInfo(channel, kToken).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_TRUE(GetInfo(channel, std::string("Bearer ") + kToken).ok());
  EXPECT_TRUE(GetInfo(channel, "Bearer another-token-of-enough-length").ok());
  v1::Run run;
  EXPECT_EQ(
      v1::RunService::NewStub(channel)->SubmitRun(Context().get(), {}, &run).error_code(),
      grpc::StatusCode::UNAUTHENTICATED);
  const auto watching = Context();
  const auto watch =
      v1::RunService::NewStub(channel)->WatchRun(watching.get(), v1::WatchRunRequest());
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::UNAUTHENTICATED);
  std::string answer;
  EXPECT_TRUE(Health(channel, answer).ok());
  EXPECT_EQ(answer, std::string("\x08\x01"));
}

TEST(Listening, TheUnixSocketAsksItsModeAndNotForATokenBesideATcpPortThatDoes) {
  const Folder folder;
  auto options = TcpWithTokens(folder);
  options.socket_mode = 0620;
  const TestServer server(options);
  EXPECT_TRUE(GetInfo(server.Connect()).ok());
  struct stat info{};
  ASSERT_EQ(stat((server.folder() / "s").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0620u);
}

TEST(Listening, NewTokensHoldAfterAReloadAndABrokenFileKeepsTheOldOnes) {
  const Folder folder;
  const auto options = TcpWithTokens(folder);
  const TestServer server(options);
  const auto channel = Plain(server.tcp_address());
  WriteText(folder / "tokens", "new:a-token-that-was-not-there\n");
  ASSERT_TRUE(options.tokens->Reload().ok());
  EXPECT_FALSE(GetInfo(channel, std::string("Bearer ") + kToken).ok());
  EXPECT_TRUE(GetInfo(channel, "Bearer a-token-that-was-not-there").ok());
  WriteText(folder / "tokens", "short:x\n");
  EXPECT_FALSE(options.tokens->Reload().ok());
  EXPECT_TRUE(GetInfo(channel, "Bearer a-token-that-was-not-there").ok());
}

TEST(Listening, ATokenFileThatOthersMayReadOrThatHoldsNoneIsRefused) {
  const Folder folder;
  WriteText(folder / "tokens", "a:0123456789abcdef\n");
  EXPECT_TRUE(TokenFile::Load(folder / "tokens").ok());
  chmod((folder / "tokens").c_str(), 0644);
  const auto open = TokenFile::Load(folder / "tokens").status();
  EXPECT_EQ(GetErrorInfo(open).code, "server.token_file");
  for (const char* text : {"", "# nothing\n", "no-colon-in-here-at-all\n", "a:short\n",
                           ":0123456789abcdef\n", "a:0123456789 abcdef\n"}) {
    WriteText(folder / "tokens", text);
    EXPECT_FALSE(TokenFile::Load(folder / "tokens").ok()) << text;
  }
  EXPECT_FALSE(TokenFile::Load(folder / "none").ok());
}

TEST(Listening, MutualTlsLetsInWhomTheAuthoritySignedAndNobodyElse) {
  const Folder folder;
  const auto ca = MakeCertificate("ca"), other = MakeCertificate("other");
  const auto own = MakeCertificate("localhost", &ca);
  const auto client = MakeCertificate("client", &ca);
  const auto stranger = MakeCertificate("stranger", &other);
  WriteText(folder / "cert", own.cert);
  WriteText(folder / "key", own.key);
  WriteText(folder / "ca", ca.cert);
  ListenOptions options;
  options.places = {{false, "127.0.0.1:0"}};
  options.certificates =
      Certificates::Load(folder / "cert", folder / "key", folder / "ca").ValueOrDie();
  const TestServer server(options);
  const auto address = server.tcp_address();
  EXPECT_TRUE(GetInfo(Tls(address, ca.cert, client)).ok());
  EXPECT_EQ(GetInfo(Tls(address, ca.cert)).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(GetInfo(Tls(address, ca.cert, stranger)).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(GetInfo(Tls(address, other.cert, client)).error_code(),
            grpc::StatusCode::UNAVAILABLE)
      << "the client does not know this server";
  EXPECT_EQ(GetInfo(Plain(address)).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST(Listening, NewConnectionsSeeReloadedCertificatesAndOldOnesGoOn) {
  const Folder folder;
  const auto ca = MakeCertificate("ca"), next_ca = MakeCertificate("next");
  const auto own = MakeCertificate("localhost", &ca);
  const auto next = MakeCertificate("localhost", &next_ca);
  WriteText(folder / "cert", own.cert);
  WriteText(folder / "key", own.key);
  auto options = TcpWithTokens(folder);
  options.certificates =
      Certificates::Load(folder / "cert", folder / "key", {}).ValueOrDie();
  const TestServer server(options);
  const std::string bearer = std::string("Bearer ") + kToken;
  const auto before = Tls(server.tcp_address(), ca.cert);
  ASSERT_TRUE(GetInfo(before, bearer).ok());
  EXPECT_EQ(GetInfo(before).error_code(), grpc::StatusCode::UNAUTHENTICATED);

  WriteText(folder / "cert", next.cert);
  EXPECT_FALSE(options.certificates->Reload().ok()) << "that is not its key";
  WriteText(folder / "key", next.key);
  ASSERT_TRUE(options.certificates->Reload().ok());
  EXPECT_TRUE(GetInfo(before, bearer).ok());
  EXPECT_TRUE(GetInfo(Tls(server.tcp_address(), next_ca.cert), bearer).ok());
  EXPECT_FALSE(GetInfo(Tls(server.tcp_address(), ca.cert), bearer).ok());
}

TEST(Peers, AreItsUserRootAndMembersOfTheGroup) {
  PeerRules rules;
  rules.owner = 1000;
  rules.group = 50;
  EXPECT_TRUE(rules.Admits({1000, 1, {7}}));
  EXPECT_TRUE(rules.Admits({0, 1, {}}));
  EXPECT_TRUE(rules.Admits({1001, 1, {7, 50}}));
  EXPECT_FALSE(rules.Admits({1001, 1, {7}}));
  rules.group.reset();
  EXPECT_FALSE(rules.Admits({1001, 1, {7, 50}})) << "of a private daemon";
}

TEST(Peers, AreKnownByTheirConnection) {
  PeerTable peers;
  peers.Set(12, 1000);
  EXPECT_EQ(peers.Of("fd:12"), 1000u);
  EXPECT_FALSE(peers.Of("fd:1"));
  EXPECT_FALSE(peers.Of("ipv4:127.0.0.1:12"));
  EXPECT_FALSE(peers.Of("unix:/fd:12"));
}

TEST(Peers, AServerThatEndsLeavesNoSocketBehindAndReplacesAnOldOne) {
  const Folder folder;
  const auto path = folder / "s";
  const auto take = [](int fd, const SocketPeer&) { close(fd); };
  ASSERT_TRUE(UnixListener::Make({path, 0600, ""}, take).ok());
  EXPECT_FALSE(fs::exists(path));
  const int left = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, path.c_str());
  ASSERT_EQ(bind(left, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  close(left);
  EXPECT_TRUE(UnixListener::Make({path, 0600, ""}, take).ok());
  WriteText(path, "no socket");
  const auto refused = UnixListener::Make({path, 0600, ""}, take).status();
  EXPECT_EQ(GetErrorInfo(refused).code, "server.listen");
  EXPECT_TRUE(fs::exists(path)) << "that is somebody's file";
}

/// A connection of this machine, which does what the test says and no more.
class RawConnection {
 public:
  explicit RawConnection(const std::string& address)
      : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const sockaddr_in to = Port(address);
    connected_ = connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
  }
  ~RawConnection() { close(fd_); }
  static sockaddr_in Port(const std::string& address) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int port = std::stoi(address.substr(address.rfind(':') + 1));
    to.sin_port = htons(static_cast<uint16_t>(port));
    return to;
  }
  bool Say(std::string_view bytes) {
    return connected_ &&
           write(fd_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
  }
  /// Reads until the server has hung up; false when it has not after 20 s.
  bool EndsByTheServer() {
    const timeval most{20, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    char bytes[256];
    ssize_t got = 1;
    while (got > 0) got = read(fd_, bytes, sizeof bytes);
    return got == 0 || errno == ECONNRESET;
  }

 private:
  int fd_;
  bool connected_ = false;
};

TEST(Listening, AClientThatNoLongerAnswersIsLetGo) {
  const Folder folder;
  auto options = TcpWithTokens(folder);
  options.keepalive = options.keepalive_patience = std::chrono::milliseconds(100);
  const TestServer server(options);
  RawConnection dead(server.tcp_address());
  // HTTP/2: the preface and empty settings, then nothing more, whatever it is asked.
  ASSERT_TRUE(dead.Say(std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") +
                       std::string("\0\0\0\4\0\0\0\0\0", 9)));
  EXPECT_TRUE(dead.EndsByTheServer());
}

TEST(Listening, AnIdleClientThatAnswersKeepsItsConnection) {
  const Folder folder;
  auto options = TcpWithTokens(folder);
  options.keepalive = std::chrono::milliseconds(50);
  const TestServer server(options);
  const auto channel = Plain(server.tcp_address());
  const std::string bearer = std::string("Bearer ") + kToken;
  ASSERT_TRUE(GetInfo(channel, bearer).ok());
  ASSERT_EQ(channel->GetState(false), GRPC_CHANNEL_READY);
  // Ten times as long as the server waits before it asks.
  EXPECT_FALSE(channel->WaitForStateChange(
      GRPC_CHANNEL_READY,
      std::chrono::system_clock::now() + std::chrono::milliseconds(500)));
  EXPECT_TRUE(GetInfo(channel, bearer).ok());
}

TEST(Listening, NoOtherServerSharesItsAddress) {
  const Folder folder;
  const TestServer server(TcpWithTokens(folder));
  const int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int shares = 1;
  ASSERT_EQ(setsockopt(other, SOL_SOCKET, SO_REUSEPORT, &shares, sizeof shares), 0);
  const sockaddr_in same = RawConnection::Port(server.tcp_address());
  EXPECT_NE(bind(other, reinterpret_cast<const sockaddr*>(&same), sizeof same), 0);
  EXPECT_EQ(errno, EADDRINUSE);
  close(other);
}

TEST(Listening, TooMuchMetadataOrMessageIsRefusedAndTheServerStaysUp) {
  const TestServer server;
  const auto channel = server.Connect();
  auto context = Context();
  context->AddMetadata("x-large", std::string(20 << 10, 'x'));
  v1::ServerInfo info;
  EXPECT_EQ(v1::ServerService::NewStub(channel)
                ->GetServerInfo(context.get(), {}, &info)
                .error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  v1::SubmitRunRequest request;
  request.mutable_documents()->mutable_pipeline()->set_text(std::string(5 << 20, ' '));
  v1::Run run;
  EXPECT_EQ(v1::RunService::NewStub(channel)
                ->SubmitRun(Context().get(), request, &run)
                .error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(GetInfo(channel).ok());
}

TEST(Listening, ADrainingServerSaysSoAndStillAnswers) {
  TestServer server;
  const auto channel = server.Connect();
  std::string answer;
  const std::string services[] = {"", "dxt.v1.RunService", "dxt.v1.ServerService"};
  for (const auto& service : services) {
    answer.clear();
    ASSERT_TRUE(Health(channel, answer, service).ok()) << service;
    EXPECT_EQ(answer, std::string("\x08\x01")) << service;
  }
  EXPECT_EQ(Health(channel, answer, "dxt.v1.None").error_code(),
            grpc::StatusCode::NOT_FOUND);
  server.api().Drain();
  for (const auto& service : services) {
    answer.clear();
    ASSERT_TRUE(Health(channel, answer, service).ok()) << service;
    EXPECT_EQ(answer, std::string("\x08\x02")) << service;
  }
  EXPECT_TRUE(GetInfo(channel).ok());
  v1::Run run;
  v1::SubmitRunRequest request;
  request.mutable_documents()->mutable_pipeline()->set_text("{}");
  EXPECT_EQ(v1::RunService::NewStub(channel)
                ->SubmitRun(Context().get(), request, &run)
                .error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace dxt
