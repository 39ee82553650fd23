#include "server/daemon/address.h"

#include <charconv>

namespace dxt {

bool Address::loopback() const {
  return is_unix || text.starts_with("127.") || text.starts_with("[::1]:") ||
         text.starts_with("localhost:");
}

std::optional<Address> ParseAddress(std::string_view text) {
  if (text.starts_with("unix:")) text.remove_prefix(5);
  if (text.starts_with("/")) return Address{true, std::string(text)};
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return std::nullopt;
  const std::string_view host = text.substr(0, colon), port = text.substr(colon + 1);
  int number = -1;
  const auto [end, error] =
      std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size() || number < 0 ||
      number > 65535) {
    return std::nullopt;
  }
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (!bracketed && host.find_first_of(":/ ") != std::string_view::npos) {
    return std::nullopt;
  }
  return Address{false, std::string(text)};
}

}  // namespace dxt
