#include "client/dxtctl/verbs.h"

namespace dxt::ctl {

std::span<void (*const)(CLI::App&, Invocation&)> AllVerbs() {
  static constexpr void (*kVerbs[])(CLI::App&, Invocation&) = {
      AddInit,     AddRun,        AddPlan,       AddExtract,  AddLoad,       AddCopy,
      AddValidate, AddList,       AddPreview,    AddDiscover, AddTest,       AddState,
      AddPackages, AddConnectors, AddJsonSchema, AddVersion,  AddCompletion,
  };
  return kVerbs;
}

}  // namespace dxt::ctl
