#include "client/dxtctl/verb.h"

#include <algorithm>
#include <charconv>

#include <CLI/CLI.hpp>

namespace dxt::ctl {

Argument Argument::Required(bool required) const {
  option_->required(required);
  return *this;
}

Argument Argument::Placeholder(const std::string& text) const {
  if (option_->get_positional()) {
    option_->option_text(text);
  } else {
    option_->type_name(text);
  }
  return *this;
}

Argument Argument::OneOf(std::vector<std::string> choices) const {
  option_->check(CLI::IsMember(std::move(choices)));
  return *this;
}

Argument Argument::OneOfAnyCase(std::vector<std::string> choices) const {
  option_->transform(CLI::IsMember(std::move(choices), CLI::ignore_case));
  return *this;
}

Argument Argument::Between(int64_t least, int64_t most) const {
  return Check([least, most](const std::string& text) -> std::string {
    int64_t number = 0;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    if (error == std::errc() && rest == end && number >= least && number <= most) {
      return {};
    }
    return "takes a whole number from " + std::to_string(least) + " to " +
           std::to_string(most) + ", not '" + text + "'";
  });
}

Argument Argument::Check(std::function<std::string(const std::string&)> problem) const {
  option_->check(std::move(problem));
  return *this;
}

Argument Argument::Values(int fewest, int most) const {
  option_->expected(fewest, most);
  return *this;
}

Argument Argument::Repeated() const {
  option_->expected(1)->take_all();
  return *this;
}

Argument Argument::SplitAt(char delimiter) const {
  option_->delimiter(delimiter);
  return *this;
}

Argument Argument::ShowDefault() const {
  option_->capture_default_str();
  return *this;
}

Argument Argument::Environment(const std::string& name) const {
  option_->envname(name);
  return *this;
}

Argument Argument::Needs(const Argument& other) const {
  option_->needs(other.option_);
  return *this;
}

Argument Argument::Excludes(const Argument& other) const {
  option_->excludes(other.option_);
  return *this;
}

Verb Verb::AddVerb(const std::string& name, const std::string& help) const {
  return Verb(*parser_->add_subcommand(name, help));
}

void Verb::Examples(const std::string& text) const { parser_->footer(text); }

void Verb::RequireVerb() const { parser_->require_subcommand(1); }

void Verb::Hide() const { parser_->group(""); }

Argument Verb::Add(const char* name, std::string& value, const std::string& help) const {
  return Argument(*parser_->add_option(name, value, help));
}

Argument Verb::Add(const char* name, std::vector<std::string>& values,
                   const std::string& help) const {
  return Argument(*parser_->add_option(name, values, help));
}

Argument Verb::Add(const char* name, int& value, const std::string& help) const {
  return Argument(*parser_->add_option(name, value, help));
}

Argument Verb::Add(const char* name, int64_t& value, const std::string& help) const {
  return Argument(*parser_->add_option(name, value, help));
}

Argument Verb::Add(const char* name, std::optional<std::string>& value,
                   const std::string& help) const {
  return Argument(*parser_->add_option(name, value, help));
}

Argument Verb::Add(const char* name, std::optional<int>& value,
                   const std::string& help) const {
  return Argument(*parser_->add_option(name, value, help));
}

Argument Verb::Add(const char* name, std::optional<int64_t>& value,
                   const std::string& help) const {
  return Argument(*parser_->add_option(name, value, help));
}

Argument Verb::AddWithOptionalValue(const char* name, bool& given,
                                    std::vector<std::string>& values,
                                    const std::string& help) const {
  const auto store = [&given, &values](const std::vector<std::string>& words) {
    given = true;
    std::copy_if(words.begin(), words.end(), std::back_inserter(values),
                 [](const std::string& word) { return !word.empty(); });
  };
  return Argument(
      *parser_->add_option_function<std::vector<std::string>>(name, store, help)
           ->expected(0, 1)
           ->take_all());
}

Argument Verb::AddFlag(const char* name, bool& given, const std::string& help) const {
  return Argument(*parser_->add_flag(name, given, help));
}

Argument Verb::AddFlag(const char* name, int& times, const std::string& help) const {
  return Argument(*parser_->add_flag(name, times, help));
}

void Verb::SetAction(Invocation& invocation, std::function<Result<int>()> action) const {
  parser_->callback(
      [&invocation, action = std::move(action)] { invocation.action = action; });
}

}  // namespace dxt::ctl
