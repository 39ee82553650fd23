#pragma once
#include <span>

#include "client/dxtctl/verb.h"

namespace dxt::ctl {

// Each is defined in verbs/<verb>.cc: adds the verb, what it takes and what carries it
// out.
void AddAdmin(Verb root, Invocation& invocation);
void AddCompletion(Verb root, Invocation& invocation);
void AddConnections(Verb root, Invocation& invocation);
void AddConnectors(Verb root, Invocation& invocation);
void AddContext(Verb root, Invocation& invocation);
void AddCopy(Verb root, Invocation& invocation);
void AddDeps(Verb root, Invocation& invocation);
void AddDiscover(Verb root, Invocation& invocation);
void AddDlq(Verb root, Invocation& invocation);
void AddDoctor(Verb root, Invocation& invocation);
void AddExtract(Verb root, Invocation& invocation);
void AddInit(Verb root, Invocation& invocation);
void AddJsonSchema(Verb root, Invocation& invocation);
void AddList(Verb root, Invocation& invocation);
void AddLoad(Verb root, Invocation& invocation);
void AddPackages(Verb root, Invocation& invocation);
void AddPipelines(Verb root, Invocation& invocation);
void AddPlan(Verb root, Invocation& invocation);
void AddDiff(Verb root, Invocation& invocation);
void AddVerify(Verb root, Invocation& invocation);
void AddPreview(Verb root, Invocation& invocation);
void AddProjects(Verb root, Invocation& invocation);
void AddRun(Verb root, Invocation& invocation);
void AddRuns(Verb root, Invocation& invocation);
void AddSchedules(Verb root, Invocation& invocation);
void AddState(Verb root, Invocation& invocation);
void AddStatus(Verb root, Invocation& invocation);
void AddSubmit(Verb root, Invocation& invocation);
void AddTest(Verb root, Invocation& invocation);
void AddValidate(Verb root, Invocation& invocation);
void AddVersion(Verb root, Invocation& invocation);

/// All verbs, in the order in which --help lists them.
std::span<void (*const)(Verb, Invocation&)> AllVerbs();

}  // namespace dxt::ctl
