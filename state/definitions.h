#pragma once
// What the daemon is told to keep: projects, pipelines and what follows what. See
// state_store.h for what holds for every call.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "state/runs.h"

namespace dxt {

/// Who defines a project or pipeline: clients, or a file of the server's folder.
enum class Origin : uint8_t { kApi, kFolder };

struct ProjectRecord {
  std::string name;
  int64_t revision = 0;  ///< Set by the store: 1, 2, … A name never uses one twice.
  StoredDocument document;
  Origin origin = Origin::kApi;
  std::string created_at, updated_at;
};

struct PipelineRecord {
  std::string project, name;
  int64_t revision = 0;     ///< As ProjectRecord::revision.
  StoredDocument document;  ///< Empty in lists.
  Origin origin = Origin::kApi;
  std::string description;
  std::string overlap;  ///< skip, queue or cancel_previous.
  int streams = 0;
  bool paused = false;
  std::string pause_note, created_at, updated_at;
};

/// What a deletion may do. kConfig with the code in brackets where it may not.
struct DeleteRules {
  bool force = false;  ///< Else [project.in_use], [pipeline.in_use].
  Origin by =
      Origin::kApi;  ///< kApi cannot delete kFolder's [definition.owned_by_folder].
  std::optional<int64_t> expected_revision;  ///< Else kFenced [state.etag].
};

class DefinitionStore {
 public:
  virtual ~DefinitionStore() = default;
  /// Stores the document under `record.name`; `updated_at` is now. An unchanged document
  /// keeps its revision. kFenced `state.etag` when the stored revision (0 = none) is not
  /// the expected one; kConfig `definition.owned_by_folder` when a client's would replace
  /// the folder's.
  virtual arrow::Result<ProjectRecord> ApplyProject(
      const ProjectRecord& record, std::optional<int64_t> expected_revision,
      const AuditRecord* audit = nullptr) = 0;
  virtual arrow::Result<std::optional<ProjectRecord>> GetProject(
      std::string_view name) = 0;
  /// By name.
  virtual arrow::Result<std::vector<ProjectRecord>> ListProjects(
      std::string_view after_name, int limit) = 0;
  /// With `force` also its pipelines, their schedules and dependencies. kConfig
  /// `project.not_found`.
  virtual arrow::Status DeleteProject(std::string_view name, const DeleteRules& rules,
                                      const AuditRecord* audit = nullptr) = 0;

  /// As ApplyProject. The project must be stored, or be `default`: kConfig
  /// `project.not_found`. Being paused is not part of the definition and stays.
  virtual arrow::Result<PipelineRecord> ApplyPipeline(
      const PipelineRecord& record, std::optional<int64_t> expected_revision,
      const AuditRecord* audit = nullptr) = 0;
  /// `revision` 0 = the newest.
  virtual arrow::Result<std::optional<PipelineRecord>> GetPipeline(
      std::string_view project, std::string_view name, int64_t revision = 0) = 0;
  /// By project and name, without documents. `project` "" = all; `after` is
  /// "<project>/<name>" of the last one seen, or "".
  virtual arrow::Result<std::vector<PipelineRecord>> ListPipelines(
      std::string_view project, std::string_view after, int limit) = 0;
  /// Newest first.
  virtual arrow::Result<std::vector<int64_t>> PipelineRevisions(
      std::string_view project, std::string_view name) = 0;
  /// kConfig `pipeline.not_found`.
  virtual arrow::Result<PipelineRecord> SetPaused(std::string_view project,
                                                  std::string_view name, bool paused,
                                                  std::string_view note,
                                                  std::string_view now,
                                                  const AuditRecord* audit = nullptr) = 0;
  /// With `force` also its schedules and dependencies; its runs stay.
  virtual arrow::Status DeletePipeline(std::string_view project, std::string_view name,
                                       const DeleteRules& rules,
                                       const AuditRecord* audit = nullptr) = 0;
  virtual arrow::Result<int64_t> CountPipelines() = 0;
};

/// `downstream` runs when every one of its upstreams has succeeded since its own last run
/// was made. Both are pipelines of one project.
struct DependencyRecord {
  std::string project, upstream, downstream, created_at;
  /// The run of `upstream` that did; "" = none yet. Set by RunStore::Finish, and taken
  /// back when a run of `downstream` that is no dry run is made. Set by the store.
  std::string satisfied_by;
};

class DependencyStore {
 public:
  virtual ~DependencyStore() = default;
  /// kConfig `dependency.exists`, `dependency.cycle` (naming the path; also for itself),
  /// `pipeline.not_found`.
  virtual arrow::Status Add(const DependencyRecord& record,
                            const AuditRecord* audit = nullptr) = 0;
  /// kConfig `dependency.not_found`.
  virtual arrow::Status Remove(std::string_view project, std::string_view upstream,
                               std::string_view downstream,
                               const AuditRecord* audit = nullptr) = 0;
  /// By upstream and downstream. `project` "" = all.
  virtual arrow::Result<std::vector<DependencyRecord>> List(std::string_view project) = 0;
  /// The pipelines that `upstream` leads to.
  virtual arrow::Result<std::vector<std::string>> Downstreams(
      std::string_view project, std::string_view upstream) = 0;
  /// True when `downstream` has dependencies and all of them are satisfied.
  virtual arrow::Result<bool> Ready(std::string_view project,
                                    std::string_view downstream) = 0;
};

}  // namespace dxt
