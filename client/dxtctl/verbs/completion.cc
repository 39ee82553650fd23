#include <cstdio>

#include <CLI/CLI.hpp>

#include "client/dxtctl/invocation.h"
#include "client/dxtctl/verbs.h"

namespace dxt::ctl {
namespace {

std::vector<const CLI::App*> Subcommands(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

/// Words that may follow `app`: its subcommands and long options, then the global ones.
std::string Words(const CLI::App& app, const CLI::App& root) {
  std::string words;
  for (const auto* verb : Subcommands(app)) words += verb->get_name() + " ";
  for (const auto* from : {&app, &root}) {
    for (const auto* option : from->get_options()) {
      for (const auto& name : option->get_lnames()) words += "--" + name + " ";
    }
    if (&app == &root) break;
  }
  if (!words.empty()) words.pop_back();
  return words;
}

void PrintBash(const CLI::App& root) {
  std::printf(
      "# dxtctl completion bash > /etc/bash_completion.d/dxtctl\n"
      "_dxtctl() {\n"
      "  local current=${COMP_WORDS[COMP_CWORD]} verb=\"\" word\n"
      "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
      "    case $word in -*) ;; *) verb=$word; break ;; esac\n"
      "  done\n"
      "  local words=\"\"\n"
      "  case $verb in\n");
  for (const auto* verb : Subcommands(root)) {
    std::printf("    %s) words=\"%s\" ;;\n", verb->get_name().c_str(),
                Words(*verb, root).c_str());
  }
  std::printf(
      "    *) words=\"%s\" ;;\n"
      "  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
      "  if [[ -n $verb && $current != -* ]]; then\n"
      "    COMPREPLY+=($(compgen -f -- \"$current\"))\n"
      "  fi\n"
      "}\n"
      "complete -o filenames -F _dxtctl dxtctl\n",
      Words(root, root).c_str());
}

std::string SingleQuoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text)
    quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

void PrintFish(const CLI::App& root) {
  std::printf("# dxtctl completion fish > ~/.config/fish/completions/dxtctl.fish\n");
  for (const auto* verb : Subcommands(root)) {
    std::printf("complete -c dxtctl -n __fish_use_subcommand -a %s -d %s\n",
                verb->get_name().c_str(), SingleQuoted(verb->get_description()).c_str());
    for (const auto* option : verb->get_options()) {
      for (const auto& name : option->get_lnames()) {
        std::printf(
            "complete -c dxtctl -n '__fish_seen_subcommand_from %s' -l %s -d %s\n",
            verb->get_name().c_str(), name.c_str(),
            SingleQuoted(option->get_description()).c_str());
      }
    }
  }
}

void PrintZsh(const CLI::App& root) {
  std::printf(
      "#compdef dxtctl\n"
      "# dxtctl completion zsh > \"${fpath[1]}/_dxtctl\"\n"
      "autoload -U +X bashcompinit && bashcompinit\n");
  PrintBash(root);
}

}  // namespace

void AddCompletion(CLI::App& app, Invocation& invocation) {
  auto shell = std::make_shared<std::string>();
  auto* verb = app.add_subcommand("completion", "Print completions for a shell");
  verb->add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  verb->callback([&app, shell, &invocation] {
    invocation.action = [&app, shell]() -> Result<int> {
      if (*shell == "bash") PrintBash(app);
      if (*shell == "zsh") PrintZsh(app);
      if (*shell == "fish") PrintFish(app);
      return kExitOk;
    };
  });
}

}  // namespace dxt::ctl
