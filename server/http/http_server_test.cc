#include "server/http/http_server.h"

#include <cstdlib>
#include <filesystem>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace dxt {
namespace {

HttpAnswer Answer(std::string_view path) {
  if (path == "/ok") return {200, "text/plain", "fine\n"};
  return {404, "text/plain", "no such page\n"};
}

/// A plain socket: what it sends is what the server gets.
class Client {
 public:
  explicit Client(const std::string& address) {
    if (address.starts_with("unix:")) {
      sockaddr_un to{};
      to.sun_family = AF_UNIX;
      address.copy(to.sun_path, sizeof to.sun_path - 1, 5);
      socket_ = socket(AF_UNIX, SOCK_STREAM, 0);
      connected_ = connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
    } else {
      sockaddr_in to{};
      to.sin_family = AF_INET;
      to.sin_port = htons(std::stoi(address.substr(address.rfind(':') + 1)));
      to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      socket_ = socket(AF_INET, SOCK_STREAM, 0);
      connected_ = connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
    }
    const timeval limit{20, 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  ~Client() { close(socket_); }
  bool connected() const { return connected_; }
  void Send(const std::string& text) const {
    (void)!send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
  }
  /// Until the server closes, or `end` has come.
  std::string Read(const std::string& end = {}) const {
    std::string text;
    char buffer[4096];
    while (end.empty() || text.find(end) == std::string::npos) {
      const ssize_t size = recv(socket_, buffer, sizeof buffer, 0);
      if (size <= 0) break;
      text.append(buffer, size);
    }
    return text;
  }

 private:
  int socket_ = -1;
  bool connected_ = false;
};

std::unique_ptr<HttpServer> Loopback(int most_connections = 64, int idle_seconds = 15) {
  HttpOptions options;
  options.address = "127.0.0.1:0";
  options.most_connections = most_connections;
  options.idle_seconds = idle_seconds;
  return HttpServer::Make(options, Answer).ValueOrDie();
}

std::string Ask(const HttpServer& server, const std::string& text) {
  const Client client(server.address());
  client.Send(text);
  return client.Read();
}

TEST(HttpServer, AnswersGetAndHeadAndKeepsTheConnection) {
  const auto server = Loopback();
  const Client client(server->address());
  client.Send("GET /ok?x=1 HTTP/1.1\r\nHost: x\r\n\r\n");
  const auto first = client.Read("fine\n");
  EXPECT_TRUE(first.starts_with("HTTP/1.1 200 OK\r\n")) << first;
  EXPECT_NE(first.find("Content-Length: 5\r\n"), std::string::npos);
  client.Send("HEAD /ok HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const auto second = client.Read();
  EXPECT_NE(second.find("Content-Length: 5\r\n"), std::string::npos);
  EXPECT_TRUE(second.ends_with("\r\n\r\n")) << second;
}

TEST(HttpServer, ListensOnAUnixSocketWithItsMode) {
  char name[] = "/tmp/dxt-http-XXXXXX";
  const std::filesystem::path folder = mkdtemp(name);
  HttpOptions options;
  options.is_unix = true;
  options.address = folder / "s";
  options.socket_mode = 0640;
  const auto server = HttpServer::Make(options, Answer).ValueOrDie();
  struct stat info{};
  ASSERT_EQ(stat(options.address.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777u, 0640u);
  EXPECT_NE(Ask(*server, "GET /ok HTTP/1.0\r\n\r\n").find("fine"), std::string::npos);
  std::filesystem::remove_all(folder);
}

TEST(HttpServer, RefusesWhatIsNoRequestItKnows) {
  const auto server = Loopback();
  const std::pair<std::string, std::string> cases[] = {
      {"GET /none HTTP/1.1\r\nConnection: close\r\n\r\n", "404"},
      {"DELETE /ok HTTP/1.1\r\nConnection: close\r\n\r\n", "405"},
      {"TRACE /ok HTTP/1.1\r\nConnection: close\r\n\r\n", "405"},
      {"POST /ok HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", "431"},
      {"nonsense\r\n\r\n", "400"},
      {"GET /ok HTTP/9.9\r\n\r\n", "400"},
      {"GET /ok HTTP/1.1\r\nbad header\r\n\r\n", "400"},
      {"GET /ok HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
       "400"},
      {"GET /ok HTTP/1.1\r\nX: " + std::string(20000, 'x') + "\r\n\r\n", "431"},
      {std::string("\x16\x03\x01\x02\x00\x01\x00\x01", 8) + std::string(40, '\0') +
           "\r\n\r\n",
       "400"},
  };
  for (const auto& [request, status] : cases) {
    const auto answer = Ask(*server, request);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + status))
        << request.substr(0, 60) << " -> " << answer.substr(0, 80);
  }
  EXPECT_NE(Ask(*server, "GET /ok HTTP/1.0\r\n\r\n").find("fine"), std::string::npos);
}

TEST(HttpServer, ConnectionsAreBoundedAndSilentOnesEnd) {
  const auto server = Loopback(/*most_connections=*/2, /*idle_seconds=*/1);
  const Client first(server->address()), second(server->address());
  first.Send("GET /ok HTTP/1.1\r\n\r\n");
  second.Send("GET /ok HTTP/1.1\r\n\r\n");
  ASSERT_FALSE(first.Read("fine\n").empty());
  ASSERT_FALSE(second.Read("fine\n").empty());
  const Client third(server->address());
  EXPECT_EQ(third.Read(), "") << "closed without an answer";
  EXPECT_EQ(first.Read(), "") << "closed after a second of silence";
  EXPECT_EQ(second.Read(), "");
  EXPECT_NE(Ask(*server, "GET /ok HTTP/1.0\r\n\r\n").find("fine"), std::string::npos);
}

TEST(HttpServer, StopsWithConnectionsOpen) {
  const auto server = Loopback();
  const Client client(server->address());
  client.Send("GET /ok HTT");
  server->Stop();
  EXPECT_FALSE(Client(server->address()).connected());
}

TEST(HttpServer, SaysWhereItCannotListen) {
  const auto first = Loopback();
  HttpOptions options;
  options.address = first->address();
  EXPECT_FALSE(HttpServer::Make(options, Answer).ok());
  options.address = "no.such.host.invalid:1";
  EXPECT_FALSE(HttpServer::Make(options, Answer).ok());
}

}  // namespace
}  // namespace dxt
