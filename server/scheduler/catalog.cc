#include "server/scheduler/catalog.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>

#include "base/clock.h"
#include "base/error.h"
#include "engine/plan/document_parser.h"

namespace dxt {
namespace {

namespace fs = std::filesystem;

constexpr char kDefaultProject[] = "default";
constexpr std::string_view kVariablePrefix = "DXT_VAR_";

/// connections.warehouse.password → WAREHOUSE_PASSWORD
std::string VariableFor(std::string_view path) {
  constexpr std::string_view kConnections = "connections.";
  if (path.starts_with(kConnections)) path.remove_prefix(kConnections.size());
  std::string name;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    name += std::isalnum(byte) ? static_cast<char>(std::toupper(byte)) : '_';
  }
  if (path.find('.') == std::string_view::npos) name += "_PASSWORD";
  return name;
}

/// What a user of the daemon can do, in place of what a user of a private one can.
std::string SuggestionFor(const Problem& problem) {
  const auto given = [](const std::string& name) {
    return "`variables:` or `secrets:` of its configuration, or " +
           std::string(kVariablePrefix) + name + " in its environment";
  };
  if (problem.code == "config.literal_secret") {
    const std::string name = VariableFor(problem.path);
    return "write ${" + name + "} and give dxtd its value: " + given(name);
  }
  if (problem.code == "config.missing_variable") {
    const size_t begin = problem.message.find('\'');
    const size_t end = problem.message.rfind('\'');
    if (begin != std::string::npos && end > begin) {
      return "give dxtd its value: " +
             given(problem.message.substr(begin + 1, end - begin - 1));
    }
  }
  return problem.suggestion;
}

arrow::Status NotFound(const char* what, std::string_view project,
                       std::string_view name = {}) {
  const std::string kind = what;
  return MakeError(ErrorClass::kConfig, kind + ".not_found",
                   "there is no " + kind + " " + std::string(project) +
                       (name.empty() ? "" : "/" + std::string(name)),
                   kind == "project" ? "dxtctl projects list names what is stored"
                                     : "dxtctl pipelines list names what is stored");
}

arrow::Status OtherName(const char* what, const std::string& has,
                        std::string_view wanted) {
  return MakeError(ErrorClass::kConfig, "definition.name",
                   "the " + std::string(what) + " document is named '" + has +
                       "', and was to be stored as '" + std::string(wanted) + "'",
                   "Make `name:` the same, or store it under its own name");
}

arrow::Result<std::string> ReadFile(const fs::path& path) {
  constexpr size_t kMost = 1 << 20;
  std::ifstream file(path, std::ios::binary);
  std::string text;
  if (file) text.assign(std::istreambuf_iterator<char>(file), {});
  if (file && text.size() <= kMost) return text;
  return MakeError(ErrorClass::kConfig, "catalog.file",
                   file ? "the file is larger than 1 MiB" : "the file cannot be read");
}

bool IsDocument(const fs::directory_entry& entry) {
  const std::string name = entry.path().filename().string();
  const std::string extension = entry.path().extension().string();
  std::error_code error;
  return !name.starts_with('.') && (extension == ".yaml" || extension == ".yml") &&
         entry.is_regular_file(error);
}

std::string List(const std::vector<std::string>& names) {
  constexpr size_t kShown = 10;
  std::string text;
  for (size_t i = 0; i < names.size() && i < kShown; ++i) {
    text += (i > 0 ? ", " : " (") + names[i];
  }
  if (names.size() > kShown) text += ", …";
  return text.empty() ? text : text + ")";
}

}  // namespace

std::map<std::string, std::string> VariablesFromEnvironment(const char* const* entries) {
  std::map<std::string, std::string> variables;
  for (; entries != nullptr && *entries != nullptr; ++entries) {
    const std::string_view entry = *entries;
    const size_t equals = entry.find('=');
    if (!entry.starts_with(kVariablePrefix) || equals == std::string_view::npos ||
        equals == kVariablePrefix.size()) {
      continue;
    }
    const auto name =
        entry.substr(kVariablePrefix.size(), equals - kVariablePrefix.size());
    variables[std::string(name)] = entry.substr(equals + 1);
  }
  return variables;
}

