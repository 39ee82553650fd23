#pragma once
#include <string>
#include <string_view>

namespace dxt {

/// `text` with each "%41" as the byte it names (RFC 3986, section 2.1). A percent sign
/// that two hexadecimal digits do not follow stands for itself.
std::string PercentDecoded(std::string_view text);

}  // namespace dxt
