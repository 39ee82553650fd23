#include "client/dxtctl/terminal.h"

#include <cstdio>
#include <cstdlib>
#include <cwchar>

#include <sys/ioctl.h>
#include <unistd.h>

#include "client/dxtctl/variables.h"

namespace dxt::ctl {
namespace {

/// Decodes the code point at `at` and moves past it; a stray byte counts as itself.
char32_t NextCodePoint(std::string_view text, size_t& at) {
  const auto lead = static_cast<unsigned char>(text[at++]);
  const int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
  if (more == 0 || at + more > text.size()) return lead;
  char32_t point = lead & (0x3F >> more);
  for (int i = 0; i < more; ++i) {
    point = (point << 6) | (static_cast<unsigned char>(text[at++]) & 0x3F);
  }
  return point;
}

int WidthOf(char32_t c) {
  const bool combining = (c >= 0x300 && c <= 0x36F) || (c >= 0x200B && c <= 0x200F) ||
                         (c >= 0xFE00 && c <= 0xFE0F);
  if (combining) return 0;
  const bool wide = (c >= 0x1100 && c <= 0x115F) || (c >= 0x2E80 && c <= 0xA4CF) ||
                    (c >= 0xAC00 && c <= 0xD7A3) || (c >= 0xF900 && c <= 0xFAFF) ||
                    (c >= 0xFE30 && c <= 0xFE6F) || (c >= 0xFF00 && c <= 0xFF60) ||
                    (c >= 0x1F300 && c <= 0x1FAFF) || (c >= 0x20000 && c <= 0x3FFFD);
  return wide ? 2 : 1;
}

}  // namespace

Terminal::Terminal(std::string_view color) {
  const char* term = std::getenv("TERM");
  const bool dumb = term == nullptr || std::string_view(term) == "dumb";
  live_ = isatty(STDERR_FILENO) != 0 && !dumb;
  color_ = color == "always" ||
           (color == "auto" && live_ && EnvironmentText("NO_COLOR").empty());
}

int Terminal::width() const {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

std::string Terminal::Wrap(std::string_view text, std::string_view code) const {
  if (!color_) return std::string(text);
  return std::string(code) + std::string(text) + "\033[0m";
}

int DisplayWidth(std::string_view text) {
  int width = 0;
  for (size_t at = 0; at < text.size();) width += WidthOf(NextCodePoint(text, at));
  return width;
}

std::string Shorten(std::string_view text, int columns) {
  if (DisplayWidth(text) <= columns) return std::string(text);
  int width = 0;
  size_t at = 0;
  while (at < text.size()) {
    size_t next = at;
    const int more = WidthOf(NextCodePoint(text, next));
    if (width + more > columns - 1) break;
    width += more;
    at = next;
  }
  return std::string(text.substr(0, at)) + "…";
}

std::string Printable(std::string_view text) {
  std::string shown;
  for (const char c : text) {
    if (c == '\n') {
      shown += "\\n";
    } else if (c == '\t') {
      shown += "\\t";
    } else if (c == '\r') {
      shown += "\\r";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\x%02x", static_cast<unsigned char>(c));
      shown += escaped;
    } else {
      shown += c;
    }
  }
  return shown;
}

}  // namespace dxt::ctl
