#include <algorithm>

#include "base/error.h"
#include "state/sqlite/facets.h"
#include "state/sqlite/run_rows.h"

namespace dxt {
namespace {

using Row = StateDatabase::Row;
using Transaction = StateDatabase::Transaction;
using Values = StateDatabase::Values;
using std::string_view;

/// What a worker holds, or may take over: Interrupted says that nobody holds it now.
constexpr char kNotHeld[] =
    "(state = 'QUEUED' OR (state = 'CANCELLING' AND attempt = 0) OR "
    "(interrupted = 1 AND state IN ('RUNNING', 'CANCELLING')))";

arrow::Status Fenced(string_view id) {
  return MakeError(ErrorClass::kFenced, "run.fenced",
                   "run " + std::string(id) + " is held by another worker or has ended",
                   "See `dxtctl packages list` and the log for what it left");
}

/// What must hold for a run's end, whoever ends it.
arrow::Status StoreEnd(Transaction& transaction, string_view id,
                       const RunOutcome& outcome) {
  if (!outcome.result_json.empty()) {
    ARROW_RETURN_NOT_OK(
        transaction
            .Run("INSERT OR REPLACE INTO run_results (run, json) VALUES (?, ?)",
                 {id, string_view(outcome.result_json)})
            .status());
  }
  if (!outcome.last_lines.empty()) {
    ARROW_RETURN_NOT_OK(AppendLines(transaction, id, outcome.last_lines).status());
  }
  return transaction.Run("DELETE FROM run_inputs WHERE run = ?", {id}).status();
}

}  // namespace

arrow::Status CheckLease(Transaction& transaction, const Lease& lease) {
  bool held = false;
  ARROW_RETURN_NOT_OK(transaction
                          .Run("SELECT 1 FROM runs WHERE id = ? AND attempt = ? AND "
                               "interrupted = 0 AND state IN ('RUNNING', 'CANCELLING')",
                               {string_view(lease.run_id), lease.attempt},
                               [&](const Row&) { held = true; })
                          .status());
  return held ? arrow::Status::OK() : Fenced(lease.run_id);
}

arrow::Result<CreatedRun> SqliteRunStore::Create(const NewRun& run,
                                                 const AuditRecord* audit) {
  CreatedRun created;
  ARROW_RETURN_NOT_OK(database_.Write([&](Transaction& transaction) -> arrow::Status {
    ARROW_ASSIGN_OR_RAISE(created, InsertRun(transaction, run));
    return created.existed ? arrow::Status::OK() : WriteAudit(transaction, audit);
  }));
  return created;
}

arrow::Result<std::optional<RunRecord>> SqliteRunStore::Get(string_view id) {
  std::optional<RunRecord> found;
  ARROW_RETURN_NOT_OK(database_.Read([&](Transaction& transaction) {
    return FindRun(transaction, "WHERE id = ?", {id}).Value(&found);
  }));
  return found;
}

arrow::Result<std::vector<RunRecord>> SqliteRunStore::List(const RunQuery& query) {
  std::vector<RunRecord> runs;
  ARROW_RETURN_NOT_OK(database_.Read([&](Transaction& transaction) {
    const auto [sql, values] = ListStatement(query);
    return QueryRuns(transaction, sql, values).Value(&runs);
  }));
  return runs;
}

arrow::Result<std::vector<RunRecord>> SqliteRunStore::Queued() {
  std::vector<RunRecord> runs;
  ARROW_RETURN_NOT_OK(database_.Read([&](Transaction& transaction) {
    return ReadRunsBy(transaction, "runs_queued",
                      "WHERE state = 'QUEUED' ORDER BY priority DESC, id", {})
        .Value(&runs);
  }));
  return runs;
}

arrow::Result<std::vector<RunRecord>> SqliteRunStore::Interrupted() {
  std::vector<RunRecord> runs;
  ARROW_RETURN_NOT_OK(database_.Read([&](Transaction& transaction) {
    return ReadRunsBy(transaction, "runs_not_ended",
                      "WHERE state IN ('QUEUED', 'RUNNING', 'CANCELLING') AND "
                      "state <> 'QUEUED' AND interrupted = 1 ORDER BY id",
                      {})
        .Value(&runs);
  }));
  return runs;
}

arrow::Result<std::optional<StoredInput>> SqliteRunStore::Input(string_view id) {
  std::optional<StoredInput> found;
  ARROW_RETURN_NOT_OK(database_.Read([&](Transaction& transaction) {
    return transaction
        .Run(
            "SELECT pipeline_path, pipeline_text, project_path, project_text, options, "
            "sealed FROM runs JOIN documents ON hash = document_hash "
            "LEFT JOIN run_inputs ON run = id WHERE id = ?",
            {id},
            [&](const Row& row) {
              found = StoredInput{{row.Text(0), row.Text(1)},
                                  {row.Text(2), row.Text(3)},
                                  row.Text(4),
                                  row.Text(5)};
            })
        .status();
  }));
  return found;
}

arrow::Result<RunStats> SqliteRunStore::Stats() {
  RunStats stats;
  ARROW_RETURN_NOT_OK(database_.Read([&](Transaction& transaction) -> arrow::Status {
    ARROW_RETURN_NOT_OK(
        transaction
            .Run("SELECT state, runs FROM run_counts WHERE runs > 0 ORDER BY state", {},
                 [&](const Row& row) {
                   stats.by_state.emplace_back(row.Text(0), row.Integer(1));
                 })
            .status());
    return transaction
        .Run(
            "SELECT created_at FROM runs INDEXED BY runs_queued_by_age "
            "WHERE state = 'QUEUED' ORDER BY created_at "
            "LIMIT 1",
            {}, [&](const Row& row) { stats.oldest_queued_at = row.Text(0); })
        .status();
  }));
  return stats;
}

arrow::Result<Lease> SqliteRunStore::Claim(string_view id, string_view now) {
  Lease lease;
  ARROW_RETURN_NOT_OK(database_.Write([&](Transaction& transaction) -> arrow::Status {
    ARROW_RETURN_NOT_OK(
        transaction
            .Run("UPDATE runs SET state = 'RUNNING', "
                 "resumed = interrupted AND attempt > 0, interrupted = 0, "
                 "attempt = attempt + 1, "
                 "started_at = CASE started_at WHEN '' THEN ?2 ELSE started_at END "
                 "WHERE id = ?1 AND (state = 'QUEUED' OR (interrupted = 1 AND "
                 "attempt > 0 AND state IN ('RUNNING', 'CANCELLING'))) "
                 "RETURNING attempt",
                 {id, now},
                 [&](const Row& row) { lease = {std::string(id), row.Integer(0)}; })
            .status());
    return lease.attempt == 0 ? Fenced(id) : arrow::Status::OK();
  }));
  return lease;
}

arrow::Status SqliteRunStore::SetState(const Lease& lease, string_view state) {
  return database_.Write([&](Transaction& transaction) -> arrow::Status {
    ARROW_RETURN_NOT_OK(CheckLease(transaction, lease));
    return transaction
        .Run("UPDATE runs SET state = ? WHERE id = ?", {state, string_view(lease.run_id)})
        .status();
  });
}

arrow::Result<RunRecord> SqliteRunStore::RequestCancel(string_view id, string_view reason,
                                                       const AuditRecord* audit) {
  std::optional<RunRecord> run;
  ARROW_RETURN_NOT_OK(database_.Write([&](Transaction& transaction) -> arrow::Status {
    ARROW_ASSIGN_OR_RAISE(
        const int64_t changed,
        transaction.Run("UPDATE runs SET state = 'CANCELLING', cancel_reason = ?2 "
                        "WHERE id = ?1 AND state IN ('QUEUED', 'RUNNING')",
                        {id, reason}));
    ARROW_ASSIGN_OR_RAISE(run, FindRun(transaction, "WHERE id = ?", {id}));
    if (!run) {
      return MakeError(ErrorClass::kConfig, "run.not_found",
                       "there is no run " + std::string(id) + " in this state folder",
                       "dxtctl runs list shows those that are kept");
    }
    return changed > 0 ? WriteAudit(transaction, audit) : arrow::Status::OK();
  }));
  return *std::move(run);
}

arrow::Result<std::vector<RunRecord>> SqliteRunStore::Finish(
    const Lease& lease, const RunOutcome& outcome, std::span<const NewRun> follow_ups) {
  const string_view id = lease.run_id;
  std::vector<RunRecord> made;
  ARROW_RETURN_NOT_OK(database_.Write([&](Transaction& transaction) -> arrow::Status {
    ARROW_RETURN_NOT_OK(CheckLease(transaction, lease));
    std::string project, pipeline;
    ARROW_RETURN_NOT_OK(
        transaction
            .Run("UPDATE runs SET state = ?, exit_code = ?, ended_at = ? WHERE id = ? "
                 "RETURNING project, pipeline",
                 {string_view(outcome.state), int64_t{outcome.exit_code},
                  string_view(outcome.ended_at), id},
                 [&](const Row& row) {
                   project = row.Text(0);
                   pipeline = row.Text(1);
                 })
            .status());
    ARROW_RETURN_NOT_OK(StoreEnd(transaction, id, outcome));
    if (outcome.satisfies) {
      ARROW_RETURN_NOT_OK(transaction
                              .Run("UPDATE dependencies SET satisfied_by = ? WHERE "
                                   "project = ? AND upstream = ?",
                                   {id, string_view(project), string_view(pipeline)})
                              .status());
    }
    for (const NewRun& next : follow_ups) {
      if (next.if_upstreams_succeeded) {
        ARROW_ASSIGN_OR_RAISE(
            const bool ready,
            UpstreamsSucceeded(transaction, next.project, next.pipeline));
        if (!ready) continue;
      }
      ARROW_ASSIGN_OR_RAISE(auto created, InsertRun(transaction, next));
      if (!created.existed) made.push_back(std::move(created.run));
    }
    return arrow::Status::OK();
  }));
  return made;
}

arrow::Status SqliteRunStore::Abandon(string_view id, const RunOutcome& outcome) {
  return database_.Write([&](Transaction& transaction) -> arrow::Status {
    ARROW_ASSIGN_OR_RAISE(
        const int64_t changed,
        transaction.Run("UPDATE runs SET state = ?, exit_code = ?, ended_at = ?, "
                        "interrupted = 0 WHERE id = ? AND " +
                            std::string(kNotHeld),
                        {string_view(outcome.state), int64_t{outcome.exit_code},
                         string_view(outcome.ended_at), id}));
    return changed == 0 ? Fenced(id) : StoreEnd(transaction, id, outcome);
  });
}

arrow::Status SqliteRunStore::Expire(string_view id) {
  return database_.Write([&](Transaction& transaction) -> arrow::Status {
    ARROW_ASSIGN_OR_RAISE(
        const int64_t changed,
        transaction.Run("UPDATE runs SET interrupted = 1 WHERE id = ? AND "
                        "interrupted = 0 AND attempt > 0 AND "
                        "state IN ('RUNNING', 'CANCELLING')",
                        {id}));
    return changed == 0 ? Fenced(id) : arrow::Status::OK();
  });
}

arrow::Result<std::optional<RunRecord>> SqliteRunStore::FindInterrupted(
    string_view project, string_view pipeline) {
  std::optional<RunRecord> found;
  ARROW_RETURN_NOT_OK(database_.Read([&](Transaction& transaction) -> arrow::Status {
    ARROW_ASSIGN_OR_RAISE(
        auto runs,
        ReadRunsBy(transaction, "runs_not_ended",
                   "WHERE state IN ('QUEUED', 'RUNNING', 'CANCELLING') AND "
                   "interrupted = 1 AND project = ? AND pipeline = ? AND dry_run = 0 "
                   "ORDER BY id DESC LIMIT 1",
                   {project, pipeline}));
    if (!runs.empty()) found = std::move(runs.front());
    return arrow::Status::OK();
  }));
  return found;
}

arrow::Status SqliteRunStore::Recover() {
  return database_.Write([&](Transaction& transaction) {
    return transaction
        .Run(
            "UPDATE runs INDEXED BY runs_not_ended SET interrupted = 1 WHERE interrupted "
            "= 0 AND "
            "state IN ('QUEUED', 'RUNNING', 'CANCELLING')")
        .status();
  });
}

}  // namespace dxt
