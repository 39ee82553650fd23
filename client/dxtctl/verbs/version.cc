#include <cstdio>

#include <CLI/CLI.hpp>

#include "client/dxtctl/invocation.h"
#include "client/dxtctl/verbs.h"

namespace dxt::ctl {

void AddVersion(CLI::App& app, Invocation& invocation) {
  auto* verb = app.add_subcommand("version", "Print the version");
  verb->callback([&invocation] {
    invocation.action = [&invocation]() -> Result<int> {
      if (invocation.format() == OutputFormat::kJson) {
        std::printf("{\"version\":\"%s\"}\n", DXT_VERSION);
      } else {
        std::printf("dxtctl %s\n", DXT_VERSION);
      }
      return kExitOk;
    };
  });
}

}  // namespace dxt::ctl
