#include "client/dxtctl/documents.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>

#include "client/dxtctl/rpc.h"
#include "client/dxtctl/variables.h"
#include "dxt/v1/document.pb.h"

namespace dxt::ctl {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLargestDocument = 1 << 20;
constexpr const char* kProjectNames[] = {"dxt_project.yaml", "dxt_project.yml",
                                         "connections.yaml"};

/// A document that cannot be read, for people and as `-o json` has it.
Error Unreadable(const fs::path& path, std::string message, std::string hint) {
  Error error = UsageError(std::move(message), std::move(hint));
  error.code = "document.unreadable";
  google::protobuf::RepeatedPtrField<v1::Problem> problems;
  v1::Problem& problem = *problems.Add();
  problem.set_level(v1::Problem::ERROR);
  problem.set_file(path.string());
  problem.set_code(error.code);
  problem.set_message(error.message);
  problem.set_suggestion(error.hint);
  error.problems_json = ProblemsJson(problems);
  return error;
}

fs::path FindProject(fs::path folder) {
  std::error_code error;
  for (;; folder = folder.parent_path()) {
    for (const char* name : kProjectNames) {
      if (fs::is_regular_file(folder / name, error)) return folder / name;
    }
    if (folder == folder.parent_path()) return {};
  }
}

Result<fs::path> ProjectPath(const DocumentOptions& options, const fs::path& from) {
  if (options.project.empty()) return FindProject(from);
  const fs::path given = fs::absolute(options.project).lexically_normal();
  std::error_code error;
  if (!fs::is_directory(given, error)) return given;
  for (const char* name : kProjectNames) {
    if (fs::is_regular_file(given / name, error)) return given / name;
  }
  return Unreadable(
      given,
      "There is no " + std::string(kProjectNames[0]) + " in '" + given.string() + "'",
      "Name the project's file or folder with --project");
}

Status ReadPipeline(const DocumentOptions& options, v1::Document& document) {
  if (options.pipeline_text) {
    document.set_path(MadeUpPath(options));
    document.set_text(*options.pipeline_text);
    return Done{};
  }
  if (options.pipeline == "-") {
    document.set_path((fs::current_path() / "stdin.yaml").string());
    document.set_text(std::string(std::istreambuf_iterator<char>(std::cin), {}));
    return Done{};
  }
  const fs::path path = fs::absolute(options.pipeline).lexically_normal();
  CTL_ASSIGN(*document.mutable_text(), ReadDocument(path));
  document.set_path(path.string());
  return Done{};
}

Status AddVariables(const DocumentOptions& options, const fs::path& anchor,
                    v1::DocumentSet& set) {
  auto names = VariableNames(set.pipeline().text());
  names.merge(VariableNames(set.project().text()));
  std::map<std::string, std::string> from_file;
  std::error_code error;
  const fs::path env = anchor / ".env";
  if (!anchor.empty() && fs::is_regular_file(env, error)) {
    CTL_ASSIGN(const std::string text, ReadDocument(env));
    CTL_ASSIGN(from_file, ParseEnvFile(text, env.string()));
  }
  for (auto& [name, value] : VariableValues(names, from_file)) {
    (*set.mutable_variables())[name] = value;
  }
  for (const auto& assignment : options.variables) {
    CTL_ASSIGN(const auto pair, SplitAssignment(assignment));
    (*set.mutable_sql_variables())[pair.first] = pair.second;
  }
  return Done{};
}

}  // namespace

Documents::Documents() : set(std::make_unique<v1::DocumentSet>()) {}
Documents::Documents(Documents&&) noexcept = default;
Documents& Documents::operator=(Documents&&) noexcept = default;
Documents::~Documents() = default;

std::string MadeUpPath(const DocumentOptions& options) {
  return (fs::current_path() / options.pipeline).string();
}

bool IsProjectFile(const fs::path& path) {
  for (const char* name : kProjectNames) {
    if (path.filename() == name) return true;
  }
  return false;
}

Result<std::string> ReadDocument(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    return Unreadable(path, "'" + path.string() + "' is a folder, not a document",
                      "Name a pipeline file in it");
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return Unreadable(path,
                      "Cannot read '" + path.string() + "': " + std::strerror(errno),
                      "Check the path, or write a first pipeline with `dxtctl init`");
  }
  std::string text(kLargestDocument + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > kLargestDocument) {
    return Unreadable(
        path, "'" + path.string() + "' is larger than 1 MiB, the limit of a document",
        "Part its streams among several pipelines");
  }
  return text;
}

Result<std::pair<std::string, std::string>> SplitAssignment(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == 0 || equals == std::string::npos) {
    return UsageError("--var takes name=value, not '" + text + "'");
  }
  return std::pair(text.substr(0, equals), text.substr(equals + 1));
}

Result<Documents> LoadDocuments(const DocumentOptions& options) {
  Documents documents;
  auto& set = *documents.set;
  set.set_strict(options.strict);
  fs::path from = fs::current_path();
  fs::path project;
  if (!options.pipeline.empty() && IsProjectFile(options.pipeline)) {
    project = fs::absolute(options.pipeline).lexically_normal();
  } else if (!options.pipeline.empty()) {
    CTL_RETURN_NOT_OK(ReadPipeline(options, *set.mutable_pipeline()));
    from = fs::path(set.pipeline().path()).parent_path();
  }
  if (project.empty()) {
    CTL_ASSIGN(project, ProjectPath(options, from));
  }
  if (!project.empty()) {
    CTL_ASSIGN(*set.mutable_project()->mutable_text(), ReadDocument(project));
    set.mutable_project()->set_path(project.string());
    documents.anchor = project.parent_path();
  } else if (set.has_pipeline() && !options.pipeline_text) {
    documents.anchor = from;
  }
  CTL_RETURN_NOT_OK(AddVariables(options, documents.anchor, set));
  return documents;
}

Error NoProject(const std::string& verb) {
  return UsageError("There is no " + std::string(kProjectNames[0]) + " in '" +
                        fs::current_path().string() + "' or above it",
                    "Name a pipeline (dxtctl " + verb +
                        " pipeline.yaml), or write a project with dxtctl init");
}

v1::DocumentSet WithWorkingFolder(const Documents& documents) {
  v1::DocumentSet set = *documents.set;
  if (!set.has_project()) {
    set.mutable_project()->set_path((fs::current_path() / kProjectNames[0]).string());
    set.mutable_project()->set_text("version: 1\n");
  }
  return set;
}

}  // namespace dxt::ctl
