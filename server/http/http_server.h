#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <arrow/result.h>

namespace dxt {

struct HttpAnswer {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

/// Answers a GET of a path (without query). Called on the server's thread; must not block
/// for long.
using HttpHandler = std::function<HttpAnswer(std::string_view path)>;

struct HttpOptions {
  bool is_unix = false;
  std::string address;  ///< A path, or "host:port"; port 0 = any.
  unsigned socket_mode = 0660;
  int most_connections = 64;
  int idle_seconds = 15;  ///< A connection that says nothing whole for this long ends.
};

/// A small HTTP/1.1 server on a thread of its own. GET and HEAD only, no request bodies;
/// connections, headers and waiting are bounded.
class HttpServer {
 public:
  /// Listens once it returns. kConfig "server.listen" when it cannot.
  static arrow::Result<std::unique_ptr<HttpServer>> Make(const HttpOptions& options,
                                                         HttpHandler handler);
  virtual ~HttpServer() = default;
  /// "unix:/path", or "host:port" with the port that was chosen.
  virtual const std::string& address() const = 0;
  /// Answers nothing any more, and waits for the thread.
  virtual void Stop() = 0;
};

}  // namespace dxt