std::string FolderChanges::Summary() const {
  std::string text;
  const std::pair<const char*, const std::vector<std::string>*> kinds[] = {
      {"added", &added}, {"changed", &changed}, {"removed", &removed}};
  for (const auto& [kind, names] : kinds) {
    text += std::to_string(names->size()) + " " + kind + List(*names) + ", ";
  }
  text += std::to_string(unchanged.size()) + " unchanged";
  for (const auto& [file, why] : refused) text += "; " + file + " refused: " + why;
  return text;
}

void Catalog::SetVariables(CatalogOptions options) {
  std::lock_guard lock(mutex_);
  options_ = std::move(options);
}

DocumentInputs Catalog::InputsOf(std::optional<DocumentText> project,
                                 std::optional<DocumentText> pipeline) const {
  DocumentInputs inputs;
  inputs.project = std::move(project);
  inputs.pipeline = std::move(pipeline);
  inputs.strict = true;
  std::lock_guard lock(mutex_);
  inputs.variables = options_.variables;
  return inputs;
}

arrow::Result<DocumentInputs> Catalog::InputsFor(std::string_view project,
                                                 const DocumentText& pipeline) const {
  ARROW_ASSIGN_OR_RAISE(const auto stored, store_.definitions().GetProject(project));
  if (!stored && project != kDefaultProject) return NotFound("project", project);
  std::optional<DocumentText> document;
  if (stored) document = DocumentText{stored->document.path, stored->document.text};
  return InputsOf(std::move(document), pipeline);
}

void Catalog::AddSecrets(ParsedDocuments& parsed) const {
  std::lock_guard lock(mutex_);
  for (const auto& name : options_.secrets) {
    const auto value = options_.variables.find(name);
    if (value != options_.variables.end() && !value->second.empty()) {
      parsed.secrets.push_back(value->second);
    }
  }
}

std::vector<Problem> Catalog::Problems(const ParsedDocuments& parsed) const {
  const Redactor redactor(parsed.secrets);
  std::vector<Problem> problems = parsed.problems;
  for (auto& problem : problems) {
    problem.suggestion = redactor.Redact(SuggestionFor(problem));
    problem.message = redactor.Redact(problem.message);
  }
  return problems;
}

Catalog::Catalog(CatalogOptions options, const ConnectorRegistry& registry, Clock& clock,
                 StateStore& store)
    : options_(std::move(options)),
      parser_(DocumentParser::Make(registry)),
      clock_(clock),
      store_(store) {}
Catalog::~Catalog() = default;

ParsedDocuments Catalog::Parse(const DocumentInputs& inputs) const {
  return parser_->Parse(inputs);
}

arrow::Result<Applied<ProjectRecord>> Catalog::ApplyProject(
    std::string_view project, const DocumentText& document, Origin origin,
    std::optional<int64_t> expected_revision, bool validate_only,
    const AuditRecord* audit) {
  // What a client sends stands in no folder of this machine.
  const DocumentText text{origin == Origin::kFolder ? document.path : "", document.text};
  ParsedDocuments parsed = parser_->Parse(InputsOf(text, std::nullopt));
  AddSecrets(parsed);
  Applied<ProjectRecord> applied;
  applied.problems = Problems(parsed);
  if (!parsed.ok()) return applied;
  if (project.empty()) project = parsed.project->name;
  if (parsed.project->name != project) {
    return OtherName("project", parsed.project->name, project);
  }
  ProjectRecord record;
  record.name = project;
  record.document = {text.path, text.text};
  record.origin = origin;
  record.created_at = record.updated_at = FormatTime(clock_.Now());
  ARROW_ASSIGN_OR_RAISE(const auto before, store_.definitions().GetProject(project));
  if (validate_only) {
    record.revision = before ? before->revision : 0;
  } else {
    ARROW_ASSIGN_OR_RAISE(
        record, store_.definitions().ApplyProject(record, expected_revision, audit));
  }
  applied.created = !before;
  applied.changed = !before || before->revision != record.revision;
  applied.record = std::move(record);
  return applied;
}

