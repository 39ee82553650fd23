#pragma once
#include <span>

namespace CLI {
class App;
}

namespace dxt::ctl {

class Invocation;

// Each is defined in verbs/<verb>.cc: adds the verb's options to the parser and sets
// Invocation::action when the verb is named.
void AddAdmin(CLI::App& app, Invocation& invocation);
void AddCompletion(CLI::App& app, Invocation& invocation);
void AddConnections(CLI::App& app, Invocation& invocation);
void AddConnectors(CLI::App& app, Invocation& invocation);
void AddContext(CLI::App& app, Invocation& invocation);
void AddCopy(CLI::App& app, Invocation& invocation);
void AddDeps(CLI::App& app, Invocation& invocation);
void AddDiscover(CLI::App& app, Invocation& invocation);
void AddDoctor(CLI::App& app, Invocation& invocation);
void AddExtract(CLI::App& app, Invocation& invocation);
void AddInit(CLI::App& app, Invocation& invocation);
void AddJsonSchema(CLI::App& app, Invocation& invocation);
void AddList(CLI::App& app, Invocation& invocation);
void AddLoad(CLI::App& app, Invocation& invocation);
void AddPackages(CLI::App& app, Invocation& invocation);
void AddPipelines(CLI::App& app, Invocation& invocation);
void AddPlan(CLI::App& app, Invocation& invocation);
void AddPreview(CLI::App& app, Invocation& invocation);
void AddProjects(CLI::App& app, Invocation& invocation);
void AddRun(CLI::App& app, Invocation& invocation);
void AddRuns(CLI::App& app, Invocation& invocation);
void AddSchedules(CLI::App& app, Invocation& invocation);
void AddState(CLI::App& app, Invocation& invocation);
void AddStatus(CLI::App& app, Invocation& invocation);
void AddSubmit(CLI::App& app, Invocation& invocation);
void AddTest(CLI::App& app, Invocation& invocation);
void AddValidate(CLI::App& app, Invocation& invocation);
void AddVersion(CLI::App& app, Invocation& invocation);

/// All verbs, in the order in which --help lists them.
std::span<void (*const)(CLI::App&, Invocation&)> AllVerbs();

}  // namespace dxt::ctl
