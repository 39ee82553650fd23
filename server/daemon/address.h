#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace dxt {

/// Where a server listens: a unix socket, or host and port.
struct Address {
  bool is_unix = false;
  std::string text;  ///< The path, or "host:port".
  bool loopback() const;
};

/// "unix:/path", "/path", "host:port", "[v6]:port"; nullopt when it is none.
std::optional<Address> ParseAddress(std::string_view text);

}  // namespace dxt
