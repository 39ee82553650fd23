#include "client/dxtctl/verbs.h"

namespace dxt::ctl {

std::span<void (*const)(Verb, Invocation&)> AllVerbs() {
  static constexpr void (*kVerbs[])(Verb, Invocation&) = {
      // Here, or with a daemon.
      AddInit,
      AddRun,
      AddPlan,
      AddDiff,
      AddVerify,
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
      AddDlq,
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

}  // namespace dxt::ctl
