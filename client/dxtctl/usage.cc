#include "client/dxtctl/usage.h"

#include <cstdio>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/spelling.h"
#include "client/dxtctl/help.h"
#include "client/dxtctl/result.h"

namespace dxt::ctl {
namespace {

/// The innermost command that was named; `app` itself where none was.
const CLI::App& NamedVerb(const CLI::App& app) {
  const CLI::App* verb = &app;
  while (!verb->get_subcommands().empty()) verb = verb->get_subcommands().front();
  return *verb;
}

/// "dxtctl state set".
std::string FullName(const CLI::App& verb) {
  const CLI::App* parent = verb.get_parent();
  return parent == nullptr ? verb.get_name() : FullName(*parent) + " " + verb.get_name();
}

std::string DidYouMean(const std::string& word, const std::vector<std::string>& known,
                       const std::string& before = "") {
  const std::string nearest = NearestSpelling(word, known);
  return nearest.empty() ? "" : "; did you mean '" + before + nearest + "'?";
}

/// What the parser had no place for: an option, a command, or a word too many.
std::string UnknownWord(const CLI::App& verb, const std::vector<std::string>& words) {
  const std::string name = FullName(verb);
  for (const auto& word : words) {
    if (!word.starts_with("-") || word == "-") continue;
    const std::string option = word.substr(0, word.find('='));
    return name + " has no option '" + option + "'" +
           DidYouMean(option, OptionNames(verb));
  }
  std::vector<std::string> commands;
  for (const auto* command : verb.get_subcommands([](const CLI::App*) { return true; })) {
    commands.push_back(command->get_name());
  }
  if (!commands.empty()) {
    return name + " has no command '" + words.front() + "'" +
           DidYouMean(words.front(), commands, name + " ");
  }
  return name + " takes no further argument '" + words.front() + "'";
}

/// The argument or command that is not there; "" when something else is wrong.
std::string MissingWord(const CLI::App& verb) {
  if (!verb.get_subcommands([](const CLI::App*) { return true; }).empty()) {
    return FullName(verb) + " needs a command";
  }
  for (const auto* option : verb.get_options()) {
    if (option->get_positional() && option->get_required() && option->count() == 0) {
      return FullName(verb) + " needs " + ArgumentName(*option);
    }
  }
  return {};
}

}  // namespace

std::vector<std::string> OptionNames(const CLI::App& verb) {
  std::vector<std::string> names;
  for (const CLI::App* from = &verb; from != nullptr; from = from->get_parent()) {
    for (const auto* option : from->get_options()) {
      for (const auto& name : option->get_lnames()) names.push_back("--" + name);
    }
  }
  return names;
}

int AnswerParseError(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
  const CLI::App& verb = NamedVerb(app);
  const std::vector<std::string> unknown = app.remaining(/*recurse=*/true);
  std::string text = error.what();
  if (!unknown.empty()) {
    text = UnknownWord(verb, unknown);
  } else if (error.get_name() == "RequiredError") {
    if (const std::string missing = MissingWord(verb); !missing.empty()) text = missing;
  }
  std::fprintf(stderr, "Error: %s\nRun '%s --help' for what there is.\n", text.c_str(),
               FullName(verb).c_str());
  return kExitUsage;
}

}  // namespace dxt::ctl
