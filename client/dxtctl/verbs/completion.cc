#include <cstdio>

#include "client/dxtctl/complete.h"
#include "client/dxtctl/rpc_verbs.h"
#include "client/dxtctl/verbs.h"

namespace dxt::ctl {
namespace {

// Every shell asks dxtctl itself: one candidate a line, then ":files" where paths may
// stand.
constexpr const char* kBash = R"sh(# source <(dxtctl completion bash)
_dxtctl() {
  local current=${COMP_WORDS[COMP_CWORD]} line
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen -f -- "$current")
    else
      COMPREPLY+=("$line")
    fi
  done < <(dxtctl __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _dxtctl dxtctl
)sh";

constexpr const char* kZsh = R"sh(#compdef dxtctl
# dxtctl completion zsh > "${fpath[1]}/_dxtctl"
_dxtctl() {
  local line
  local -a found
  for line in ${(f)"$(dxtctl __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)"}; do
    if [[ $line == :files ]]; then
      _files
    else
      found+=("$line")
    fi
  done
  compadd -- $found
}
if [[ $funcstack[1] == _dxtctl ]]; then
  _dxtctl
else
  compdef _dxtctl dxtctl
fi
)sh";

constexpr const char* kFish =
    R"sh(# dxtctl completion fish > ~/.config/fish/completions/dxtctl.fish
function __dxtctl_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    for line in (dxtctl __complete -- $words[2..-1] "$current" 2>/dev/null)
        if test "$line" = :files
            __fish_complete_path "$current"
        else
            echo $line
        end
    end
end
complete -c dxtctl -f -a '(__dxtctl_complete)'
)sh";

}  // namespace

void AddCompletion(Verb root, Invocation& invocation) {
  auto shell = std::make_shared<std::string>();
  const Verb verb = root.AddVerb("completion", "Print completions for a shell");
  verb.Examples(
      "  source <(dxtctl completion bash)\n"
      "  dxtctl completion fish > ~/.config/fish/completions/dxtctl.fish");
  verb.Add("shell", *shell, "bash, zsh or fish")
      .Required()
      .OneOf({"bash", "zsh", "fish"});
  verb.SetAction(invocation, [shell]() -> Result<int> {
    std::printf("%s", *shell == "bash" ? kBash : *shell == "zsh" ? kZsh : kFish);
    return kExitOk;
  });
  // For the test that makes every call once.
  const Verb calls = root.AddVerb("__calls", "Print the verb of each call of the API");
  calls.Hide();
  calls.SetAction(invocation, []() -> Result<int> {
    for (const auto& [rpc, name] : RpcVerbs()) std::printf("%s\t%s\n", rpc, name);
    return kExitOk;
  });
  // What the shells call.
  auto words = std::make_shared<std::vector<std::string>>();
  const Verb complete = root.AddVerb("__complete", "Answer a shell");
  complete.Hide();
  complete.Add("words", *words, "The words after dxtctl");
  complete.SetAction(invocation, [words, root, &invocation]() -> Result<int> {
    const Candidates found = Complete(root.parser(), invocation, *words);
    for (const auto& word : found.words) std::printf("%s\n", word.c_str());
    if (found.files) std::printf(":files\n");
    return kExitOk;
  });
}

}  // namespace dxt::ctl
