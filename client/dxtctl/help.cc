#include "client/dxtctl/help.h"

#include <cctype>
#include <cstdio>
#include <memory>
#include <sstream>
#include <vector>

#include <CLI/CLI.hpp>

#include "client/dxtctl/invocation.h"

namespace dxt::ctl {
namespace {

constexpr size_t kTextColumn = 28;
constexpr size_t kWidth = 80;

std::string Capitals(std::string name) {
  for (char& c : name) {
    c = c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return name;
}

std::vector<const CLI::Option*> Positionals(const CLI::App& app) {
  return app.get_options([](const CLI::Option* option) {
    return option->get_positional() && !option->get_group().empty();
  });
}

std::vector<const CLI::App*> Commands(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* command) {
    return !command->get_name().empty() && !command->get_group().empty();
  });
}

/// What stands for an option's value: the name that its verb gave, else the option's own.
std::string ValueName(const CLI::Option& option) {
  std::string type = option.get_type_name();
  type = type.substr(0, type.find(':'));  // What follows describes the checks.
  if (type.empty()) return {};            // A flag.
  std::string name = type;
  if (type == "INT" || type == "UINT" || type == "FLOAT") {
    name = "N";
  } else if (type == "TEXT") {
    name = option.get_lnames().empty() ? "VALUE" : Capitals(option.get_lnames().front());
  }
  return option.get_expected_min() == 0 ? "[" + name + "]" : name;
}

/// One entry: what is typed, and its meaning beside or below it, wrapped.
void WriteEntry(std::ostream& out, const std::string& typed, const std::string& meaning) {
  const std::string margin(kTextColumn, ' ');
  std::string line = "  " + typed;
  if (line.size() + 2 > kTextColumn) {
    out << line << "\n";
    line = margin;
  } else {
    line.resize(kTextColumn, ' ');
  }
  std::istringstream words(meaning);
  for (std::string word; words >> word;) {
    if (line.size() > kTextColumn && line.size() + word.size() >= kWidth) {
      out << line << "\n";
      line = margin;
    }
    line += (line.size() > kTextColumn ? " " : "") + word;
  }
  out << line << "\n";
}

std::string TypedOption(const CLI::Option& option) {
  std::string typed;
  for (const auto& name : option.get_snames()) typed += "-" + name + ", ";
  for (const auto& name : option.get_lnames()) typed += "--" + name + ", ";
  typed.resize(typed.size() - 2);
  const std::string value = ValueName(option);
  return value.empty() ? typed : typed + " " + value;
}

class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name,
                        CLI::AppFormatMode) const override {
    std::ostringstream out;
    out << Synopsis(*app, name) << "\n\n" << app->get_description() << "\n";
    // What a command's footer holds is what most readers look for.
    if (app->get_parent() != nullptr && !app->get_footer().empty()) {
      out << "\nExamples:\n" << app->get_footer() << "\n";
    }
    WriteArguments(out, *app);
    WriteOptions(out, *app);
    WriteCommands(out, *app);
    if (app->get_parent() != nullptr) {
      out << "\nOptions of every command: dxtctl --help\n";
    } else if (!app->get_footer().empty()) {
      out << "\n" << app->get_footer() << "\n";
    }
    return out.str();
  }

 private:
  static std::string Synopsis(const CLI::App& app, const std::string& name) {
    std::string text = "Usage: " + name;
    if (!Commands(app).empty()) text += " COMMAND";
    for (const auto* positional : Positionals(app)) {
      const std::string argument = ArgumentName(*positional);
      text += positional->get_required() ? " " + argument : " [" + argument + "]";
    }
    return text + " [OPTIONS]";
  }

  static void WriteArguments(std::ostream& out, const CLI::App& app) {
    const auto positionals = Positionals(app);
    if (!positionals.empty()) out << "\nArguments:\n";
    for (const auto* positional : positionals) {
      WriteEntry(out, ArgumentName(*positional), positional->get_description());
    }
  }

  static void WriteOptions(std::ostream& out, const CLI::App& app) {
    out << "\nOptions:\n";
    for (const auto* option : app.get_options()) {
      if (option->get_positional() || option->get_group().empty()) continue;
      std::string meaning = option->get_description();
      if (const auto value = option->get_default_str(); !value.empty()) {
        meaning += " (default: " + value + ")";
      }
      WriteEntry(out, TypedOption(*option), meaning);
    }
  }

  /// In the order in which they were added, under the headings of their groups.
  static void WriteCommands(std::ostream& out, const CLI::App& app) {
    std::vector<std::string> groups;
    for (const auto* command : Commands(app)) {
      const std::string& group = command->get_group();
      if (std::find(groups.begin(), groups.end(), group) == groups.end()) {
        groups.push_back(group);
      }
    }
    for (const auto& group : groups) {
      out << "\n" << (group == "Subcommands" ? "Commands" : group) << ":\n";
      for (const auto* command : Commands(app)) {
        if (command->get_group() != group) continue;
        WriteEntry(out, command->get_name(), command->get_description());
      }
    }
  }
};

constexpr const char* kExitCodes =
    "0    ok, also when there was nothing to do\n"
    "1    the run failed: data, a system that is away, its credentials, a lock\n"
    "2    usage, document, missing variable, unknown name, refused at plan\n"
    "3    some streams were loaded, some failed\n"
    "4    a guard stopped the run before it changed anything\n"
    "5    dxtd refused this client\n"
    "6    the run was cancelled by somebody else\n"
    "7    waiting timed out; the run goes on\n"
    "8    no dxtd could be reached, or it is of another version\n"
    "130  interrupted by Ctrl-C\n"
    "143  ended by SIGTERM\n";

Result<int> PrintHelp(const CLI::App& root, const std::vector<std::string>& words) {
  if (words == std::vector<std::string>{"exit-codes"}) {
    std::printf("%s", kExitCodes);
    return kExitOk;
  }
  const CLI::App* verb = &root;
  std::string name = root.get_name();
  for (const auto& word : words) {
    const CLI::App* next = nullptr;
    for (const auto* command : Commands(*verb)) {
      if (command->get_name() == word) next = command;
    }
    if (next == nullptr) {
      return UsageError(name + " has no command '" + word + "'",
                        "Run '" + name + " --help' for what there is");
    }
    verb = next;
    name += " " + word;
  }
  std::printf("%s",
              HelpFormatter().make_help(verb, name, CLI::AppFormatMode::Normal).c_str());
  return kExitOk;
}

}  // namespace

void AddHelp(CLI::App& app, Invocation& invocation) {
  auto words = std::make_shared<std::vector<std::string>>();
  auto* verb =
      app.add_subcommand("help", "Say how a command is called; what exit codes mean");
  verb->footer(
      "  dxtctl help runs list\n"
      "  dxtctl help exit-codes");
  verb->add_option("command", *words, "A command, or exit-codes");
  verb->callback([words, &app, &invocation] {
    invocation.action = [words, &app] { return PrintHelp(app, *words); };
  });
}

void UseHelp(CLI::App& app) { app.formatter(std::make_shared<HelpFormatter>()); }

std::string ArgumentName(const CLI::Option& positional) {
  if (!positional.get_option_text().empty()) return positional.get_option_text();
  return Capitals(positional.get_name(true, false));
}

}  // namespace dxt::ctl
