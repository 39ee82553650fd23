#include <cstdio>

#include <nlohmann/json.hpp>

#include "client/dxtctl/invocation.h"
#include "client/dxtctl/output.h"
#include "client/dxtctl/verbs.h"

namespace dxt::ctl {

void AddVersion(Verb root, Invocation& invocation) {
  const Verb verb = root.AddVerb("version", "Print the version");
  verb.SetAction(invocation, [&invocation]() -> Result<int> {
    switch (invocation.format()) {
      case OutputFormat::kJson:
      case OutputFormat::kJsonl:
        PrintJson(invocation, {{"version", DXT_VERSION}});
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
  });
}

}  // namespace dxt::ctl
