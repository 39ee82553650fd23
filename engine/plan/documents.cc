#include "engine/plan/documents.h"

#include <algorithm>
#include <set>

#include "base/digest.h"
#include "base/error.h"
#include "engine/plan/alerts.h"
#include "engine/plan/checker.h"
#include "engine/plan/compile.h"
#include "engine/plan/document_parser.h"
#include "engine/plan/keys.h"
#include "engine/plan/variables.h"
#include "engine/plan/yaml.h"

namespace dxt {
namespace {

std::string FileName(const DocumentText& document, const char* otherwise) {
  return document.path.empty() ? otherwise : document.path;
}

/// Parses, substitutes and checks one document against its table; nullopt when there is
/// nothing to compile.
std::optional<ConfigValue> Checked(const DocumentText& document, const std::string& file,
                                   const OptionSpec& keys, const PatternTable& patterns,
                                   Substitution& substitution, ProblemList& problems) {
  auto root = ParseYaml(document, file, problems.items());
  if (!root) return std::nullopt;
  if (root->kind == ConfigValue::Kind::kNull) {
    root->kind = ConfigValue::Kind::kMap;
    root->mark = {file, 1, 1};
  }
  substitution.Apply(*root, "", problems.items());
  Checker(problems, &patterns).Check(*root, keys, "");
  if (root->kind != ConfigValue::Kind::kMap) return std::nullopt;
  return root;
}

/// A variable that only an unused connection needs does not stop a pipeline.
void ForgiveUnusedConnections(const ConfigValue& pipeline, ProblemList& problems) {
  std::set<std::string> used;
  for (const char* side : {"source", "target"}) {
    const ConfigValue* endpoint = pipeline.Get(side);
    if (!endpoint) continue;
    used.insert(endpoint->scalar);
    used.insert(TextAt(*endpoint, "connection"));
  }
  for (auto& problem : problems.items()) {
    constexpr std::string_view kPrefix = "connections.";
    if (problem.code != "config.missing_variable" || !problem.path.starts_with(kPrefix)) {
      continue;
    }
    const bool needed =
        std::any_of(used.begin(), used.end(), [&](const std::string& name) {
          const std::string path = std::string(kPrefix) + name;
          return problem.path == path || problem.path.starts_with(path + ".");
        });
    if (!needed) problem.level = Problem::Level::kWarning;
  }
}

}  // namespace

std::string_view BufferFormatName(BufferFormat format) {
  switch (format) {
    case BufferFormat::kAuto:
      return "auto";
    case BufferFormat::kParquet:
      return "parquet";
    case BufferFormat::kMemory:
      return "memory";
    case BufferFormat::kCsv:
      return "csv";
    case BufferFormat::kJsonl:
      return "jsonl";
  }
  return "auto";
}

std::string_view OverlapName(Overlap overlap) {
  switch (overlap) {
    case Overlap::kSkip:
      return "skip";
    case Overlap::kQueue:
      return "queue";
    case Overlap::kCancelPrevious:
      return "cancel_previous";
  }
  return "queue";
}

bool ParsedDocuments::ok() const {
  return std::none_of(problems.begin(), problems.end(), [](const Problem& problem) {
    return problem.level == Problem::Level::kError;
  });
}

struct DocumentParser::Keys {
  OptionSpec project, pipeline;
  PatternTable patterns;
};

DocumentParser::DocumentParser(const ConnectorRegistry& registry,
                               std::unique_ptr<const Keys> keys)
    : registry_(registry), keys_(std::move(keys)) {}
DocumentParser::~DocumentParser() = default;

std::unique_ptr<const DocumentParser> DocumentParser::Make(
    const ConnectorRegistry& registry) {
  auto keys = std::make_unique<Keys>();
  keys->project = ProjectKeys(registry);
  keys->pipeline = PipelineKeys(registry);
  keys->patterns.Add(keys->project);
  keys->patterns.Add(keys->pipeline);
  return std::unique_ptr<const DocumentParser>(
      new DocumentParser(registry, std::move(keys)));
}

ParsedDocuments ParseDocuments(const DocumentInputs& inputs,
                               const ConnectorRegistry& registry) {
  return DocumentParser::Make(registry)->Parse(inputs);
}

ParsedDocuments DocumentParser::Parse(const DocumentInputs& inputs) const {
  ParsedDocuments parsed;
  ProblemList problems;
  Substitution substitution(inputs.variables);
  CompileContext context{registry_, inputs, problems, {}, substitution.used(), {}};
  ProjectDocument project;
  std::string hashed, first_file;
  bool complete = true;
  if (inputs.project) {
    first_file = FileName(*inputs.project, "<project>");
    hashed = inputs.project->text;
    auto root = Checked(*inputs.project, first_file, keys_->project, keys_->patterns,
                        substitution, problems);
    complete = root.has_value();
    if (root) project = CompileProject(*root, inputs.project->path, context);
  }
  std::optional<PipelineDocument> pipeline;
  if (inputs.pipeline) {
    const std::string file = FileName(*inputs.pipeline, "<pipeline>");
    if (first_file.empty()) first_file = file;
    hashed += '\0' + inputs.pipeline->text;
    auto root = Checked(*inputs.pipeline, file, keys_->pipeline, keys_->patterns,
                        substitution, problems);
    // Without the project, every connection's name would look unknown.
    if (root && complete) {
      ForgiveUnusedConnections(*root, problems);
      pipeline = CompilePipeline(*root, inputs.pipeline->path, project, context);
      pipeline->text_hash = Sha256Hex(hashed);
      pipeline->variables = inputs.sql_variables;
      for (const auto& name : substitution.used()) {
        pipeline->variables.emplace(name, inputs.variables.at(name));
      }
    }
  }
  problems.Sort(first_file);
  problems.Tidy();
  parsed.problems = std::move(problems.items());
  parsed.secrets.assign(context.secrets.begin(), context.secrets.end());
  parsed.alerts =
      JoinAlerts(pipeline ? pipeline->alerts : std::vector<AlertRule>(), project.alerts);
  if (parsed.ok()) {
    parsed.pipeline = std::move(pipeline);
    parsed.project = std::move(project);
  }
  return parsed;
}

arrow::Status ProblemsToStatus(const std::vector<Problem>& problems) {
  std::string text;
  int errors = 0;
  for (const auto& problem : problems) {
    if (problem.level != Problem::Level::kError) continue;
    ++errors;
    text += (text.empty() ? "" : "\n") + FormatProblem(problem);
  }
  if (errors == 0) return arrow::Status::OK();
  if (errors > 1) text = std::to_string(errors) + " problems:\n" + text;
  return MakeError(ErrorClass::kConfig, "document.invalid", std::move(text));
}

std::string FormatProblem(const Problem& problem) {
  std::string text;
  if (problem.mark.line > 0) {
    text = problem.mark.file + ":" + std::to_string(problem.mark.line) + ":" +
           std::to_string(problem.mark.column) + ": ";
  }
  text += problem.level == Problem::Level::kError ? "error: " : "warning: ";
  if (!problem.path.empty()) text += problem.path + ": ";
  text += problem.message;
  if (!problem.suggestion.empty()) text += " (" + problem.suggestion + ")";
  return text;
}

}  // namespace dxt
