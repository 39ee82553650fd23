#include "base/error.h"
#include "state/sqlite/facets.h"

namespace dxt {
namespace {

using Row = StateDatabase::Row;
using Transaction = StateDatabase::Transaction;
using Values = StateDatabase::Values;
using std::string_view;

std::string Quoted(string_view project, string_view name) {
  return std::string(project) + "/" + std::string(name);
}

arrow::Status NoProject(string_view name) {
  return MakeError(ErrorClass::kConfig, "project.not_found",
                   "there is no project " + std::string(name),
                   "Apply its project file first");
}

arrow::Status NoPipeline(string_view project, string_view name) {
  return MakeError(ErrorClass::kConfig, "pipeline.not_found",
                   "there is no pipeline " + Quoted(project, name),
                   "`dxtctl pipelines list` shows those that are stored");
}

/// The folder's definitions are changed in the folder.
arrow::Status CheckOwner(const std::string& what, Origin stored, Origin by) {
  if (stored != Origin::kFolder || by == Origin::kFolder) return arrow::Status::OK();
  return MakeError(ErrorClass::kConfig, "definition.owned_by_folder",
                   what + " is defined by a file of the server's pipelines_dir",
                   "Change that file and have dxtd read its folder again: `systemctl "
                   "reload dxtd`, or SIGHUP");
}

ProjectRecord ReadProject(const Row& row) {
  ProjectRecord record;
  record.name = row.Text(0);
  record.revision = row.Integer(1);
  record.document = {row.Text(2), row.Text(3)};
  record.origin = static_cast<Origin>(row.Integer(4));
  record.created_at = row.Text(5);
  record.updated_at = row.Text(6);
  return record;
}

constexpr char kProjects[] =
    "SELECT name, revision, path, text, origin, created_at, updated_at FROM projects ";

arrow::Result<std::optional<ProjectRecord>> FindProject(Transaction& transaction,
                                                        string_view name) {
  std::optional<ProjectRecord> found;
  ARROW_RETURN_NOT_OK(transaction
                          .Run(kProjects + std::string("WHERE name = ?"), {name},
                               [&](const Row& row) { found = ReadProject(row); })
                          .status());
  return found;
}

/// With the document in columns 12 and 13 when `with_text`.
std::string PipelineSelect(bool with_text) {
  return std::string(
             "SELECT p.project, p.name, r.revision, p.origin, r.description, r.overlap, "
             "r.streams, p.paused, p.pause_note, p.created_at, "
             "max(r.made_at, p.changed_at)") +
         (with_text ? ", r.path, r.text" : "") +
         " FROM pipelines AS p JOIN pipeline_revisions AS r ON r.project = p.project AND "
         "r.name = p.name AND r.revision = ";
}

PipelineRecord ReadPipeline(const Row& row, bool with_text) {
  PipelineRecord record;
  record.project = row.Text(0);
  record.name = row.Text(1);
  record.revision = row.Integer(2);
  record.origin = static_cast<Origin>(row.Integer(3));
  record.description = row.Text(4);
  record.overlap = row.Text(5);
  record.streams = static_cast<int>(row.Integer(6));
  record.paused = row.Integer(7) != 0;
  record.pause_note = row.Text(8);
  record.created_at = row.Text(9);
  record.updated_at = row.Text(10);
  if (with_text) record.document = {row.Text(11), row.Text(12)};
  return record;
}

arrow::Result<std::optional<PipelineRecord>> FindPipeline(Transaction& transaction,
                                                          string_view project,
                                                          string_view name,
                                                          int64_t revision) {
  std::optional<PipelineRecord> found;
  const std::string newest = PipelineSelect(true) + "p.revision ";
  const std::string one = PipelineSelect(true) + "?3 ";
  Values values = {project, name};
  if (revision != 0) values.emplace_back(revision);
  ARROW_RETURN_NOT_OK(
      transaction
          .Run((revision == 0 ? newest : one) + "WHERE p.project = ?1 AND p.name = ?2",
               values, [&](const Row& row) { found = ReadPipeline(row, true); })
          .status());
  return found;
}

arrow::Status StoreRevision(Transaction& transaction, const PipelineRecord& record) {
  return transaction
      .Run("INSERT INTO pipeline_revisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
           {string_view(record.project), string_view(record.name), record.revision,
            string_view(record.description), string_view(record.overlap),
            int64_t{record.streams}, string_view(record.updated_at),
            string_view(record.document.path), string_view(record.document.text)})
      .status();
}

/// What would be deleted with the pipeline, as text; "" = nothing.
arrow::Result<std::string> UsersOf(Transaction& transaction, string_view project,
                                   string_view name) {
  std::string users;
  const auto add = [&](const Row& row) {
    users.append(users.empty() ? "" : ", ").append(row.Text(0));
  };
  ARROW_RETURN_NOT_OK(transaction
                          .Run("SELECT 'schedule ' || name FROM schedules WHERE "
                               "project = ? AND pipeline = ? ORDER BY name LIMIT 10",
                               {project, name}, add)
                          .status());
  ARROW_RETURN_NOT_OK(
      transaction
          .Run("SELECT 'dependency ' || upstream || '..' || downstream FROM dependencies "
               "WHERE project = ?1 AND upstream = ?2 UNION ALL "
               "SELECT 'dependency ' || upstream || '..' || downstream FROM dependencies "
               "WHERE project = ?1 AND downstream = ?2 LIMIT 10",
               {project, name}, add)
          .status());
  return users;
}

arrow::Status RemovePipeline(Transaction& transaction, const PipelineRecord& record) {
  const Values key = {string_view(record.project), string_view(record.name)};
  for (const char* sql : {
           "DELETE FROM dependencies WHERE project = ?1 AND upstream = ?2",
           "DELETE FROM dependencies WHERE project = ?1 AND downstream = ?2",
           "INSERT OR REPLACE INTO retired_names SELECT 'schedule', project, name, "
           "revision FROM schedules WHERE project = ?1 AND pipeline = ?2",
           "DELETE FROM schedules WHERE project = ?1 AND pipeline = ?2",
           "DELETE FROM pipelines WHERE project = ?1 AND name = ?2",
       }) {
    ARROW_RETURN_NOT_OK(transaction.Run(sql, key).status());
  }
  return RetireRevision(transaction, "pipeline", record.project, record.name,
                        record.revision);
}

}  // namespace

arrow::Status CheckRevision(string_view what, int64_t stored,
                            std::optional<int64_t> expected) {
  if (!expected || *expected == stored) return arrow::Status::OK();
  return MakeError(ErrorClass::kFenced, "state.etag",
                   std::string(what) +
                       " was changed by someone else: it is at revision " +
                       std::to_string(stored) + ", not " + std::to_string(*expected),
                   "Read it again and repeat the change");
}

arrow::Result<int64_t> RetiredRevision(Transaction& transaction, string_view kind,
                                       string_view project, string_view name) {
  int64_t revision = 0;
  ARROW_RETURN_NOT_OK(transaction
                          .Run("SELECT revision FROM retired_names WHERE kind = ? AND "
                               "project = ? AND name = ?",
                               {kind, project, name},
                               [&](const Row& row) { revision = row.Integer(0); })
                          .status());
  return revision;
}

arrow::Status RetireRevision(Transaction& transaction, string_view kind,
                             string_view project, string_view name, int64_t revision) {
  return transaction
      .Run("INSERT OR REPLACE INTO retired_names VALUES (?, ?, ?, ?)",
           {kind, project, name, revision})
      .status();
}

std::pair<string_view, string_view> SplitName(string_view name) {
  const size_t slash = name.find('/');
  if (slash == string_view::npos) return {name, {}};
  return {name.substr(0, slash), name.substr(slash + 1)};
}

arrow::Status RequirePipeline(Transaction& transaction, string_view project,
                              string_view name) {
  bool found = false;
  ARROW_RETURN_NOT_OK(transaction
                          .Run("SELECT 1 FROM pipelines WHERE project = ? AND name = ?",
                               {project, name}, [&](const Row&) { found = true; })
                          .status());
  return found ? arrow::Status::OK() : NoPipeline(project, name);
}

arrow::Result<ProjectRecord> SqliteDefinitionStore::ApplyProject(
    const ProjectRecord& record, std::optional<int64_t> expected_revision,
    const AuditRecord* audit) {
  ProjectRecord applied = record;
  ARROW_RETURN_NOT_OK(database_.Write([&](Transaction& transaction) -> arrow::Status {
    ARROW_ASSIGN_OR_RAISE(const auto stored, FindProject(transaction, record.name));
    const std::string what = "project " + record.name;
    ARROW_RETURN_NOT_OK(
        CheckRevision(what, stored ? stored->revision : 0, expected_revision));
    applied.created_at = stored ? stored->created_at : record.updated_at;
    if (stored) {
      ARROW_RETURN_NOT_OK(CheckOwner(what, stored->origin, record.origin));
      applied.revision = stored->revision;
      if (stored->document.text == record.document.text &&
          stored->document.path == record.document.path) {
        applied.updated_at = stored->updated_at;
        if (stored->origin == record.origin) return arrow::Status::OK();
      } else {
        ++applied.revision;
      }
    } else {
      ARROW_ASSIGN_OR_RAISE(const int64_t retired,
                            RetiredRevision(transaction, "project", record.name, ""));
      applied.revision = retired + 1;
    }
    ARROW_RETURN_NOT_OK(
        transaction
            .Run("INSERT INTO projects VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) "
                 "DO UPDATE SET revision = excluded.revision, path = excluded.path, "
                 "text = excluded.text, origin = excluded.origin, "
                 "updated_at = excluded.updated_at",
                 {string_view(applied.name), applied.revision,
                  string_view(applied.document.path), string_view(applied.document.text),
                  static_cast<int64_t>(applied.origin), string_view(applied.created_at),
                  string_view(applied.updated_at)})
            .status());
    return WriteAudit(transaction, audit);
  }));
  return applied;
}

arrow::Result<std::optional<ProjectRecord>> SqliteDefinitionStore::GetProject(
    string_view name) {
  std::optional<ProjectRecord> found;
  ARROW_RETURN_NOT_OK(database_.Read([&](Transaction& transaction) {
    return FindProject(transaction, name).Value(&found);
  }));
  return found;
}

arrow::Result<std::vector<ProjectRecord>> SqliteDefinitionStore::ListProjects(
    string_view after_name, int limit) {
  std::vector<ProjectRecord> projects;
  ARROW_RETURN_NOT_OK(database_.Read([&](Transaction& transaction) {
    return transaction
        .Run(kProjects + std::string("WHERE name > ? ORDER BY name LIMIT ?"),
             {after_name, int64_t{limit}},
             [&](const Row& row) { projects.push_back(ReadProject(row)); })
        .status();
  }));
  return projects;
}

arrow::Status SqliteDefinitionStore::DeleteProject(string_view name,
                                                   const DeleteRules& rules,
                                                   const AuditRecord* audit) {
  return database_.Write([&](Transaction& transaction) -> arrow::Status {
    ARROW_ASSIGN_OR_RAISE(const auto stored, FindProject(transaction, name));
    if (!stored) return NoProject(name);
    const std::string what = "project " + stored->name;
    ARROW_RETURN_NOT_OK(CheckRevision(what, stored->revision, rules.expected_revision));
    ARROW_RETURN_NOT_OK(CheckOwner(what, stored->origin, rules.by));
    std::vector<PipelineRecord> pipelines;
    ARROW_RETURN_NOT_OK(
        transaction
            .Run(PipelineSelect(false) + "p.revision WHERE p.project = ? ORDER BY p.name",
                 {name},
                 [&](const Row& row) { pipelines.push_back(ReadPipeline(row, false)); })
            .status());
    if (!pipelines.empty() && !rules.force) {
      return MakeError(ErrorClass::kConfig, "project.in_use",
                       what + " has " + std::to_string(pipelines.size()) +
                           " pipelines, such as " + pipelines.front().name,
                       "Delete them first, or delete the project with --force");
    }
    for (const auto& pipeline : pipelines) {
      ARROW_RETURN_NOT_OK(CheckOwner("pipeline " + Quoted(name, pipeline.name),
                                     pipeline.origin, rules.by));
      ARROW_RETURN_NOT_OK(RemovePipeline(transaction, pipeline));
    }
    ARROW_RETURN_NOT_OK(
        transaction.Run("DELETE FROM projects WHERE name = ?", {name}).status());
    ARROW_RETURN_NOT_OK(
        RetireRevision(transaction, "project", name, "", stored->revision));
    return WriteAudit(transaction, audit);
  });
}

arrow::Result<PipelineRecord> SqliteDefinitionStore::ApplyPipeline(
    const PipelineRecord& record, std::optional<int64_t> expected_revision,
    const AuditRecord* audit) {
  PipelineRecord applied = record;
  const Values key = {string_view(record.project), string_view(record.name)};
  ARROW_RETURN_NOT_OK(database_.Write([&](Transaction& transaction) -> arrow::Status {
    ARROW_ASSIGN_OR_RAISE(const auto stored,
                          FindPipeline(transaction, record.project, record.name, 0));
    const std::string what = "pipeline " + Quoted(record.project, record.name);
    ARROW_RETURN_NOT_OK(
        CheckRevision(what, stored ? stored->revision : 0, expected_revision));
    if (stored) {
      ARROW_RETURN_NOT_OK(CheckOwner(what, stored->origin, record.origin));
      applied.paused = stored->paused;
      applied.pause_note = stored->pause_note;
      applied.created_at = stored->created_at;
      applied.revision = stored->revision;
      const bool same = stored->document.text == record.document.text &&
                        stored->document.path == record.document.path;
      if (same) {
        applied.updated_at = stored->updated_at;
        if (stored->origin == record.origin) return arrow::Status::OK();
      } else {
        ++applied.revision;
        ARROW_RETURN_NOT_OK(StoreRevision(transaction, applied));
      }
      ARROW_RETURN_NOT_OK(
          transaction
              .Run("UPDATE pipelines SET revision = ?3, origin = ?4 WHERE project = ?1 "
                   "AND name = ?2",
                   {key[0], key[1], applied.revision,
                    static_cast<int64_t>(applied.origin)})
              .status());
      return WriteAudit(transaction, audit);
    }
    if (record.project != "default") {
      ARROW_ASSIGN_OR_RAISE(const auto project, FindProject(transaction, record.project));
      if (!project) return NoProject(record.project);
    }
    ARROW_ASSIGN_OR_RAISE(
        const int64_t retired,
        RetiredRevision(transaction, "pipeline", record.project, record.name));
    applied.revision = retired + 1;
    applied.created_at = record.updated_at;
    applied.paused = false;
    applied.pause_note.clear();
    ARROW_RETURN_NOT_OK(
        transaction
            .Run("INSERT INTO pipelines (project, name, revision, "
                 "origin, created_at) VALUES (?, ?, ?, ?, ?)",
                 {key[0], key[1], applied.revision, static_cast<int64_t>(applied.origin),
                  string_view(applied.created_at)})
            .status());
    ARROW_RETURN_NOT_OK(StoreRevision(transaction, applied));
    return WriteAudit(transaction, audit);
  }));
  return applied;
}

arrow::Result<std::optional<PipelineRecord>> SqliteDefinitionStore::GetPipeline(
    string_view project, string_view name, int64_t revision) {
  std::optional<PipelineRecord> found;
  ARROW_RETURN_NOT_OK(database_.Read([&](Transaction& transaction) {
    return FindPipeline(transaction, project, name, revision).Value(&found);
  }));
  return found;
}

arrow::Result<std::vector<PipelineRecord>> SqliteDefinitionStore::ListPipelines(
    string_view project, string_view after, int limit) {
  std::vector<PipelineRecord> pipelines;
  const auto [after_project, after_name] = SplitName(after);
  std::string condition = "p.revision WHERE (p.project, p.name) > (?1, ?2) ";
  Values values = {after_project, after_name, int64_t{limit}};
  if (!project.empty()) {
    condition += "AND p.project = ?4 ";
    values.emplace_back(project);
  }
  ARROW_RETURN_NOT_OK(database_.Read([&](Transaction& transaction) {
    return transaction
        .Run(PipelineSelect(false) + condition + "ORDER BY p.project, p.name LIMIT ?3",
             values,
             [&](const Row& row) { pipelines.push_back(ReadPipeline(row, false)); })
        .status();
  }));
  return pipelines;
}

arrow::Result<std::vector<int64_t>> SqliteDefinitionStore::PipelineRevisions(
    string_view project, string_view name) {
  std::vector<int64_t> revisions;
  ARROW_RETURN_NOT_OK(database_.Read([&](Transaction& transaction) {
    return transaction
        .Run(
            "SELECT revision FROM pipeline_revisions WHERE project = ? AND name = ? "
            "ORDER BY revision DESC",
            {project, name}, [&](const Row& row) { revisions.push_back(row.Integer(0)); })
        .status();
  }));
  return revisions;
}

arrow::Result<PipelineRecord> SqliteDefinitionStore::SetPaused(
    string_view project, string_view name, bool paused, string_view note, string_view now,
    const AuditRecord* audit) {
  std::optional<PipelineRecord> found;
  ARROW_RETURN_NOT_OK(database_.Write([&](Transaction& transaction) -> arrow::Status {
    ARROW_ASSIGN_OR_RAISE(
        const int64_t changed,
        transaction.Run("UPDATE pipelines SET paused = ?3, pause_note = ?4, "
                        "changed_at = ?5 WHERE project = ?1 AND name = ?2",
                        {project, name, int64_t{paused}, note, now}));
    if (changed == 0) return NoPipeline(project, name);
    ARROW_ASSIGN_OR_RAISE(found, FindPipeline(transaction, project, name, 0));
    return WriteAudit(transaction, audit);
  }));
  return *std::move(found);
}

arrow::Status SqliteDefinitionStore::DeletePipeline(string_view project, string_view name,
                                                    const DeleteRules& rules,
                                                    const AuditRecord* audit) {
  return database_.Write([&](Transaction& transaction) -> arrow::Status {
    ARROW_ASSIGN_OR_RAISE(const auto stored, FindPipeline(transaction, project, name, 0));
    if (!stored) return NoPipeline(project, name);
    const std::string what = "pipeline " + Quoted(project, name);
    ARROW_RETURN_NOT_OK(CheckRevision(what, stored->revision, rules.expected_revision));
    ARROW_RETURN_NOT_OK(CheckOwner(what, stored->origin, rules.by));
    if (!rules.force) {
      ARROW_ASSIGN_OR_RAISE(const std::string users, UsersOf(transaction, project, name));
      if (!users.empty()) {
        return MakeError(ErrorClass::kConfig, "pipeline.in_use", what + " has " + users,
                         "Delete these first, or delete the pipeline with --force");
      }
    }
    ARROW_RETURN_NOT_OK(RemovePipeline(transaction, *stored));
    return WriteAudit(transaction, audit);
  });
}

arrow::Result<int64_t> SqliteDefinitionStore::CountPipelines() {
  return ReadNumber(database_, "SELECT count(*) FROM pipelines");
}

}  // namespace dxt