arrow::Result<Applied<PipelineRecord>> Catalog::ApplyPipeline(
    std::string_view project, const DocumentText& document, Origin origin,
    std::optional<int64_t> expected_revision, bool validate_only,
    const AuditRecord* audit) {
  const DocumentText text{origin == Origin::kFolder ? document.path : "", document.text};
  ARROW_ASSIGN_OR_RAISE(const auto inputs, InputsFor(project, text));
  ParsedDocuments parsed = parser_->Parse(inputs);
  AddSecrets(parsed);
  Applied<PipelineRecord> applied;
  applied.problems = Problems(parsed);
  if (!parsed.ok() || !parsed.pipeline) return applied;
  PipelineRecord record;
  record.project = project;
  record.name = parsed.pipeline->name;
  record.document = {text.path, text.text};
  record.origin = origin;
  // Substituted already, so that a secret may stand in it.
  record.description = Redactor(parsed.secrets).Redact(parsed.pipeline->description);
  record.overlap = OverlapName(parsed.pipeline->runtime.overlap);
  record.streams = static_cast<int>(parsed.pipeline->streams.size());
  record.created_at = record.updated_at = FormatTime(clock_.Now());
  ARROW_ASSIGN_OR_RAISE(const auto before,
                        store_.definitions().GetPipeline(project, record.name));
  if (validate_only) {
    record.revision = before ? before->revision : 0;
  } else {
    ARROW_ASSIGN_OR_RAISE(
        record, store_.definitions().ApplyPipeline(record, expected_revision, audit));
  }
  applied.created = !before;
  applied.changed = !before || before->revision != record.revision;
  applied.record = std::move(record);
  return applied;
}

arrow::Result<ProjectDocument> Catalog::Project(std::string_view project) {
  ARROW_ASSIGN_OR_RAISE(const auto stored, store_.definitions().GetProject(project));
  if (!stored) {
    if (project == kDefaultProject) return ProjectDocument{};
    return NotFound("project", project);
  }
  ParsedDocuments parsed = parser_->Parse(
      InputsOf(DocumentText{stored->document.path, stored->document.text}, std::nullopt));
  AddSecrets(parsed);
  if (!parsed.ok()) return ProblemsToStatus(Problems(parsed));
  return std::move(*parsed.project);
}

arrow::Result<PipelineAlerts> Catalog::Alerts(std::string_view project,
                                              std::string_view pipeline) {
  ARROW_ASSIGN_OR_RAISE(const auto stored,
                        store_.definitions().GetPipeline(project, pipeline));
  if (!stored) return NotFound("pipeline", project, pipeline);
  ARROW_ASSIGN_OR_RAISE(
      const auto inputs,
      InputsFor(project, DocumentText{stored->document.path, stored->document.text}));
  PipelineAlerts alerts;
  alerts.paused = stored->paused;
  // Most documents name nobody, and thousands of them need not be parsed to see it.
  const auto may_name = [](const std::optional<DocumentText>& document) {
    return document && document->text.find("alerts") != std::string::npos;
  };
  if (may_name(inputs.pipeline) || may_name(inputs.project)) {
    alerts.rules = parser_->Parse(inputs).alerts;
  }
  return alerts;
}

arrow::Result<Submission> Catalog::Prepare(
    std::string_view project, std::string_view pipeline, RunOptions options,
    const std::map<std::string, std::string>& sql_variables, int64_t revision) {
  ARROW_ASSIGN_OR_RAISE(const auto stored,
                        store_.definitions().GetPipeline(project, pipeline, revision));
  if (!stored) return NotFound("pipeline", project, pipeline);
  if (stored->paused) {
    return MakeError(ErrorClass::kConfig, "pipeline.paused",
                     "pipeline " + std::string(project) + "/" + std::string(pipeline) +
                         " is paused" +
                         (stored->pause_note.empty() ? "" : ": " + stored->pause_note),
                     "dxtctl pipelines resume " + std::string(pipeline));
  }
  ARROW_ASSIGN_OR_RAISE(
      auto inputs,
      InputsFor(project, DocumentText{stored->document.path, stored->document.text}));
  inputs.sql_variables = sql_variables;
  ParsedDocuments parsed = parser_->Parse(inputs);
  AddSecrets(parsed);
  if (!parsed.ok() || !parsed.pipeline) {
    return Prefix(ProblemsToStatus(Problems(parsed)),
                  "the stored pipeline " + std::string(project) + "/" +
                      std::string(pipeline) + " cannot run");
  }
  // Only what the document uses goes along with the run.
  std::map<std::string, std::string> used;
  for (const auto& [name, value] : parsed.pipeline->variables) {
    const auto known = inputs.variables.find(name);
    if (known != inputs.variables.end()) used.insert(*known);
  }
  inputs.variables = std::move(used);
  Submission submission = MakeSubmission(inputs, std::move(parsed), std::move(options));
  submission.pipeline_revision = stored->revision;
  return submission;
}

