#pragma once
// JSON text as it is: numbers keep their digits, nothing is re-encoded.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace dxt {

enum class JsonKind : uint8_t { kNull, kBool, kNumber, kString, kArray, kObject };

/// What a text is as JSON (RFC 8259, strict; nesting to 1,000 levels; UTF-8 of strings is
/// not looked at).
struct JsonFacts {
  bool valid = false;
  JsonKind kind = JsonKind::kNull;  ///< Of the outermost value.
  bool duplicate_keys = false;      ///< In any object, escapes resolved.
  bool nul_escape = false;          ///< \u0000 in any string.
};
/// One value inside a valid JSON text, as a view of it.
struct JsonItem {
  std::string_view key;  ///< Without quotes, still escaped; "" in arrays.
  std::string_view raw;  ///< The value as it stands; strings with their quotes.
  JsonKind kind = JsonKind::kNull;
};

/// Reads JSON texts one after the other, keeping its memory between them. Used by one
/// thread at a time.
class JsonScanner {
 public:
  JsonScanner();
  ~JsonScanner();
  JsonScanner(const JsonScanner&) = delete;
  JsonScanner& operator=(const JsonScanner&) = delete;

  /// Without `find_duplicates`, duplicate_keys stays false and no key is kept.
  JsonFacts Scan(std::string_view text, bool find_duplicates);
  /// Lists the members of an outermost array or object, in order; false when the text is
  /// not valid JSON of that kind.
  bool List(std::string_view text, JsonKind kind, std::vector<JsonItem>* items);

 private:
  class Pass;
  std::unique_ptr<Pass> pass_;
};

/// Appends the value of a string's inside (no quotes); unpaired surrogates are false.
bool AppendUnescaped(std::string_view escaped, std::string* out);

}  // namespace dxt
