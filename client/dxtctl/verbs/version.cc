#include <cstdio>

#include <CLI/CLI.hpp>

#include "client/dxtctl/invocation.h"
#include "client/dxtctl/verbs.h"

namespace dxt::ctl {

void AddVersion(CLI::App& app, Invocation& invocation) {
  auto* verb = app.add_subcommand("version", "Print the version");
  verb->callback([&invocation] {
    invocation.action = [&invocation]() -> Result<int> {
      switch (invocation.format()) {
        case OutputFormat::kJson:
        case OutputFormat::kJsonl:
          std::printf("{\"version\":\"%s\"}\n", DXT_VERSION);
          break;
        case OutputFormat::kYaml:
          std::printf("version: \"%s\"\n", DXT_VERSION);
          break;
        case OutputFormat::kName:
          std::printf("%s\n", DXT_VERSION);
          break;
        case OutputFormat::kTable:
        case OutputFormat::kWide:
          std::printf("dxtctl %s\n", DXT_VERSION);
          break;
      }
      return kExitOk;
    };
  });
}

}  // namespace dxt::ctl
