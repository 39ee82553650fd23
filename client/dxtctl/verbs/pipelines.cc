#include <cctype>
#include <cstdio>

#include "client/dxtctl/apply_files.h"
#include "client/dxtctl/resources.h"
#include "client/dxtctl/rpc.h"
#include "client/dxtctl/run_table.h"
#include "client/dxtctl/schedule_table.h"
#include "client/dxtctl/verbs.h"
#include "dxt/v1/pipeline_service.pb.h"

namespace dxt::ctl {
namespace {

struct ApplyOptions {
  std::vector<std::string> files, paths;
  std::string etag;
  bool validate_only = false;
};

struct PipelineOptions {
  std::string name, note, etag;
  int64_t revision = 0;
  bool document = false, force = false;
};

struct PipelineListOptions {
  bool all_projects = false;
};

std::string OverlapText(const v1::Pipeline& pipeline) {
  std::string text = v1::Pipeline::Overlap_Name(pipeline.overlap());
  for (char& c : text) c = static_cast<char>(std::tolower(c));
  return pipeline.overlap() == v1::Pipeline::OVERLAP_UNSPECIFIED ? "" : text;
}

std::string PipelineOrigin(v1::Origin origin) {
  return origin == v1::ORIGIN_FOLDER ? "folder" : origin == v1::ORIGIN_API ? "api" : "";
}

void PrintPipeline(Invocation& invocation, const v1::Pipeline& pipeline) {
  const auto time = [&](const google::protobuf::Timestamp& at) {
    return TimeText(at, invocation.time_format());
  };
  PrintResource(
      invocation, pipeline, pipeline.name(),
      {{"pipeline", ShortName(pipeline.name())},
       {"description", pipeline.description()},
       {"revision", std::to_string(pipeline.revision())},
       {"streams", std::to_string(pipeline.streams())},
       {"paused", !pipeline.paused()              ? "no"
                  : pipeline.pause_note().empty() ? "yes"
                                                  : "yes: " + pipeline.pause_note()},
       {"overlap", OverlapText(pipeline)},
       {"origin", PipelineOrigin(pipeline.origin())},
       {"file", pipeline.document().path()},
       {"created", time(pipeline.create_time())},
       {"updated", time(pipeline.update_time())}});
}

Result<int> ApplyPipelines(Invocation& invocation, const ApplyOptions& options) {
  const auto wanted = [](const std::string& path) { return !IsProjectFile(path); };
  CTL_ASSIGN(const auto files, ReadApplyFiles(options.files, options.paths, wanted));
  if (!options.etag.empty() && files.size() != 1) {
    return UsageError("--etag is of one pipeline", "Apply one file at a time");
  }
  CTL_ASSIGN(const auto server, invocation.Server());
  int exit_code = kExitOk;
  for (const auto& file : files) {
    v1::ApplyPipelineRequest request;
    request.set_parent(ListParent(server, false));
    request.mutable_document()->set_path(file.path);
    request.mutable_document()->set_text(file.text);
    request.set_etag(options.etag);
    request.set_validate_only(options.validate_only);
    const auto applied = Call<v1::Pipeline>(server, request);
    if (!applied.ok()) {
      const Error error = invocation.Explained(applied.error());
      if (files.size() == 1 || error.exit_code == kExitNoDaemon) return applied.error();
      invocation.Report(error);  // The others may be stored all the same.
      exit_code = error.exit_code;
      continue;
    }
    if (!ForPeople(invocation)) {
      PrintResource(invocation, *applied, applied->name(), {});
    } else if (options.validate_only) {
      std::printf("%s: nothing is wrong with it; nothing was stored\n",
                  ShortName(applied->name()).c_str());
    } else {
      std::printf("%s: revision %lld\n", ShortName(applied->name()).c_str(),
                  static_cast<long long>(applied->revision()));
    }
  }
  return exit_code;
}

Result<int> ListPipelines(Invocation& invocation, const PipelineListOptions& options) {
  CTL_ASSIGN(const auto server, invocation.Server());
  v1::ListPipelinesRequest request;
  request.set_parent(ListParent(server, options.all_projects));
  request.set_page_size(1000);
  ResourceTable table("pipelines", {{"PIPELINE", ""},
                                    {"REVISION", "", false, true},
                                    {"STREAMS", "", false, true},
                                    {"PAUSED", ""},
                                    {"UPDATED", ""},
                                    {"OVERLAP", "", true},
                                    {"ORIGIN", "", true},
                                    {"NOTE", "", true},
                                    {"DESCRIPTION", ""}});
  do {
    CTL_ASSIGN(const auto page,
               Call<v1::ListPipelinesResponse>(server, request, {.attempts = 3}));
    for (const auto& pipeline : page.pipelines()) {
      table.Add(
          pipeline, pipeline.name(),
          {options.all_projects ? ShortName(pipeline.name()) : LastPart(pipeline.name()),
           std::to_string(pipeline.revision()), std::to_string(pipeline.streams()),
           pipeline.paused() ? "yes" : "no",
           TimeText(pipeline.update_time(), invocation.time_format()),
           OverlapText(pipeline), PipelineOrigin(pipeline.origin()),
           pipeline.pause_note(), pipeline.description()});
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  table.Print(invocation, "No pipeline is stored in " + request.parent() +
                              ": dxtctl pipelines apply -f PIPELINE.yaml");
  return kExitOk;
}

Result<int> GetPipeline(Invocation& invocation, const PipelineOptions& options) {
  CTL_ASSIGN(const auto server, invocation.Server());
  v1::GetPipelineRequest request;
  CTL_ASSIGN(*request.mutable_name(), ResourceName(server, "pipelines", options.name));
  request.set_revision(options.revision);
  CTL_ASSIGN(const auto pipeline, Call<v1::Pipeline>(server, request, {.attempts = 3}));
  if (options.document) {
    std::printf("%s", pipeline.document().text().c_str());
    return kExitOk;
  }
  PrintPipeline(invocation, pipeline);
  return kExitOk;
}

std::string Joined(const google::protobuf::RepeatedPtrField<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + ShortName(name);
  return text;
}

void PrintCursors(Invocation& invocation, const v1::PipelineDescription& description) {
  ResourceTable cursors("cursors", {{"STREAM", ""},
                                    {"LANE", "", true},
                                    {"WATERMARK", ""},
                                    {"WINDOW", "", false, true},
                                    {"UPDATED", ""}});
  for (const auto& cursor : description.cursors()) {
    cursors.Add(cursor, cursor.stream(),
                {cursor.stream(), cursor.lane(), cursor.value(),
                 std::to_string(cursor.window_seq()),
                 TimeText(cursor.update_time(), invocation.time_format())});
  }
  if (cursors.size() > 0) std::printf("\n");
  cursors.Print(invocation, "");
}

Result<int> Describe(Invocation& invocation, const PipelineOptions& options) {
  CTL_ASSIGN(const auto server, invocation.Server());
  v1::DescribePipelineRequest request;
  CTL_ASSIGN(*request.mutable_name(), ResourceName(server, "pipelines", options.name));
  CTL_ASSIGN(const auto description,
             Call<v1::PipelineDescription>(server, request, {.attempts = 3}));
  if (!ForPeople(invocation)) {
    PrintResource(invocation, description, description.pipeline().name(), {});
    return kExitOk;
  }
  PrintPipeline(invocation, description.pipeline());
  PrintResource(
      invocation, description, "",
      {{"runs after", Joined(description.upstreams())},
       {"followed by", Joined(description.downstreams())},
       {"next run", description.has_next_fire_time()
                        ? TimeText(description.next_fire_time(), invocation.time_format())
                        : ""}});
  ScheduleTable schedules(invocation);
  for (const auto& schedule : description.schedules()) schedules.Add(schedule);
  if (schedules.size() > 0) std::printf("\n");
  schedules.Print("");
  PrintCursors(invocation, description);
  RunTable runs(invocation);
  for (const auto& run : description.runs()) runs.Add(run);
  if (runs.size() > 0) std::printf("\n");
  runs.Print("It has not run yet: dxtctl submit " + options.name + " --wait");
  return kExitOk;
}

Result<int> DeletePipeline(Invocation& invocation, const PipelineOptions& options) {
  CTL_ASSIGN(const auto server, invocation.Server());
  v1::DeletePipelineRequest request;
  CTL_ASSIGN(*request.mutable_name(), ResourceName(server, "pipelines", options.name));
  CTL_RETURN_NOT_OK(Confirm(
      invocation, "Delete the pipeline " + ShortName(request.name()) +
                      (options.force ? ", its schedules and its dependencies?" : "?")));
  request.set_force(options.force);
  request.set_etag(options.etag);
  CTL_ASSIGN(const auto nothing, Call<google::protobuf::Empty>(server, request));
  invocation.Note("Deleted " + ShortName(request.name()) + "; its runs stay.");
  return kExitOk;
}

Result<int> Pause(Invocation& invocation, const PipelineOptions& options) {
  CTL_ASSIGN(const auto server, invocation.Server());
  v1::PausePipelineRequest request;
  CTL_ASSIGN(*request.mutable_name(), ResourceName(server, "pipelines", options.name));
  request.set_note(options.note);
  CTL_ASSIGN(const auto pipeline, Call<v1::Pipeline>(server, request));
  PrintPipeline(invocation, pipeline);
  return kExitOk;
}

Result<int> Resume(Invocation& invocation, const PipelineOptions& options) {
  CTL_ASSIGN(const auto server, invocation.Server());
  v1::ResumePipelineRequest request;
  CTL_ASSIGN(*request.mutable_name(), ResourceName(server, "pipelines", options.name));
  CTL_ASSIGN(const auto pipeline, Call<v1::Pipeline>(server, request));
  PrintPipeline(invocation, pipeline);
  return kExitOk;
}

using PipelineAction = Result<int> (*)(Invocation&, const PipelineOptions&);

Verb AddPipelineAction(Verb parent, Invocation& invocation, const char* name,
                       const char* help, const char* examples, PipelineAction action,
                       std::shared_ptr<PipelineOptions> options) {
  const Verb verb = parent.AddVerb(name, help);
  verb.Examples(examples);
  verb.Add("pipeline", options->name, "NAME or PROJECT/NAME").Required();
  verb.SetAction(invocation, options, action);
  return verb;
}

void AddApply(Verb parent, Invocation& invocation) {
  auto options = std::make_shared<ApplyOptions>();
  const Verb verb = parent.AddVerb("apply", "Store pipelines, or change stored ones");
  verb.Examples(
      "  dxtctl pipelines apply -f orders.yaml\n"
      "  dxtctl pipelines apply -f pipelines/ --validate-only");
  verb.Add("--file,-f", options->files,
           "Pipeline file, folder of them, or - for stdin; may be repeated");
  verb.Add("path", options->paths, "As --file");
  verb.AddFlag("--validate-only,--dry-run", options->validate_only,
               "Check them; store nothing");
  verb.Add("--etag", options->etag,
           "Only if the stored one is still this (etag of `get -o json`)");
  verb.SetAction(invocation, options, ApplyPipelines);
}

void AddPipelineListing(Verb parent, Invocation& invocation) {
  auto options = std::make_shared<PipelineListOptions>();
  const Verb verb = parent.AddVerb("list", "List stored pipelines");
  verb.Examples("  dxtctl pipelines list -A -o wide");
  verb.AddFlag("--all-projects,-A", options->all_projects, "Of every project");
  verb.SetAction(invocation, options, ListPipelines);
}

void AddGet(Verb parent, Invocation& invocation) {
  auto options = std::make_shared<PipelineOptions>();
  const Verb verb =
      AddPipelineAction(parent, invocation, "get", "Show a stored pipeline",
                        "  dxtctl pipelines get orders\n"
                        "  dxtctl pipelines get orders --document > orders.yaml\n"
                        "  dxtctl pipelines get orders --revision 3 -o json",
                        GetPipeline, options);
  verb.Add("--revision", options->revision, "An earlier one (default: newest)")
      .Between(0, INT64_MAX);
  verb.AddFlag("--document", options->document, "Print its document instead");
}

void AddDelete(Verb parent, Invocation& invocation) {
  auto options = std::make_shared<PipelineOptions>();
  const Verb verb = AddPipelineAction(
      parent, invocation, "delete", "Delete a stored pipeline",
      "  dxtctl pipelines delete orders --yes", DeletePipeline, options);
  verb.AddFlag("--force", options->force, "Its schedules and dependencies too");
  verb.Add("--etag", options->etag, "Only if the stored one is still this");
}

}  // namespace

void AddPipelines(Verb root, Invocation& invocation) {
  const Verb verb = root.AddVerb("pipelines", "Store, show, pause and delete pipelines");
  verb.Examples(
      "  dxtctl pipelines apply -f orders.yaml\n"
      "  dxtctl pipelines describe orders\n"
      "  dxtctl pipelines pause orders --note 'migration until Monday'");
  verb.RequireVerb();
  AddApply(verb, invocation);
  AddPipelineListing(verb, invocation);
  AddGet(verb, invocation);
  AddPipelineAction(verb, invocation, "describe",
                    "Show a pipeline, where it stands, its schedules and last runs",
                    "  dxtctl pipelines describe orders", Describe,
                    std::make_shared<PipelineOptions>());
  AddDelete(verb, invocation);
  auto paused = std::make_shared<PipelineOptions>();
  AddPipelineAction(
      verb, invocation, "pause", "Let nothing start it; a running run goes on",
      "  dxtctl pipelines pause orders --note 'migration until Monday'", Pause, paused)
      .Add("--note", paused->note, "Why, for whoever looks");
  AddPipelineAction(verb, invocation, "resume", "Let it be started again",
                    "  dxtctl pipelines resume orders", Resume,
                    std::make_shared<PipelineOptions>());
}

}  // namespace dxt::ctl
