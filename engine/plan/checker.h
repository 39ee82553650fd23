#pragma once
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/plan/documents.h"

namespace dxt {

/// True when the value was written but refused (or holds a missing variable): what
/// depends on it need not be reported too.
bool WasRefused(const ConfigValue* value);
/// True when the value was written and is usable.
bool IsSet(const ConfigValue* value);

/// The value as a message may show it: as it was written, shortened, in quotes.
std::string Shown(const ConfigValue& value);

/// The beginning of a text, cut between characters.
std::string Shortened(std::string_view text, size_t most_bytes);

/// Collects problems. Not thread-safe.
class ProblemList {
 public:
  static constexpr size_t kMost = 200;
  Problem& Error(const Mark& mark, const std::string& path, std::string code,
                 std::string message, std::string suggestion = {});
  Problem& Warn(const Mark& mark, const std::string& path, std::string code,
                std::string message, std::string suggestion = {});
  std::vector<Problem>& items() { return items_; }
  /// Document order (`first_file` before others), each problem once.
  void Sort(const std::string& first_file);
  /// Cuts a very long list and takes out what a terminal would obey.
  void Tidy();

 private:
  std::vector<Problem> items_;
};

/// "did you mean 'x'?", or "" when nothing is near.
std::string DidYouMean(std::string_view word, const std::vector<std::string>& candidates);

/// Patterns of keys, each compiled once. Matching is safe from any thread.
class PatternTable {
 public:
  /// Those of the key and of all below it.
  void Add(const OptionSpec& spec);
  /// One that was not added is compiled for this text alone.
  bool Matches(const std::string& text, const std::string& pattern) const;

 private:
  std::map<std::string, std::function<bool(const std::string&)>> compiled_;
};

/// Checks a tree against the table of its keys. Reports everything that is wrong; renames
/// aliases to the canonical names; refused values become null (see WasRefused), unknown
/// keys are removed.
class Checker {
 public:
  /// What is handed in outlives it.
  explicit Checker(ProblemList& problems, const PatternTable* patterns = nullptr)
      : problems_(problems), patterns_(patterns) {}
  void Check(ConfigValue& value, const OptionSpec& spec, const std::string& path);

 private:
  void CheckScalar(ConfigValue& value, const OptionSpec& spec, const std::string& path);
  void CheckText(ConfigValue& value, const OptionSpec& spec, const std::string& path);
  void CheckList(ConfigValue& value, const OptionSpec& spec, const std::string& path);
  void CheckObject(ConfigValue& value, const OptionSpec& spec, const std::string& path);
  void UnknownKey(const ConfigValue& item, const std::string& key, const OptionSpec& spec,
                  const std::string& path);
  void CheckAny(ConfigValue& value, const OptionSpec& spec, const std::string& path);
  /// A map is held against the shape whose `type` it names, or the one without a type.
  void CheckAnyMap(ConfigValue& value, const OptionSpec& spec, const std::string& path);
  void Range(ConfigValue& value, const OptionSpec& spec, double number, const char* unit,
             const std::string& path);
  void WrongType(ConfigValue& value, const OptionSpec& spec, const std::string& wanted,
                 const std::string& path);
  void Refuse(ConfigValue& value, const std::string& path, std::string code,
              std::string message, std::string suggestion = {});

  ProblemList& problems_;
  const PatternTable* const patterns_;
};

}  // namespace dxt
