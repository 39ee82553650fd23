#include "base/url_password.h"

namespace dxt {

std::optional<std::string_view> UrlPassword(std::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return std::nullopt;
  const size_t begin = scheme + 3;
  const size_t end = url.find_first_of("/?#", begin);
  const std::string_view authority = url.substr(begin, end - begin);
  const size_t at = authority.rfind('@');
  const size_t colon = authority.find(':');
  if (at == std::string_view::npos || colon == std::string_view::npos || colon >= at) {
    return std::nullopt;
  }
  const std::string_view password = authority.substr(colon + 1, at - colon - 1);
  if (password.empty()) return std::nullopt;
  return password;
}

std::optional<std::string> PasswordAsVariable(const std::string& url,
                                              std::string_view variable) {
  const auto password = UrlPassword(url);
  if (!password) return std::nullopt;
  const auto begin = static_cast<size_t>(password->data() - url.data());
  std::string named = url;
  named.replace(begin, password->size(), "${" + std::string(variable) + "}");
  return named;
}

}  // namespace dxt
