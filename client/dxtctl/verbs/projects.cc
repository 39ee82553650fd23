#include <cstdio>

#include "client/dxtctl/apply_files.h"
#include "client/dxtctl/resources.h"
#include "client/dxtctl/rpc.h"
#include "client/dxtctl/verbs.h"
#include "dxt/v1/project_service.pb.h"

namespace dxt::ctl {
namespace {

struct ProjectOptions {
  std::vector<std::string> files, paths;
  std::string name, etag;
  bool validate_only = false, document = false, force = false;
};

using ProjectAction = Result<int> (*)(Invocation&, const ProjectOptions&);

/// "projects/{project}" of "shop" or the full name.
Result<std::string> ProjectResource(const std::string& text) {
  const std::string id = text.starts_with("projects/") ? text.substr(9) : text;
  if (IsResourceId(id)) return "projects/" + id;
  return UsageError("'" + text + "' is not the name of a project",
                    "`dxtctl projects list` shows them");
}

std::string ProjectOrigin(v1::Origin origin) {
  return origin == v1::ORIGIN_FOLDER ? "folder" : origin == v1::ORIGIN_API ? "api" : "";
}

void PrintProject(Invocation& invocation, const v1::Project& project) {
  const TimeFormat format = invocation.time_format();
  PrintResource(invocation, project, project.name(),
                {{"project", LastPart(project.name())},
                 {"revision", std::to_string(project.revision())},
                 {"origin", ProjectOrigin(project.origin())},
                 {"file", project.document().path()},
                 {"created", TimeText(project.create_time(), format)},
                 {"updated", TimeText(project.update_time(), format)}});
}

Result<int> ApplyProject(Invocation& invocation, const ProjectOptions& options) {
  CTL_ASSIGN(const auto files,
             ReadApplyFiles(options.files, options.paths, IsProjectFile));
  if (!options.etag.empty() && files.size() != 1) {
    return UsageError("--etag is of one project", "Apply one file at a time");
  }
  CTL_ASSIGN(const auto server, invocation.Server());
  for (const auto& file : files) {
    v1::ApplyProjectRequest request;
    request.mutable_document()->set_path(file.path);
    request.mutable_document()->set_text(file.text);
    request.set_etag(options.etag);
    request.set_validate_only(options.validate_only);
    CTL_ASSIGN(const auto project, Call<v1::Project>(server, request));
    if (!ForPeople(invocation)) {
      PrintResource(invocation, project, project.name(), {});
    } else if (options.validate_only) {
      std::printf("%s: nothing is wrong with it; nothing was stored\n",
                  LastPart(project.name()).c_str());
    } else {
      std::printf("%s: revision %lld\n", LastPart(project.name()).c_str(),
                  static_cast<long long>(project.revision()));
    }
  }
  return kExitOk;
}

Result<int> ListProjects(Invocation& invocation, const ProjectOptions&) {
  CTL_ASSIGN(const auto server, invocation.Server());
  v1::ListProjectsRequest request;
  request.set_page_size(1000);
  ResourceTable table("projects", {{"PROJECT", ""},
                                   {"REVISION", "", false, true},
                                   {"UPDATED", ""},
                                   {"ORIGIN", ""},
                                   {"FILE", "", true}});
  do {
    CTL_ASSIGN(const auto page,
               Call<v1::ListProjectsResponse>(server, request, {.attempts = 3}));
    for (const auto& project : page.projects()) {
      table.Add(project, project.name(),
                {LastPart(project.name()), std::to_string(project.revision()),
                 TimeText(project.update_time(), invocation.time_format()),
                 ProjectOrigin(project.origin()), project.document().path()});
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  table.Print(invocation,
              "No project is stored: dxtctl projects apply -f dxt_project.yaml");
  return kExitOk;
}

Result<int> GetProject(Invocation& invocation, const ProjectOptions& options) {
  CTL_ASSIGN(const auto server, invocation.Server());
  v1::GetProjectRequest request;
  CTL_ASSIGN(*request.mutable_name(), ProjectResource(options.name));
  CTL_ASSIGN(const auto project, Call<v1::Project>(server, request, {.attempts = 3}));
  if (options.document) {
    std::printf("%s", project.document().text().c_str());
    return kExitOk;
  }
  PrintProject(invocation, project);
  return kExitOk;
}

Result<int> DeleteProject(Invocation& invocation, const ProjectOptions& options) {
  CTL_ASSIGN(const auto server, invocation.Server());
  v1::DeleteProjectRequest request;
  CTL_ASSIGN(*request.mutable_name(), ProjectResource(options.name));
  const std::string name = LastPart(request.name());
  CTL_RETURN_NOT_OK(
      Confirm(invocation, "Delete the project " + name +
                              (options.force ? " and every pipeline in it?" : "?")));
  request.set_force(options.force);
  CTL_ASSIGN(const auto nothing, Call<google::protobuf::Empty>(server, request));
  invocation.Note("Deleted " + name + "; its runs stay.");
  return kExitOk;
}

Verb AddProjectAction(Verb parent, Invocation& invocation, const char* name,
                      const char* help, const char* examples, ProjectAction action,
                      std::shared_ptr<ProjectOptions> options, bool named) {
  const Verb verb = parent.AddVerb(name, help);
  verb.Examples(examples);
  if (named) verb.Add("name", options->name, "Name of a project").Required();
  verb.SetAction(invocation, options, action);
  return verb;
}

}  // namespace

void AddProjects(Verb root, Invocation& invocation) {
  const Verb verb = root.AddVerb("projects", "Store, show and delete project files");
  verb.Examples(
      "  dxtctl projects apply -f dxt_project.yaml\n"
      "  dxtctl projects list");
  verb.RequireVerb();
  auto applied = std::make_shared<ProjectOptions>();
  const Verb apply = AddProjectAction(
      verb, invocation, "apply", "Store a project file, or change the stored one",
      "  dxtctl projects apply -f dxt_project.yaml", ApplyProject, applied,
      /*named=*/false);
  apply.Add("--file,-f", applied->files,
            "Project file, its folder, or - for stdin; may be repeated");
  apply.Add("path", applied->paths, "As --file");
  apply.AddFlag("--validate-only,--dry-run", applied->validate_only,
                "Check it; store nothing");
  apply.Add("--etag", applied->etag,
            "Only if the stored one is still this (etag of `get -o json`)");
  AddProjectAction(verb, invocation, "list", "List stored projects",
                   "  dxtctl projects list -o name", ListProjects,
                   std::make_shared<ProjectOptions>(),
                   /*named=*/false);
  auto got = std::make_shared<ProjectOptions>();
  AddProjectAction(verb, invocation, "get", "Show a stored project",
                   "  dxtctl projects get shop\n"
                   "  dxtctl projects get shop --document > dxt_project.yaml",
                   GetProject, got, /*named=*/true)
      .AddFlag("--document", got->document, "Print its document instead");
  auto deleted = std::make_shared<ProjectOptions>();
  AddProjectAction(verb, invocation, "delete", "Delete a stored project",
                   "  dxtctl projects delete shop --yes", DeleteProject, deleted,
                   /*named=*/true)
      .AddFlag("--force", deleted->force, "Its pipelines too");
}

}  // namespace dxt::ctl