arrow::Status Catalog::LoadPipelineFile(const std::string& project, const fs::path& file,
                                        std::set<std::string>& seen,
                                        FolderChanges& changes) {
  ARROW_ASSIGN_OR_RAISE(std::string text, ReadFile(file));
  const DocumentText document{file.string(), std::move(text)};
  ARROW_ASSIGN_OR_RAISE(auto applied,
                        ApplyPipeline(project, document, Origin::kFolder, std::nullopt,
                                      /*validate_only=*/true));
  if (!applied.record) return ProblemsToStatus(applied.problems);
  const std::string name = project + "/" + applied.record->name;
  if (!seen.insert(name).second) {
    return MakeError(ErrorClass::kConfig, "catalog.duplicate",
                     "an earlier file of the folder has a pipeline " + name + " too",
                     "Give one of them another `name:`");
  }
  ARROW_ASSIGN_OR_RAISE(applied,
                        ApplyPipeline(project, document, Origin::kFolder, std::nullopt,
                                      /*validate_only=*/false));
  auto& list = applied.created   ? changes.added
               : applied.changed ? changes.changed
                                 : changes.unchanged;
  list.push_back(name);
  return arrow::Status::OK();
}

arrow::Status Catalog::RemoveMissing(const std::set<std::string>& seen,
                                     FolderChanges& changes) {
  std::set<std::string> kept;
  for (const auto& [file, why] : changes.refused) kept.insert(file);
  constexpr int kPage = 500;
  std::string after;
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const auto page,
                          store_.definitions().ListPipelines("", after, kPage));
    for (const auto& record : page) {
      after = record.project + "/" + record.name;
      if (record.origin != Origin::kFolder || seen.contains(after)) continue;
      ARROW_ASSIGN_OR_RAISE(const auto whole, store_.definitions().GetPipeline(
                                                  record.project, record.name));
      if (whole && kept.contains(whole->document.path)) continue;
      DeleteRules rules;
      rules.by = Origin::kFolder;
      const auto removed =
          store_.definitions().DeletePipeline(record.project, record.name, rules);
      if (removed.ok()) {
        changes.removed.push_back(after);
      } else {
        changes.refused.emplace_back(after, removed.message());
      }
    }
    if (page.size() < kPage) return arrow::Status::OK();
  }
}

arrow::Result<FolderChanges> Catalog::LoadFolder(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    if (IsDocument(*at)) files.push_back(fs::absolute(at->path()).lexically_normal());
  }
  if (error) {
    return MakeError(ErrorClass::kConfig, "catalog.folder",
                     "the folder of pipelines " + folder.string() +
                         " cannot be read: " + error.message(),
                     "Check `pipelines_dir` and the rights of dxtd's user");
  }
  std::sort(files.begin(), files.end());
  FolderChanges changes;
  std::string project = kDefaultProject;
  const auto refuse = [&](const fs::path& file, const arrow::Status& status) {
    changes.refused.emplace_back(file.string(), status.message());
  };
  const auto is_project = [](const fs::path& file) {
    return file.stem() == "dxt_project";
  };
  for (const auto& file : files) {
    if (!is_project(file)) continue;
    const auto status = [&]() -> arrow::Status {
      ARROW_ASSIGN_OR_RAISE(std::string text, ReadFile(file));
      const DocumentText document{file.string(), std::move(text)};
      const auto parsed = parser_->Parse(InputsOf(document, std::nullopt));
      if (!parsed.ok()) return ProblemsToStatus(Problems(parsed));
      project = parsed.project->name;
      return ApplyProject(project, document, Origin::kFolder, std::nullopt, false)
          .status();
    }();
    if (!status.ok()) {
      // Without its connections no pipeline of the folder can be judged.
      refuse(file, status);
      for (const auto& other : files) {
        if (!is_project(other)) refuse(other, status);
      }
      return changes;
    }
  }
  std::set<std::string> seen;
  for (const auto& file : files) {
    if (is_project(file)) continue;
    const auto status = LoadPipelineFile(project, file, seen, changes);
    if (!status.ok()) refuse(file, status);
  }
  ARROW_RETURN_NOT_OK(RemoveMissing(seen, changes));
  return changes;
}

}  // namespace dxt
