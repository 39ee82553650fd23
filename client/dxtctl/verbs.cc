#include "client/dxtctl/verbs.h"

#include <CLI/App.hpp>

#include "client/dxtctl/verb_action.h"

namespace dxt::ctl {

std::span<void (*const)(CLI::App&, Invocation&)> AllVerbs() {
  static constexpr void (*kVerbs[])(CLI::App&, Invocation&) = {
      // Here, or with a daemon.
      AddInit,
      AddRun,
      AddPlan,
      AddExtract,
      AddLoad,
      AddCopy,
      AddValidate,
      AddList,
      AddPreview,
      AddDiscover,
      AddTest,
      AddState,
      AddPackages,
      // What a daemon holds.
      AddSubmit,
      AddRuns,
      AddPipelines,
      AddSchedules,
      AddDeps,
      AddProjects,
      AddConnections,
      AddStatus,
      AddDoctor,
      AddAdmin,
      AddContext,
      // About dxt.
      AddConnectors,
      AddJsonSchema,
      AddVersion,
      AddCompletion,
  };
  return kVerbs;
}

void SetAction(CLI::App& verb, Invocation& invocation,
               std::function<Result<int>()> action) {
  verb.callback(
      [&invocation, action = std::move(action)] { invocation.action = action; });
}

}  // namespace dxt::ctl
