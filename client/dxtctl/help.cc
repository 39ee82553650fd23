#include "client/dxtctl/help.h"

#include <cctype>
#include <sstream>
#include <vector>

#include <CLI/CLI.hpp>

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

}  // namespace

void UseHelp(CLI::App& app) { app.formatter(std::make_shared<HelpFormatter>()); }

std::string ArgumentName(const CLI::Option& positional) {
  if (!positional.get_option_text().empty()) return positional.get_option_text();
  return Capitals(positional.get_name(true, false));
}

}  // namespace dxt::ctl
