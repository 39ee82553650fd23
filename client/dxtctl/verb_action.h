#pragma once
// The tie between a verb of the command line and the function that carries it out.
#include <functional>
#include <memory>

#include "client/dxtctl/invocation.h"

namespace CLI {
class App;
}

namespace dxt::ctl {

/// When `verb` is named, `action` is what the invocation does.
void SetAction(CLI::App& verb, Invocation& invocation,
               std::function<Result<int>()> action);

/// Likewise; `action` is called with the options that the parser has filled.
template <typename Options, typename Action>
void SetAction(CLI::App& verb, Invocation& invocation, std::shared_ptr<Options> options,
               Action action) {
  SetAction(verb, invocation,
            [=, &invocation]() -> Result<int> { return action(invocation, *options); });
}

}  // namespace dxt::ctl
