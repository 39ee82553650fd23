#include "server/http/http_server.h"

#include <thread>

#include <sys/stat.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include "base/error.h"

namespace dxt {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Failure = beast::error_code;

constexpr uint32_t kMostHeaderBytes = 8 << 10;

/// What all connections of a server share.
struct Shared {
  HttpOptions options;
  HttpHandler handler;
  int connections = 0;  ///< Touched on the server's thread only.
};

http::response<http::string_body> Respond(const http::request<http::empty_body>& request,
                                          const HttpHandler& handler) {
  const bool head = request.method() == http::verb::head;
  HttpAnswer answer;
  if (request.method() != http::verb::get && !head) {
    answer.status = 405;
    answer.body = "GET and HEAD only\n";
  } else {
    const std::string_view target(request.target().data(), request.target().size());
    answer = handler(target.substr(0, target.find('?')));
  }
  http::response<http::string_body> response(http::int_to_status(answer.status),
                                             request.version());
  response.set(http::field::content_type, answer.content_type);
  response.set(http::field::cache_control, "no-store");
  if (answer.status == 405) response.set(http::field::allow, "GET, HEAD");
  response.keep_alive(request.keep_alive());
  const size_t size = answer.body.size();
  if (!head) response.body() = std::move(answer.body);
  response.content_length(size);
  return response;
}

template <typename Protocol>
class HttpConnection : public std::enable_shared_from_this<HttpConnection<Protocol>> {
 public:
  HttpConnection(typename Protocol::socket socket, Shared& shared)
      : stream_(std::move(socket)), shared_(shared) {
    ++shared_.connections;
  }
  ~HttpConnection() { --shared_.connections; }

  void Read() {
    parser_.emplace();
    parser_->header_limit(kMostHeaderBytes);
    parser_->body_limit(0);
    stream_.expires_after(std::chrono::seconds(shared_.options.idle_seconds));
    http::async_read(stream_, buffer_, *parser_,
                     [self = this->shared_from_this()](Failure failure, size_t) {
                       self->OnRead(failure);
                     });
  }

 private:
  void OnRead(Failure failure) {
    if (failure == http::error::end_of_stream || failure == beast::error::timeout ||
        failure == asio::error::operation_aborted) {
      return Close();
    }
    if (failure) {
      const bool large =
          failure == http::error::header_limit || failure == http::error::body_limit;
      response_ = http::response<http::string_body>(
          large ? http::status::request_header_fields_too_large
                : http::status::bad_request,
          11);
      response_.keep_alive(false);
      response_.prepare_payload();
    } else {
      response_ = Respond(parser_->get(), shared_.handler);
    }
    stream_.expires_after(std::chrono::seconds(shared_.options.idle_seconds));
    http::async_write(stream_, response_,
                      [self = this->shared_from_this()](Failure error, size_t) {
                        if (error || self->response_.need_eof()) return self->Close();
                        self->Read();
                      });
  }

  void Close() {
    Failure ignored;
    stream_.socket().shutdown(Protocol::socket::shutdown_send, ignored);
  }

  beast::basic_stream<Protocol> stream_;
  Shared& shared_;
  beast::flat_buffer buffer_{2 * kMostHeaderBytes};
  std::optional<http::request_parser<http::empty_body>> parser_;
  http::response<http::string_body> response_;
};

arrow::Status CannotListen(const std::string& address, const std::string& why) {
  return MakeError(ErrorClass::kConfig, "server.listen",
                   "cannot listen for HTTP at " + address + ": " + why,
                   "Check http.listen");
}

template <typename Protocol>
class Server final : public HttpServer {
 public:
  Server(const HttpOptions& options, HttpHandler handler)
      : shared_{options, std::move(handler)}, context_(1), acceptor_(context_) {}
  ~Server() override { Stop(); }

  arrow::Status Listen(const typename Protocol::endpoint& endpoint) {
    Failure failure;
    acceptor_.open(endpoint.protocol(), failure);
    if constexpr (std::is_same_v<Protocol, asio::ip::tcp>) {
      if (!failure) acceptor_.set_option(asio::socket_base::reuse_address(true), failure);
    }
    if (!failure) acceptor_.bind(endpoint, failure);
    if (!failure) acceptor_.listen(asio::socket_base::max_listen_connections, failure);
    if (failure) return CannotListen(shared_.options.address, failure.message());
    address_ = AddressText();
    Accept();
    thread_ = std::thread([this] { context_.run(); });
    return arrow::Status::OK();
  }

  const std::string& address() const override { return address_; }

  void Stop() override {
    if (!thread_.joinable()) return;
    context_.stop();
    thread_.join();
    Failure ignored;
    acceptor_.close(ignored);
  }

 private:
  std::string AddressText() {
    const std::string& asked = shared_.options.address;
    if constexpr (std::is_same_v<Protocol, asio::ip::tcp>) {
      return asked.substr(0, asked.rfind(':') + 1) +
             std::to_string(acceptor_.local_endpoint().port());
    } else {
      return "unix:" + asked;
    }
  }

  void Accept() {
    acceptor_.async_accept([this](Failure failure, typename Protocol::socket socket) {
      if (failure == asio::error::operation_aborted) return;
      // One too many is closed at once, so that it does not wait for an answer.
      if (!failure && shared_.connections < shared_.options.most_connections) {
        std::make_shared<HttpConnection<Protocol>>(std::move(socket), shared_)->Read();
      }
      Accept();
    });
  }

  Shared shared_;  ///< Outlives the connections, which the context's queue holds.
  asio::io_context context_;
  typename Protocol::acceptor acceptor_;
  std::string address_;
  std::thread thread_;
};

arrow::Result<std::unique_ptr<HttpServer>> ListenOnSocket(const HttpOptions& options,
                                                          HttpHandler handler) {
  using Local = asio::local::stream_protocol;
  ::unlink(options.address.c_str());
  auto server = std::make_unique<Server<Local>>(options, std::move(handler));
  const mode_t mask = umask(0177);
  const auto listening = server->Listen(Local::endpoint(options.address));
  umask(mask);
  ARROW_RETURN_NOT_OK(listening);
  chmod(options.address.c_str(), options.socket_mode);
  return server;
}

}  // namespace

arrow::Result<std::unique_ptr<HttpServer>> HttpServer::Make(const HttpOptions& options,
                                                            HttpHandler handler) {
  try {
    if (options.is_unix) return ListenOnSocket(options, std::move(handler));
    const size_t colon = options.address.rfind(':');
    std::string host = options.address.substr(0, colon);
    if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
    asio::io_context resolving;
    asio::ip::tcp::resolver resolver(resolving);
    const auto found = resolver.resolve(host, options.address.substr(colon + 1),
                                        asio::ip::tcp::resolver::passive);
    auto server = std::make_unique<Server<asio::ip::tcp>>(options, std::move(handler));
    ARROW_RETURN_NOT_OK(server->Listen(*found.begin()));
    return server;
  } catch (const boost::system::system_error& error) {
    return CannotListen(options.address, error.what());
  }
}

}  // namespace dxt
