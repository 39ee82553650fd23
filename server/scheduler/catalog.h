#pragma once
// Stored projects and pipelines: what may be stored, and what a run of it is.
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/result.h>

#include "engine/plan/documents.h"
#include "server/scheduler/submission.h"
#include "state/state_store.h"

namespace dxt {

class Clock;
class DocumentParser;

struct CatalogOptions {
  /// Values for ${NAME} in stored documents: dxtd's `variables:` and `secrets:`, and its
  /// environment's names behind DXT_VAR_ (VariablesFromEnvironment).
  std::map<std::string, std::string> variables;
  /// Names of `variables` whose values never leave in clear.
  std::set<std::string> secrets;
};

/// What of the environment `entries` ("NAME=value", null-terminated list) is meant for
/// stored documents: DXT_VAR_NAME gives NAME.
std::map<std::string, std::string> VariablesFromEnvironment(const char* const* entries);

/// A document that was stored, or why it was not: then `record` is not set and `problems`
/// holds an error.
template <typename Record>
struct Applied {
  std::vector<Problem> problems;  ///< Redacted; warnings also of what was stored.
  std::optional<Record> record;
  bool created = false;  ///< There was none of that name.
  bool changed = false;  ///< It is a new revision.
};

/// What a reload of the folder did, for the log.
struct FolderChanges {
  std::vector<std::string> added, changed, removed;  ///< "<project>/<pipeline>"
  std::vector<std::string> unchanged;
  /// Files that were not taken, with why. What was stored of them before stays.
  std::vector<std::pair<std::string, std::string>> refused;
  std::string Summary() const;  ///< One line.
};

/// Whom a stored pipeline tells.
struct PipelineAlerts {
  bool paused = false;
  std::vector<AlertRule> rules;  ///< The pipeline's own first.
};

/// Makes runs of stored pipelines. Safe from any thread.
class RunSource {
 public:
  virtual ~RunSource() = default;
  /// The newest revision of a stored pipeline (or `revision`), ready to be submitted.
  /// kConfig: "pipeline.not_found", "pipeline.paused", or what is wrong with its document
  /// today (a variable that is gone).
  virtual arrow::Result<Submission> Prepare(
      std::string_view project, std::string_view pipeline, RunOptions options,
      const std::map<std::string, std::string>& sql_variables, int64_t revision = 0) = 0;
};

/// Checks definitions before they are stored, and makes runs of them. Safe from any
/// thread.
class Catalog : public RunSource {
 public:
  /// All must outlive the catalog.
  Catalog(CatalogOptions options, const ConnectorRegistry& registry, Clock& clock,
          StateStore& store);
  ~Catalog() override;

  /// Documents as a client sent them.
  ParsedDocuments Parse(const DocumentInputs& inputs) const;

  /// `project` is the name that the document must have; "" = the one it has. With
  /// `validate_only` nothing is stored and `record` is what would be. Fails with the
  /// store's errors (state.etag, definition.owned_by_folder) and kConfig
  /// "definition.name" when the document has another name.
  arrow::Result<Applied<ProjectRecord>> ApplyProject(
      std::string_view project, const DocumentText& document, Origin origin,
      std::optional<int64_t> expected_revision, bool validate_only,
      const AuditRecord* audit = nullptr);
  /// The pipeline's name comes from the document.
  arrow::Result<Applied<PipelineRecord>> ApplyPipeline(
      std::string_view project, const DocumentText& document, Origin origin,
      std::optional<int64_t> expected_revision, bool validate_only,
      const AuditRecord* audit = nullptr);

  /// Whom the newest revision of a stored pipeline and its project tell, also where their
  /// documents have errors today. kConfig "pipeline.not_found", "project.not_found".
  arrow::Result<PipelineAlerts> Alerts(std::string_view project,
                                       std::string_view pipeline);

  /// A stored project as it is parsed today. kConfig "project.not_found".
  arrow::Result<ProjectDocument> Project(std::string_view project);

  arrow::Result<Submission> Prepare(
      std::string_view project, std::string_view pipeline, RunOptions options,
      const std::map<std::string, std::string>& sql_variables,
      int64_t revision = 0) override;

  /// Stores every *.yaml and *.yml of `folder` (not below it): `dxt_project.yaml` as the
  /// project, the others as its pipelines; without it they belong to `default`. A
  /// pipeline of the folder whose file is gone is removed, unless schedules or
  /// dependencies hold it, which is reported as refused. A file with problems leaves what
  /// is stored as it is. kConfig "catalog.folder" when the folder cannot be read.
  arrow::Result<FolderChanges> LoadFolder(const std::filesystem::path& folder);

  /// From now on; runs that are queued keep what they were submitted with.
  void SetVariables(CatalogOptions options);

 private:
  arrow::Result<DocumentInputs> InputsFor(std::string_view project,
                                          const DocumentText& pipeline) const;
  DocumentInputs InputsOf(std::optional<DocumentText> project,
                          std::optional<DocumentText> pipeline) const;
  void AddSecrets(ParsedDocuments& parsed) const;
  std::vector<Problem> Problems(const ParsedDocuments& parsed) const;
  arrow::Status LoadPipelineFile(const std::string& project,
                                 const std::filesystem::path& file,
                                 std::set<std::string>& seen, FolderChanges& changes);
  arrow::Status RemoveMissing(const std::set<std::string>& seen, FolderChanges& changes);

  mutable std::mutex mutex_;
  CatalogOptions options_;
  const std::unique_ptr<const DocumentParser> parser_;
  Clock& clock_;
  StateStore& store_;
};

}  // namespace dxt
