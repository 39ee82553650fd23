#pragma once
// Options: what can be set, and what was set. Parser, linter, `connectors --detailed`,
// JSON Schema and reference pages are all made from OptionSpec.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dxt {

enum class OptionKind : uint8_t {
  kString,
  kInteger,
  kNumber,
  kBoolean,
  kDuration,  ///< "30s", "5m", "1h"; a bare number is seconds.
  kBytes,     ///< "512MiB", "64MB"; a bare number is bytes.
  kList,      ///< Items are of shape `items`; a scalar is taken as a list of one where
              ///< `scalar_as_list` is set.
  kObject,    ///< Keys are `fields`, others are unknown.
  kMap,       ///< Free keys; values are of shape `items` (any value when empty).
  kAny,       ///< One of several shapes, `items`, by YAML kind.
};

/// One option, of a connection or of a document.
struct OptionSpec {
  std::string name;
  OptionKind kind = OptionKind::kString;
  std::string help;           ///< One sentence, ends with a full stop.
  std::string default_value;  ///< As it would be written in YAML; "" = none.
  std::string example;
  bool required = false;
  bool secret = false;
  std::vector<std::string> aliases;
  std::vector<std::string> deprecated_aliases;  ///< Accepted with a warning.
  std::vector<std::string> choices;             ///< Of a string; empty = free.
  std::optional<int64_t> minimum, maximum;      ///< Of integers, durations (s), bytes.
  std::vector<OptionSpec> fields;               ///< Of kObject.
  std::vector<OptionSpec> items;                ///< Of kList, kMap (one), kAny (several).
  bool scalar_as_list = false;
  /// A file or folder: a relative value belongs to the folder of its document, and is
  /// absolute by the time a connector sees it. URLs and ":memory:" stay as they are.
  bool path = false;
  std::string pattern;       ///< Of a string: ECMAScript, whole match; empty = free.
  std::string pattern_help;  ///< What the pattern asks for, in words.
};

/// What a connection of one kind can be told.
struct ConfigSpec {
  std::vector<OptionSpec> options;
  const OptionSpec* Find(std::string_view name_or_alias) const;
};

/// A place in a document, 1-based; line 0 = unknown.
struct Mark {
  std::string file;
  int line = 0;
  int column = 0;
};

/// A value that was set: scalar, list or map, in document order. Variables are already
/// substituted, aliases already renamed to the canonical option name, kinds already
/// checked.
struct ConfigValue {
  enum class Kind : uint8_t { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  std::string scalar;
  bool quoted = false;  ///< Scalar was written in quotes, so it is text, not a number.
  std::vector<ConfigValue> list;
  std::vector<std::pair<std::string, ConfigValue>> map;
  Mark mark;
  Mark key_mark;  ///< Of the key, for a map's value.
  /// The text as it stands in the document, where variables made `scalar` another one.
  /// Messages quote this, never a substituted value.
  std::string written;

  const ConfigValue* Get(std::string_view key) const;
};

/// The checked options of one connection. A value type; getters return the default of
/// the spec where an option was not set.
class ConfigView {
 public:
  ConfigView() = default;
  /// `values` must be of kind kMap and `spec` must outlive the view.
  ConfigView(const ConfigSpec* spec, ConfigValue values);

  bool Has(std::string_view name) const;  ///< Was set in the document.
  std::string String(std::string_view name) const;
  std::optional<int64_t> Integer(std::string_view name) const;
  bool Boolean(std::string_view name) const;
  std::vector<std::string> Strings(std::string_view name) const;
  const ConfigValue* Value(std::string_view name) const;  ///< Null when not set.
  /// Where the option was written, for messages.
  Mark MarkOf(std::string_view name) const;
  const ConfigValue& values() const { return values_; }

 private:
  const ConfigSpec* spec_ = nullptr;
  ConfigValue values_;
};

/// Parse "30s", "500ms", "5m", "1h", "2d" or a number of seconds; milliseconds.
std::optional<int64_t> ParseDurationMillis(std::string_view text);
/// Parse "512MiB", "64MB", "10k" or a number of bytes.
std::optional<int64_t> ParseByteSize(std::string_view text);
/// Parse true/false/yes/no/on/off, any case.
std::optional<bool> ParseBoolean(std::string_view text);

}  // namespace dxt
