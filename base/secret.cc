#include "base/secret.h"

#include <algorithm>
#include <cctype>

#include "base/percent.h"
#include "base/url_password.h"

namespace dxt {
namespace {

constexpr size_t kShortest = 3;

std::string UrlEncoded(std::string_view text, const char* digits) {
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || c == '-' || c == '.' || c == '_' || c == '~') {
      encoded += c;
    } else {
      encoded += '%';
      encoded += digits[byte >> 4];
      encoded += digits[byte & 15];
    }
  }
  return encoded;
}

/// The base64 digits that depend on `text` alone when it stands `offset` bytes into a
/// longer text: what a header such as "user:secret" makes of the secret.
std::string Base64(std::string_view text, size_t offset, const char* alphabet) {
  const std::string padded = std::string(offset, '\0') + std::string(text);
  std::string digits;
  uint32_t bits = 0;
  int held = 0;
  for (const char c : padded) {
    bits = (bits << 8) | static_cast<unsigned char>(c);
    for (held += 8; held >= 6; held -= 6) digits += alphabet[(bits >> (held - 6)) & 63];
  }
  // A digit that holds bits of the bytes before is not the secret's own.
  return digits.substr((offset * 8 + 5) / 6);
}

}  // namespace

Redactor::Redactor(const std::vector<std::string>& secrets) {
  for (const auto& secret : secrets) {
    Add(secret);
    const std::string password(UrlPassword(secret).value_or(""));
    Add(password);
    Add(PercentDecoded(password));
  }
  std::sort(forms_.begin(), forms_.end(), [](const auto& a, const auto& b) {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  });
  forms_.erase(std::unique(forms_.begin(), forms_.end()), forms_.end());
}

void Redactor::Add(const std::string& secret) {
  constexpr char kStandard[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  constexpr char kUrlSafe[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  if (secret.size() < kShortest) return;
  forms_.push_back(secret);
  forms_.push_back(UrlEncoded(secret, "0123456789ABCDEF"));
  forms_.push_back(UrlEncoded(secret, "0123456789abcdef"));
  for (size_t offset = 0; offset < 3; ++offset) {
    for (const char* alphabet : {kStandard, kUrlSafe}) {
      const std::string digits = Base64(secret, offset, alphabet);
      // Shorter runs of base64 digits turn up in ordinary words.
      if (digits.size() >= 6) forms_.push_back(digits);
    }
  }
}

std::string Redactor::Redact(std::string_view text) const {
  std::string redacted(text);
  for (const auto& form : forms_) {
    for (size_t at = redacted.find(form); at != std::string::npos;
         at = redacted.find(form, at + 3)) {
      redacted.replace(at, form.size(), "***");
    }
  }
  return redacted;
}

}  // namespace dxt
