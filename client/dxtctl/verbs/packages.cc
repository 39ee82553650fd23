#include <cstdio>

#include <google/protobuf/util/time_util.h>
#include <nlohmann/json.hpp>

#include "client/dxtctl/output.h"
#include "client/dxtctl/pipeline_name.h"
#include "client/dxtctl/run_verb.h"
#include "client/dxtctl/verbs.h"
#include "dxt/v1/package_service.pb.h"

namespace dxt::ctl {
namespace {

using Json = nlohmann::ordered_json;

Json PackageRow(const v1::Package& package) {
  const auto text = [](const std::string& value) {
    return value.empty() ? Json() : Json(value);
  };
  Json row = {
      {"load_id", package.load_id()},
      {"name", package.name()},
      {"pipeline", package.pipeline()},
      {"stream", package.stream()},
      {"lane", text(package.lane())},
      {"state", package.state()},
      {"rows", package.rows()},
      {"bytes", package.bytes()},
      {"cursor_before", text(package.cursor_before())},
      {"cursor_after", text(package.cursor_after())},
      {"run", text(package.run())},
      {"created_at",
       package.has_create_time()
           ? Json(google::protobuf::util::TimeUtil::ToString(package.create_time()))
           : Json()},
      {"path", package.path()}};
  Json segments = Json::array();
  for (const auto& segment : package.segments()) {
    segments.push_back({{"file", segment.file()},
                        {"rows", segment.rows()},
                        {"bytes", segment.bytes()},
                        {"sha256", segment.sha256()}});
  }
  row["segments"] = segments;
  return row;
}

struct PackagesCall {
  std::unique_ptr<Daemon> daemon;
  std::string pipeline;
};

/// `what` is a pipeline file or name, or a load id.
struct PackagesOptions {
  std::string what;
  std::vector<std::string> variables;
};

Result<PackagesCall> BeginPackages(Invocation& invocation, const std::string& pipeline,
                                   const std::vector<std::string>& variables = {}) {
  DocumentOptions wanted;
  wanted.variables = variables;
  const bool document = IsDocumentArgument(pipeline);
  if (document) wanted.pipeline = pipeline;
  CTL_ASSIGN(const Documents documents, invocation.Load(wanted));
  PackagesCall call;
  CTL_ASSIGN(call.daemon, invocation.Connect(documents));
  CTL_ASSIGN(call.pipeline,
             PipelineResourceName(*call.daemon, documents, document ? "" : pipeline));
  return call;
}

Result<v1::ListPackagesResponse> FetchPackages(const PackagesCall& call) {
  v1::ListPackagesRequest request;
  request.set_parent(call.pipeline);
  return call.daemon->Call<v1::ListPackagesResponse>(request);
}

Result<int> ListPackages(Invocation& invocation, const PackagesOptions& options) {
  CTL_ASSIGN(PackagesCall call,
             BeginPackages(invocation, options.what, options.variables));
  CTL_ASSIGN(const auto response, FetchPackages(call));
  Json rows = Json::array();
  for (const auto& package : response.packages()) rows.push_back(PackageRow(package));
  PrintListing({"packages",
                "load_id",
                {{"LOAD", "load_id"},
                 {"PIPELINE", "pipeline"},
                 {"STREAM", "stream"},
                 {"STATE", "state"},
                 {"ROWS", "rows", false, true},
                 {"BYTES", "bytes", false, true},
                 {"CURSOR", "cursor_after"},
                 {"CREATED", "created_at"},
                 {"PATH", "path", true}}},
               rows, invocation);
  return kExitOk;
}

Result<int> ShowPackage(Invocation& invocation, const PackagesOptions& options) {
  CTL_ASSIGN(PackagesCall call, BeginPackages(invocation, ""));
  v1::GetPackageRequest request;
  request.set_name("projects/-/packages/" + options.what);
  CTL_ASSIGN(const auto package, call.daemon->Call<v1::Package>(request));
  const bool json = invocation.format() == OutputFormat::kJson ||
                    invocation.format() == OutputFormat::kJsonl;
  const Json row = PackageRow(package);
  if (json) {
    PrintJson(invocation, row);
  } else {
    std::printf("%s", ToYaml(row).c_str());
  }
  return kExitOk;
}

Status DropOne(const PackagesCall& call, const std::string& name) {
  v1::DropPackageRequest request;
  request.set_name(name);
  CTL_RETURN_NOT_OK(call.daemon->Call<google::protobuf::Empty>(request));
  return Done{};
}

/// One package by its load id, or all that wait of a pipeline.
Result<int> DropPackages(Invocation& invocation, const PackagesOptions& options) {
  const std::string& what = options.what;
  if (!IsDocumentArgument(what)) {
    CTL_ASSIGN(PackagesCall call, BeginPackages(invocation, ""));
    CTL_RETURN_NOT_OK(DropOne(call, "projects/-/packages/" + what));
    invocation.Note("Dropped " + what + "; its rows are read again by the next extract.");
    return kExitOk;
  }
  CTL_ASSIGN(PackagesCall call, BeginPackages(invocation, what, options.variables));
  CTL_ASSIGN(const auto response, FetchPackages(call));
  int dropped = 0;
  for (const auto& package : response.packages()) {
    if (package.state() == "writing") continue;
    CTL_RETURN_NOT_OK(DropOne(call, package.name()));
    ++dropped;
  }
  invocation.Note("Dropped " + Counted(dropped, "package") +
                  (dropped == 0 ? "; none was there."
                                : "; the next extract reads those rows again."));
  return kExitOk;
}

using PackageAction = Result<int> (*)(Invocation&, const PackagesOptions&);

/// What a verb's argument is called, and means.
struct PackageArgument {
  const char* name;
  const char* help;
  bool required;
  bool pipeline;  ///< May be a pipeline file, whose SQL may want variables.
};

void AddPackageAction(Verb parent, Invocation& invocation, const char* name,
                      const char* help, const PackageArgument& argument,
                      PackageAction action) {
  auto options = std::make_shared<PackagesOptions>();
  const Verb verb = parent.AddVerb(name, help);
  verb.Add("what", options->what, argument.help)
      .Placeholder(argument.name)
      .Required(argument.required);
  if (argument.pipeline) AddVariablesOption(verb, options->variables);
  verb.SetAction(invocation, options, action);
}

}  // namespace

void AddPackages(Verb root, Invocation& invocation) {
  const Verb verb = root.AddVerb("packages", "List, show or drop extracted packages");
  verb.RequireVerb();
  const PackageArgument all{"PIPELINE", "Pipeline file or name (default: all)", false,
                            true};
  const PackageArgument one{"LOAD_ID", "As `packages list` names it", true, false};
  const PackageArgument dropped{"LOAD_ID|PIPELINE",
                                "One package, or all of a pipeline file", true, true};
  AddPackageAction(verb, invocation, "list", "List packages, oldest first", all,
                   ListPackages);
  AddPackageAction(verb, invocation, "show", "Show one package and its files", one,
                   ShowPackage);
  AddPackageAction(verb, invocation, "drop", "Delete a package, or all of a pipeline",
                   dropped, DropPackages);
  AddPackageAction(root, invocation, "drop-pending-packages", "The same as packages drop",
                   dropped, DropPackages);
}

}  // namespace dxt::ctl
