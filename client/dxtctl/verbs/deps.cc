
#include "client/dxtctl/resources.h"
#include "client/dxtctl/rpc.h"
#include "client/dxtctl/verbs.h"
#include "dxt/v1/dependency_service.pb.h"

namespace dxt::ctl {
namespace {

struct DepsOptions {
  std::string upstream, downstream, pipeline;
  bool up = false, down = false, transitive = false;
};

Result<int> AddDependency(Invocation& invocation, const DepsOptions& options) {
  CTL_ASSIGN(const auto server, invocation.Server());
  v1::CreateDependencyRequest request;
  auto& dependency = *request.mutable_dependency();
  CTL_ASSIGN(*dependency.mutable_upstream(),
             ResourceName(server, "pipelines", options.upstream));
  CTL_ASSIGN(*dependency.mutable_downstream(),
             ResourceName(server, "pipelines", options.downstream));
  request.set_parent(
      dependency.upstream().substr(0, dependency.upstream().find("/pipelines/")));
  CTL_ASSIGN(const auto created, Call<v1::Dependency>(server, request));
  PrintResource(invocation, created, created.name(),
                {{"pipeline", ShortName(created.downstream())},
                 {"runs after", ShortName(created.upstream())}});
  return kExitOk;
}

Result<int> ListDependencies(Invocation& invocation, const DepsOptions& options) {
  CTL_ASSIGN(const auto server, invocation.Server());
  v1::ListDependenciesRequest request;
  request.set_parent(ListParent(server, false));
  if (!options.pipeline.empty()) {
    CTL_ASSIGN(*request.mutable_pipeline(),
               ResourceName(server, "pipelines", options.pipeline));
    request.set_parent(
        request.pipeline().substr(0, request.pipeline().find("/pipelines/")));
  } else if (options.up || options.down || options.transitive) {
    return UsageError("--upstream, --downstream and --transitive are of one pipeline",
                      "Name it: dxtctl deps list PIPELINE --upstream");
  }
  if (options.up && !options.down)
    request.set_direction(v1::ListDependenciesRequest::UPSTREAM);
  if (options.down && !options.up)
    request.set_direction(v1::ListDependenciesRequest::DOWNSTREAM);
  request.set_transitive(options.transitive);
  CTL_ASSIGN(const auto response,
             Call<v1::ListDependenciesResponse>(server, request, {.attempts = 3}));
  ResourceTable table("dependencies",
                      {{"UPSTREAM", ""}, {"DOWNSTREAM", ""}, {"CREATED", "", true}});
  for (const auto& dependency : response.dependencies()) {
    table.Add(dependency, dependency.name(),
              {LastPart(dependency.upstream()), LastPart(dependency.downstream()),
               TimeText(dependency.create_time(), invocation.time_format())});
  }
  table.Print(invocation,
              "No pipeline runs after another: dxtctl deps add UPSTREAM DOWNSTREAM");
  return kExitOk;
}

Result<int> DeleteDependency(Invocation& invocation, const DepsOptions& options) {
  CTL_ASSIGN(const auto server, invocation.Server());
  CTL_ASSIGN(const auto upstream, ResourceName(server, "pipelines", options.upstream));
  CTL_ASSIGN(const auto downstream,
             ResourceName(server, "pipelines", options.downstream));
  const std::string edge = LastPart(upstream) + ".." + LastPart(downstream);
  CTL_RETURN_NOT_OK(Confirm(invocation, "Delete the dependency " + edge + "?"));
  v1::DeleteDependencyRequest request;
  request.set_name(upstream.substr(0, upstream.find("/pipelines/")) + "/dependencies/" +
                   edge);
  CTL_ASSIGN(const auto nothing, Call<google::protobuf::Empty>(server, request));
  invocation.Note(ShortName(downstream) + " no longer runs after " + ShortName(upstream) +
                  ".");
  return kExitOk;
}

using DepsAction = Result<int> (*)(Invocation&, const DepsOptions&);

Verb AddDepsAction(Verb parent, Invocation& invocation, const char* name,
                   const char* help, const char* examples, DepsAction action,
                   std::shared_ptr<DepsOptions> options) {
  const Verb verb = parent.AddVerb(name, help);
  verb.Examples(examples);
  verb.SetAction(invocation, options, action);
  return verb;
}

void AddEnds(Verb verb, DepsOptions& options) {
  verb.Add("upstream", options.upstream, "The pipeline that runs first").Required();
  verb.Add("downstream", options.downstream,
           "The one that runs when all its upstreams have succeeded")
      .Required();
}

}  // namespace

void AddDeps(Verb root, Invocation& invocation) {
  const Verb verb = root.AddVerb("deps", "Say which pipeline runs after which");
  verb.Examples(
      "  dxtctl deps add orders revenue          revenue runs after orders\n"
      "  dxtctl deps list revenue --upstream --transitive");
  verb.RequireVerb();
  auto added = std::make_shared<DepsOptions>();
  AddEnds(AddDepsAction(verb, invocation, "add", "Let a pipeline run after another",
                        "  dxtctl deps add orders revenue", AddDependency, added),
          *added);
  auto listed = std::make_shared<DepsOptions>();
  const Verb list =
      AddDepsAction(verb, invocation, "list", "List them in the order of execution",
                    "  dxtctl deps list\n"
                    "  dxtctl deps list revenue --upstream --transitive",
                    ListDependencies, listed);
  list.Add("pipeline", listed->pipeline, "Only those of this pipeline");
  list.AddFlag("--upstream", listed->up, "Only what it runs after");
  list.AddFlag("--downstream", listed->down, "Only what runs after it");
  list.AddFlag("--transitive", listed->transitive,
               "Also those of its neighbours, and theirs");
  auto deleted = std::make_shared<DepsOptions>();
  AddEnds(AddDepsAction(verb, invocation, "delete", "Let it no longer do so",
                        "  dxtctl deps delete orders revenue --yes", DeleteDependency,
                        deleted),
          *deleted);
}

}  // namespace dxt::ctl
