#pragma once
// FNV-1a with 64 bits (draft-eastlake-fnv, section 2): the same number for the same text
// on every machine and in every version. It tells texts apart; it guards nothing.
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace dxt {

inline constexpr uint64_t kFnv1aBasis = 14695981039346656037ull;

/// `hash`: of what comes before `text`.
constexpr uint64_t Fnv1a(std::string_view text, uint64_t hash = kFnv1aBasis) {
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  }
  return hash;
}

/// 16 hexadecimal digits: a file name of any text.
inline std::string Fnv1aName(std::string_view text) {
  char name[17];
  std::snprintf(name, sizeof name, "%016" PRIx64, Fnv1a(text));
  return name;
}

}  // namespace dxt
