#include "base/url_password.h"

#include <algorithm>

namespace dxt {
namespace {

/// Options of a query whose values are secret, of whatever connector.
constexpr std::string_view kSecretOptions[] = {"password", "sslpassword",
                                               "secret_access_key", "session_token"};

/// The value of the first secret option behind the `?` of `url`.
std::optional<std::string_view> SecretOption(std::string_view url) {
  const size_t query = url.find('?');
  if (query == std::string_view::npos) return std::nullopt;
  const size_t end = std::min(url.find('#', query), url.size());
  for (size_t at = query + 1; at < end;) {
    const size_t next = std::min(url.find('&', at), end);
    const std::string_view option = url.substr(at, next - at);
    const size_t equals = option.find('=');
    const bool secret = std::find(std::begin(kSecretOptions), std::end(kSecretOptions),
                                  option.substr(0, equals)) != std::end(kSecretOptions);
    if (secret && equals != std::string_view::npos && equals + 1 < option.size())
      return option.substr(equals + 1);
    at = next + 1;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string_view> UrlPassword(std::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return std::nullopt;
  const size_t begin = scheme + 3;
  const size_t end = url.find_first_of("/?#", begin);
  const std::string_view authority = url.substr(begin, end - begin);
  const size_t at = authority.rfind('@');
  const size_t colon = authority.find(':');
  if (at == std::string_view::npos || colon == std::string_view::npos || colon >= at) {
    return SecretOption(url.substr(begin));
  }
  const std::string_view password = authority.substr(colon + 1, at - colon - 1);
  if (password.empty()) return SecretOption(url.substr(begin));
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
