#include "client/dxtctl/invocation.h"

#include <cstdio>
#include <cstdlib>

#include "client/dxtctl/json_path.h"
#include "client/dxtctl/state_folder.h"
#include "client/dxtctl/variables.h"

namespace dxt::ctl {
namespace {

constexpr std::string_view kJsonPath = "jsonpath=";

}  // namespace

OutputFormat Invocation::format() const {
  if (options.quiet || options.output == "json" || options.output.starts_with(kJsonPath))
    return OutputFormat::kJson;
  if (options.output == "wide") return OutputFormat::kWide;
  if (options.output == "jsonl") return OutputFormat::kJsonl;
  if (options.output == "yaml") return OutputFormat::kYaml;
  if (options.output == "name") return OutputFormat::kName;
  return OutputFormat::kTable;
}

Status Invocation::TakeJsonPath() {
  if (options.quiet || !options.output.starts_with(kJsonPath)) return Done{};
  CTL_ASSIGN(auto path, JsonPath::Parse(options.output.substr(kJsonPath.size())));
  json_path_ = std::make_shared<const JsonPath>(std::move(path));
  return Done{};
}

const Terminal& Invocation::terminal() {
  if (!terminal_) terminal_ = std::make_unique<Terminal>(options.color);
  return *terminal_;
}

Result<Documents> Invocation::Load(DocumentOptions document_options) const {
  document_options.project = options.project;
  return LoadDocuments(document_options);
}

Result<std::unique_ptr<Daemon>> Invocation::Connect(const Documents& documents) {
  CTL_ASSIGN(const auto named, NamedEndpoint(options.endpoint));
  if (named) {
    CTL_ASSIGN(const auto channel, OpenChannel(*named, options.debug));
    Note("Using dxtd at " + named->Text());
    endpoint_ = named;
    return Daemon::At(channel);
  }
  // Without documents, the state of a pipeline that was run here is what can be meant.
  std::filesystem::path anchor = documents.anchor;
  std::error_code error;
  if (anchor.empty() && std::filesystem::is_directory(".dxt", error)) {
    anchor = std::filesystem::current_path();
  }
  CTL_ASSIGN(const StateFolder state,
             anchor.empty() ? OpenSharedStateFolder() : OpenStateFolder(anchor));
  if (!state.note.empty()) Note(state.note);
  // A person sees at once that something happens; what is said next takes its place.
  const bool live = terminal().live() && !options.quiet;
  if (live) std::fputs("Starting…\r", stderr);
  auto daemon = Daemon::Attach(state, options.debug);
  if (live) std::fputs("\033[K", stderr);
  return daemon;
}

Result<ResourceServer> Invocation::Server(bool project_is_file) {
  CTL_ASSIGN(auto named, NamedEndpoint(options.endpoint));
  if (options.endpoint.local) {
    return UsageError("--local is for verbs that need no daemon, like run",
                      "Leave it out, or name a daemon with --server");
  }
  if (!named) named.emplace().context.server = kMachineServer;
  endpoint_ = named;
  ResourceServer server;
  server.endpoint = *named;
  CTL_ASSIGN(server.channel, OpenChannel(*named, options.debug));
  for (const std::string& project :
       {project_is_file ? std::string() : options.project, EnvironmentText("DXT_PROJECT"),
        named->context.project}) {
    if (project.empty()) continue;
    if (!IsResourceId(project)) {
      return UsageError("'" + project + "' is not the name of a stored project",
                        "Names are lower-case letters, digits, _ and -; `dxtctl projects "
                        "list` shows them");
    }
    server.project = project;
    break;
  }
  return server;
}

TimeFormat Invocation::time_format() const {
  if (options.time_format == "iso") return TimeFormat::kIso;
  if (options.time_format == "local") return TimeFormat::kLocal;
  return TimeFormat::kRelative;
}

Error Invocation::Explained(const Error& error) const {
  return endpoint_ ? Explain(error, *endpoint_) : error;
}

void Invocation::Report(const Error& error) {
  if (!error.problems_json.empty() && format() == OutputFormat::kJson && !json_path_) {
    std::printf("%s\n", error.problems_json.c_str());
  }
  std::string text = terminal().Red("Error:") + " ";
  if (!error.stream.empty()) text += "stream '" + error.stream + "': ";
  text += Printable(error.message);
  if (!error.code.empty()) text += " [" + error.code + "]";
  text += ".";
  if (!error.hint.empty()) {
    text += " " + Printable(error.hint);
    if (std::string_view(".?!…;").find(error.hint.back()) == std::string_view::npos)
      text += ".";
  }
  std::fprintf(stderr, "%s%s\n", error.problems_text.c_str(), text.c_str());
}

void Invocation::Note(const std::string& text) {
  std::fprintf(stderr, "%s\n", text.c_str());
}

}  // namespace dxt::ctl
