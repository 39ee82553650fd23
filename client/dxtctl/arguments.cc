#include "client/dxtctl/arguments.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/url_password.h"

namespace dxt::ctl {
namespace {

void Hide(char* argument) {
  const std::string_view text = argument;
  const size_t scheme = text.find("://");
  if (scheme == std::string_view::npos) return;
  const auto hide = [&](size_t from, size_t to) {
    std::fill(argument + from, argument + to, 'x');
  };
  if (const auto password = UrlPassword(text)) {
    const auto from = static_cast<size_t>(password->data() - text.data());
    hide(from, from + password->size());
  }
  // Options too may be secret: ?password=…, ?secret_access_key=….
  const size_t query = text.find('?', scheme);
  if (query != std::string_view::npos)
    hide(query + 1, std::min(text.find('#', query), text.size()));
}

}  // namespace

std::vector<std::string> TakeArguments(int argc, char** argv) {
  std::vector<std::string> arguments;
  for (int i = 1; i < argc; ++i) {
    arguments.emplace_back(argv[i]);
    Hide(argv[i]);
  }
  return arguments;
}

}  // namespace dxt::ctl
