#include <fstream>
#include <iterator>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "client/dxtctl/fake_dxtd.h"
#include "client/dxtctl/invocation.h"
#include "client/dxtctl/resource_server.h"
#include "dxt/v1/project_service.pb.h"

namespace dxt::ctl {
namespace {

/// Without what the machine of the test names.
class EndpointTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"DXT_SERVER", "DXT_CONTEXT", "DXT_TOKEN_FILE", "DXT_TLS_CA",
                             "DXT_TLS_CERT", "DXT_TLS_KEY", "DXT_PROJECT"}) {
      unsetenv(name);
    }
    setenv("XDG_CONFIG_HOME", folder_.path().c_str(), 1);
  }
  void TearDown() override { SetUp(); }

  std::string NameOf(const EndpointFlags& flags) {
    const auto named = NamedEndpoint(flags);
    if (!named.ok()) return "error: " + named.error().message;
    return *named ? (*named)->Text() : "none";
  }
  static EndpointFlags Server(const std::string& server) {
    EndpointFlags flags;
    flags.server = server;
    return flags;
  }
  static EndpointFlags Named(const std::string& context) {
    EndpointFlags flags;
    flags.context = context;
    return flags;
  }
  Status Ask(const EndpointFlags& flags) {
    Invocation invocation;
    invocation.options.endpoint = flags;
    CTL_ASSIGN(const auto server, invocation.Server());
    const auto info = Call<v1::ServerInfo>(server, v1::GetServerInfoRequest());
    if (!info.ok()) return invocation.Explained(info.error());
    return Done{};
  }

  TestFolder folder_;
};

TEST_F(EndpointTest, NothingIsNamedUnlessSomethingNamesIt) {
  EXPECT_EQ(NameOf({}), "none");
}

TEST_F(EndpointTest, AFlagWinsOverTheEnvironmentAndThatOverTheContext) {
  ASSERT_EQ(RunCtl({"context", "set", "one", "--server", "unix:/one"}).exit_code, 0);
  ASSERT_EQ(RunCtl({"context", "set", "two", "--server", "unix:/two"}).exit_code, 0);
  ASSERT_EQ(RunCtl({"context", "use", "one"}).exit_code, 0);
  EXPECT_EQ(NameOf({}), "unix:/one (context 'one')");
  setenv("DXT_CONTEXT", "two", 1);
  EXPECT_EQ(NameOf({}), "unix:/two (context 'two')");
  setenv("DXT_SERVER", "unix:/three", 1);
  EXPECT_EQ(NameOf({}), "unix:/three (DXT_SERVER)");
  EXPECT_EQ(NameOf(Named("one")), "unix:/one (context 'one')");
  EXPECT_EQ(NameOf(Server("unix:/four")), "unix:/four (--server)");
  EndpointFlags local;
  local.local = true;
  EXPECT_EQ(NameOf(local), "none");
}

TEST_F(EndpointTest, AServerNamedOutrightTakesNoTokenOfTheCurrentContext) {
  RunCtl({"context", "set", "one", "--server", "unix:/one", "--token-file", "/secret"});
  RunCtl({"context", "use", "one"});
  EXPECT_EQ((*NamedEndpoint(Server("unix:/other")))->context.token_file, "");
  setenv("DXT_SERVER", "unix:/other", 1);
  EXPECT_EQ((*NamedEndpoint({}))->context.token_file, "");
  EXPECT_EQ((*NamedEndpoint(Named("one")))->context.token_file, "/secret");
}

TEST_F(EndpointTest, AnAddressThatIsNoneIsRefusedWithItsForm) {
  for (const char* address : {"unix:relative", "host", "host:", "http://host:1", ":1"}) {
    EXPECT_EQ(RunCtl({"context", "set", "x", "--server", address}).exit_code, kExitUsage)
        << address;
  }
}

