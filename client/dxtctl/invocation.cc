#include "client/dxtctl/invocation.h"

#include <cstdio>

#include "client/dxtctl/state_folder.h"

namespace dxt::ctl {

OutputFormat Invocation::format() const {
  if (options.quiet || options.output == "json") return OutputFormat::kJson;
  if (options.output == "wide") return OutputFormat::kWide;
  if (options.output == "jsonl") return OutputFormat::kJsonl;
  if (options.output == "yaml") return OutputFormat::kYaml;
  if (options.output == "name") return OutputFormat::kName;
  return OutputFormat::kTable;
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
  // Without documents, the state of a pipeline that was run here is what can be meant.
  std::filesystem::path anchor = documents.anchor;
  std::error_code error;
  if (anchor.empty() && std::filesystem::is_directory(".dxt", error)) {
    anchor = std::filesystem::current_path();
  }
  CTL_ASSIGN(const StateFolder state,
             anchor.empty() ? OpenSharedStateFolder() : OpenStateFolder(anchor));
  if (!state.note.empty()) Note(state.note);
  return Daemon::Attach(state);
}

void Invocation::Report(const Error& error) {
  if (!error.problems_json.empty() && format() == OutputFormat::kJson) {
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
