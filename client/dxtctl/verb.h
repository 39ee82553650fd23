#pragma once
// The command line as a verb declares it: its name, what it takes, what carries it out.
// The parser stands behind it in verb.cc: its headers are templates throughout, and would
// be compiled again with every verb.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/dxtctl/invocation.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace dxt::ctl {

/// One argument, option or flag. A handle, to be copied freely; of the parser's lifetime.
class Argument {
 public:
  explicit Argument(CLI::Option& option) : option_(&option) {}

  Argument Required(bool required = true) const;
  /// What stands in its place in help, e.g. "FILE" (default: its name in capitals).
  Argument Placeholder(const std::string& text) const;
  /// Any other value is refused.
  Argument OneOf(std::vector<std::string> choices) const;
  /// Likewise, in any case; what is stored is spelled as here.
  Argument OneOfAnyCase(std::vector<std::string> choices) const;
  /// A whole number from `least` to `most`.
  Argument Between(int64_t least, int64_t most) const;
  /// `problem` returns what is wrong with a value, or "".
  Argument Check(std::function<std::string(const std::string&)> problem) const;
  /// This many values, one after the other.
  Argument Values(int fewest, int most) const;
  /// One value at a time; may be given again.
  Argument Repeated() const;
  /// Several values in one word.
  Argument SplitAt(char delimiter) const;
  /// Help names the value that the variable has now.
  Argument ShowDefault() const;
  /// Read where the command line does not have it.
  Argument Environment(const std::string& name) const;
  /// Refused without `other`.
  Argument Needs(const Argument& other) const;
  /// Refused together with `other`.
  Argument Excludes(const Argument& other) const;

 private:
  CLI::Option* option_;
};

/// One verb, or dxtctl itself, of which the verbs are. A handle likewise. Variables are
/// written while the command line is parsed and must live until then.
class Verb {
 public:
  explicit Verb(CLI::App& parser) : parser_(&parser) {}

  Verb AddVerb(const std::string& name, const std::string& help) const;
  /// Shown in --help; lines begin with two spaces.
  void Examples(const std::string& text) const;
  /// It does nothing by itself.
  void RequireVerb() const;
  /// Neither help nor completion knows it.
  void Hide() const;

  /// `name` is "--long", "--long,-s" or, of an argument, its bare name.
  Argument Add(const char* name, std::string& value, const std::string& help) const;
  Argument Add(const char* name, std::vector<std::string>& values,
               const std::string& help) const;
  Argument Add(const char* name, int& value, const std::string& help) const;
  Argument Add(const char* name, int64_t& value, const std::string& help) const;
  Argument Add(const char* name, std::optional<std::string>& value,
               const std::string& help) const;
  Argument Add(const char* name, std::optional<int>& value,
               const std::string& help) const;
  Argument Add(const char* name, std::optional<int64_t>& value,
               const std::string& help) const;
  /// May be given without a value, which sets `given` alone, and more than once.
  Argument AddWithOptionalValue(const char* name, bool& given,
                                std::vector<std::string>& values,
                                const std::string& help) const;
  Argument AddFlag(const char* name, bool& given, const std::string& help) const;
  /// Counts how often it is given.
  Argument AddFlag(const char* name, int& times, const std::string& help) const;

  /// When the verb is named, `action` is what the invocation does.
  void SetAction(Invocation& invocation, std::function<Result<int>()> action) const;
  /// Likewise; `action` is called with the options that the parser has filled.
  template <typename Options, typename Action>
  void SetAction(Invocation& invocation, std::shared_ptr<Options> options,
                 Action action) const {
    SetAction(invocation,
              [=, &invocation]() -> Result<int> { return action(invocation, *options); });
  }

  CLI::App& parser() const { return *parser_; }

 private:
  CLI::App* parser_;
};

}  // namespace dxt::ctl