TEST_F(EndpointTest, ContextsAreKeptInAFileOfTheUserAlone) {
  ASSERT_EQ(RunCtl({"context", "set", "prod", "--server", "dxt.example.org:7443",
                    "--tls-ca", "ca.pem", "--project", "shop"})
                .exit_code,
            0);
  struct stat found;
  ASSERT_EQ(stat(ContextsPath().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600u);
  const auto contexts = LoadContexts(ContextsPath());
  ASSERT_TRUE(contexts.ok());
  const Context& prod = contexts->all.at("prod");
  EXPECT_EQ(prod.server, "dxt.example.org:7443");
  EXPECT_EQ(prod.tls.ca, (std::filesystem::current_path() / "ca.pem").string());
  EXPECT_EQ(prod.project, "shop");
  chmod(ContextsPath().c_str(), 0666);
  EXPECT_EQ(RunCtl({"context", "list"}).exit_code, kExitUsage);
}

TEST_F(EndpointTest, AContextFileWithAnUnknownKeyIsRefusedByName) {
  std::filesystem::create_directories(ContextsPath().parent_path());
  std::ofstream(ContextsPath()) << "contexts:\n  prod:\n    sever: unix:/x\n";
  const auto ran = RunCtl({"context", "list"});
  EXPECT_EQ(ran.exit_code, kExitUsage);
  EXPECT_NE(ran.err.find("contexts.prod.sever"), std::string::npos) << ran.err;
}

TEST_F(EndpointTest, ADeletedContextIsNoLongerCurrent) {
  RunCtl({"context", "set", "one", "--server", "unix:/one"});
  RunCtl({"context", "use", "one"});
  EXPECT_EQ(RunCtl({"context", "delete", "one"}).exit_code,
            kExitUsage);  // Nobody to ask.
  EXPECT_EQ(RunCtl({"context", "delete", "one", "--yes"}).exit_code, 0);
  EXPECT_EQ(NameOf({}), "none");
  const auto ran = RunCtl({"connectors", "--context", "one"});
  EXPECT_EQ(ran.exit_code, kExitUsage);
}

TEST_F(EndpointTest, ALocalVerbUsesANamedDaemonAndSaysSoFirst) {
  FakeDxtd dxtd;
  v1::ListConnectorsResponse connectors;
  connectors.add_connectors()->set_name("fake");
  dxtd.rest.Answer("ProjectService.ListConnectors", connectors);
  const auto ran = RunCtl({"connectors", "-o", "name", "--server", dxtd.address()});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.out, "fake\n");
  EXPECT_EQ(ran.err, "Using dxtd at " + dxtd.address() + " (--server)\n");
}

TEST_F(EndpointTest, AnUnreachableDaemonIsExitEightAndSaysWhatWasTried) {
  const auto status = Ask(Server("unix:" + (folder_.path() / "none.sock").string()));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().exit_code, kExitNoDaemon);
  EXPECT_NE(status.error().message.find("none.sock (--server)"), std::string::npos)
      << status.error().message;
  EXPECT_FALSE(status.error().hint.empty());
}

TEST_F(EndpointTest, ARefusedClientIsExitFive) {
  FakeDxtd dxtd;
  dxtd.server_service.answer =
      grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "no token was sent");
  const auto status = Ask(Server(dxtd.address()));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().exit_code, kExitNotAuthorized);
  EXPECT_NE(status.error().hint.find("--token-file"), std::string::npos);
}

TEST_F(EndpointTest, ACallThatTheDaemonLacksIsAnotherVersion) {
  FakeDxtd dxtd;
  dxtd.server_service.answer = grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "");
  const auto status = Ask(Server(dxtd.address()));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().exit_code, kExitNoDaemon);
  EXPECT_NE(status.error().message.find("another version"), std::string::npos);
}

TEST_F(EndpointTest, TheTokenComesFromAFileAndGoesWithTheCall) {
  FakeDxtd dxtd;
  EndpointFlags flags = Server(dxtd.address());
  flags.token_file = folder_.Write("token", "s3cret\n");
  EXPECT_TRUE(Ask(flags).ok());
  EXPECT_EQ(dxtd.server_service.authorization, "Bearer s3cret");
  flags.token_file = folder_.Write("two", "one\ntwo\n");
  EXPECT_EQ(Ask(flags).error().exit_code, kExitUsage);
  flags.token_file = (folder_.path() / "missing").string();
  EXPECT_EQ(Ask(flags).error().exit_code, kExitUsage);
}

TEST_F(EndpointTest, TlsChecksTheDaemonAndShowsTheClientsCertificate) {
  const TestCertificate own = MakeTestCertificate();
  const TestCertificate client = MakeTestCertificate();
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = client.certificate;
  options.pem_key_cert_pairs.push_back({own.key, own.certificate});
  FakeDxtd dxtd(FakeOptions{"localhost:0", grpc::SslServerCredentials(options), false});
  EndpointFlags flags = Server(dxtd.address());
  flags.tls.ca = folder_.Write("ca.pem", own.certificate);
  EXPECT_EQ(Ask(flags).error().exit_code, kExitNoDaemon) << "no client certificate";
  flags.tls.cert = folder_.Write("client.pem", client.certificate);
  EXPECT_EQ(Ask(flags).error().exit_code, kExitUsage) << "no key";
  flags.tls.key = folder_.Write("client.key", client.key);
  const auto status = Ask(flags);
  EXPECT_TRUE(status.ok()) << status.error().message;
  flags.tls.ca = folder_.Write("other.pem", client.certificate);
  EXPECT_EQ(Ask(flags).error().exit_code, kExitNoDaemon) << "another authority";
}

TEST_F(EndpointTest, AMisspeltVerbIsAnsweredWithTheNearest) {
  EXPECT_NE(RunCtl({"contxt"}).err.find("did you mean 'dxtctl context'?"),
            std::string::npos);
  EXPECT_NE(RunCtl({"--color", "never", "context", "lst"})
                .err.find("did you mean 'dxtctl context list'?"),
            std::string::npos);
}

}  // namespace
}  // namespace dxt::ctl
