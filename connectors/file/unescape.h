#pragma once
#include <string>
#include <string_view>

namespace dxt::file {

/// Appends the inside of a quoted CSV cell, doubled quotes made single.
void AppendUnescapedQuotes(std::string_view text, char quote, std::string* out);
std::string UnescapeQuotes(std::string_view text, char quote);
/// Appends the inside of a JSON string; false for an escape that is no character (half of
/// a surrogate pair).
bool AppendUnescapedJson(std::string_view text, std::string* out);

}  // namespace dxt::file
