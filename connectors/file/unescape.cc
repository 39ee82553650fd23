#include "connectors/file/unescape.h"

#include <cstdint>

namespace dxt::file {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool FourHex(std::string_view text, size_t at, uint32_t* code) {
  if (at + 4 > text.size()) return false;
  *code = 0;
  for (size_t i = 0; i < 4; ++i) {
    const int digit = HexDigit(text[at + i]);
    if (digit < 0) return false;
    *code = *code << 4 | static_cast<uint32_t>(digit);
  }
  return true;
}

void AppendUtf8(uint32_t code, std::string* out) {
  if (code < 0x80) {
    out->push_back(static_cast<char>(code));
    return;
  }
  if (code < 0x800) {
    out->push_back(static_cast<char>(0xc0 | code >> 6));
  } else {
    if (code < 0x10000) {
      out->push_back(static_cast<char>(0xe0 | code >> 12));
    } else {
      out->push_back(static_cast<char>(0xf0 | code >> 18));
      out->push_back(static_cast<char>(0x80 | (code >> 12 & 0x3f)));
    }
    out->push_back(static_cast<char>(0x80 | (code >> 6 & 0x3f)));
  }
  out->push_back(static_cast<char>(0x80 | (code & 0x3f)));
}

}  // namespace

void AppendUnescapedQuotes(std::string_view text, char quote, std::string* out) {
  size_t from = 0;
  for (;;) {
    const size_t at = text.find(quote, from);
    if (at == std::string_view::npos) break;
    out->append(text.substr(from, at + 1 - from));
    from = at + 2;
  }
  if (from < text.size()) out->append(text.substr(from));
}

std::string UnescapeQuotes(std::string_view text, char quote) {
  std::string out;
  AppendUnescapedQuotes(text, quote, &out);
  return out;
}

bool AppendUnescapedJson(std::string_view text, std::string* out) {
  size_t from = 0;
  for (;;) {
    const size_t at = text.find('\\', from);
    if (at == std::string_view::npos || at + 1 >= text.size()) break;
    out->append(text.substr(from, at - from));
    from = at + 2;
    switch (text[at + 1]) {
      case 'b':
        out->push_back('\b');
        continue;
      case 'f':
        out->push_back('\f');
        continue;
      case 'n':
        out->push_back('\n');
        continue;
      case 'r':
        out->push_back('\r');
        continue;
      case 't':
        out->push_back('\t');
        continue;
      case 'u':
        break;
      default:
        out->push_back(text[at + 1]);
        continue;
    }
    uint32_t code = 0;
    if (!FourHex(text, from, &code)) return false;
    from += 4;
    if (code >= 0xdc00 && code < 0xe000) return false;
    if (code >= 0xd800 && code < 0xdc00) {
      uint32_t low = 0;
      if (text.substr(from, 2) != "\\u" || !FourHex(text, from + 2, &low) ||
          low < 0xdc00 || low >= 0xe000) {
        return false;
      }
      from += 6;
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    AppendUtf8(code, out);
  }
  out->append(text.substr(from));
  return true;
}

}  // namespace dxt::file
