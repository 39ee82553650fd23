#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace dxt {

/// The password in scheme://user:password@host, else in scheme://host?password=… or
/// another secret option, a part of `url`; nullopt where there is none.
std::optional<std::string_view> UrlPassword(std::string_view url);

/// `url` with ${variable} in place of its password, for documents; nullopt likewise.
std::optional<std::string> PasswordAsVariable(const std::string& url,
                                              std::string_view variable);

}  // namespace dxt
