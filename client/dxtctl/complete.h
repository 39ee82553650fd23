#pragma once
#include <string>
#include <vector>

#include "client/dxtctl/invocation.h"

namespace CLI {
class App;
}

namespace dxt::ctl {

/// What may stand in the place of the last of `words` (which follow "dxtctl"). Names come
/// from the daemon that the words, the environment or the contexts name, within a second
/// or not at all.
struct Candidates {
  std::vector<std::string> words;
  bool files = false;  ///< Paths may stand there too.
};
Candidates Complete(const CLI::App& root, Invocation& invocation,
                    const std::vector<std::string>& words);

}  // namespace dxt::ctl
