#include "base/error.h"
#include "state/sqlite/facets.h"

namespace dxt {
namespace {

constexpr char kColumns[] =
    "SELECT id, project, pipeline, document_hash, options, state, dry_run, resumed, "
    "interrupted, attempt, created_at, started_at, ended_at, exit_code, result_json FROM "
    "runs ";

RunRecord ReadRun(const StateDatabase::Row& row) {
  RunRecord run;
  run.id = row.Text(0);
  run.project = row.Text(1);
  run.pipeline = row.Text(2);
  run.document_hash = row.Text(3);
  run.options = row.Text(4);
  run.state = row.Text(5);
  run.dry_run = row.Integer(6) != 0;
  run.resumed = row.Integer(7) != 0;
  run.interrupted = row.Integer(8) != 0;
  run.attempt = row.Integer(9);
  run.created_at = row.Text(10);
  run.started_at = row.Text(11);
  run.ended_at = row.Text(12);
  if (!row.IsNull(13)) run.exit_code = static_cast<int>(row.Integer(13));
  run.result_json = row.Text(14);
  return run;
}

arrow::Result<std::optional<RunRecord>> FindOne(
    StateDatabase::Transaction& transaction, std::string_view condition,
    const std::vector<StateDatabase::Value>& with) {
  std::optional<RunRecord> found;
  ARROW_RETURN_NOT_OK(
      transaction
          .Run(kColumns + std::string(condition), with,
               [&](const StateDatabase::Row& row) { found = ReadRun(row); })
          .status());
  return found;
}

arrow::Status Fenced(std::string_view id) {
  return MakeError(ErrorClass::kFenced, "run.fenced",
                   "run " + std::string(id) + " is held by another worker or has ended",
                   "See `dxtctl packages list` and the log for what it left");
}

}  // namespace

arrow::Status CheckLease(StateDatabase::Transaction& transaction, const Lease& lease) {
  bool held = false;
  ARROW_RETURN_NOT_OK(transaction
                          .Run("SELECT 1 FROM runs WHERE id = ? AND attempt = ? AND "
                               "interrupted = 0 AND state IN ('RUNNING', 'CANCELLING')",
                               {std::string_view(lease.run_id), lease.attempt},
                               [&](const StateDatabase::Row&) { held = true; })
                          .status());
  return held ? arrow::Status::OK() : Fenced(lease.run_id);
}

arrow::Result<CreatedRun> SqliteRunStore::Create(const NewRun& run) {
  ARROW_ASSIGN_OR_RAISE(auto transaction, database_.Begin());
  if (!run.request_id.empty()) {
    ARROW_ASSIGN_OR_RAISE(auto earlier, FindOne(transaction, "WHERE request_id = ?",
                                                {std::string_view(run.request_id)}));
    if (earlier) return CreatedRun{*earlier, true};
  }
  ARROW_RETURN_NOT_OK(transaction
                          .Run("INSERT INTO documents VALUES (?, ?, ?, ?, ?) ON CONFLICT "
                               "(hash) DO NOTHING",
                               {std::string_view(run.document_hash),
                                std::string_view(run.pipeline_document.path),
                                std::string_view(run.pipeline_document.text),
                                std::string_view(run.project_document.path),
                                std::string_view(run.project_document.text)})
                          .status());
  StateDatabase::Value request_id;
  if (!run.request_id.empty()) request_id = std::string_view(run.request_id);
  ARROW_RETURN_NOT_OK(
      transaction
          .Run("INSERT INTO runs (id, project, pipeline, request_id, document_hash, "
               "options, "
               "state, dry_run, created_at) VALUES (?, ?, ?, ?, ?, ?, 'QUEUED', ?, ?)",
               {std::string_view(run.id), std::string_view(run.project),
                std::string_view(run.pipeline), request_id,
                std::string_view(run.document_hash), std::string_view(run.options),
                int64_t{run.dry_run}, std::string_view(run.created_at)})
          .status());
  ARROW_ASSIGN_OR_RAISE(auto made,
                        FindOne(transaction, "WHERE id = ?", {std::string_view(run.id)}));
  ARROW_RETURN_NOT_OK(transaction.Commit());
  return CreatedRun{*made, false};
}

arrow::Result<std::optional<RunRecord>> SqliteRunStore::Get(std::string_view id) {
  ARROW_ASSIGN_OR_RAISE(auto transaction, database_.Begin());
  return FindOne(transaction, "WHERE id = ?", {id});
}

arrow::Result<std::vector<RunRecord>> SqliteRunStore::List(const RunQuery& query) {
  ARROW_ASSIGN_OR_RAISE(auto transaction, database_.Begin());
  std::vector<RunRecord> runs;
  ARROW_RETURN_NOT_OK(
      transaction
          .Run(kColumns + std::string("WHERE (?1 = '' OR project = ?1) AND (?2 = '' OR "
                                      "pipeline = ?2) AND (?3 = '' OR id < ?3) "
                                      "ORDER BY id DESC LIMIT ?4"),
               {std::string_view(query.project), std::string_view(query.pipeline),
                std::string_view(query.before_id), int64_t{query.limit}},
               [&](const StateDatabase::Row& row) { runs.push_back(ReadRun(row)); })
          .status());
  return runs;
}

arrow::Result<Lease> SqliteRunStore::Claim(std::string_view id, std::string_view now) {
  ARROW_ASSIGN_OR_RAISE(auto transaction, database_.Begin());
  Lease lease;
  ARROW_RETURN_NOT_OK(
      transaction
          .Run(
              "UPDATE runs SET state = 'RUNNING', resumed = interrupted AND attempt > 0, "
              "interrupted = 0, attempt = attempt + 1, "
              "started_at = CASE started_at WHEN '' THEN ?2 ELSE started_at END "
              "WHERE id = ?1 AND (state = 'QUEUED' OR (interrupted = 1 AND state IN "
              "('RUNNING', 'CANCELLING'))) RETURNING attempt",
              {id, now},
              [&](const StateDatabase::Row& row) {
                lease = {std::string(id), row.Integer(0)};
              })
          .status());
  if (lease.attempt == 0) return Fenced(id);
  ARROW_RETURN_NOT_OK(transaction.Commit());
  return lease;
}

arrow::Status SqliteRunStore::SetState(const Lease& lease, std::string_view state) {
  ARROW_ASSIGN_OR_RAISE(auto transaction, database_.Begin());
  ARROW_RETURN_NOT_OK(CheckLease(transaction, lease));
  ARROW_RETURN_NOT_OK(transaction
                          .Run("UPDATE runs SET state = ? WHERE id = ?",
                               {state, std::string_view(lease.run_id)})
                          .status());
  return transaction.Commit();
}

arrow::Status SqliteRunStore::Finish(const Lease& lease, const RunOutcome& outcome) {
  ARROW_ASSIGN_OR_RAISE(auto transaction, database_.Begin());
  ARROW_RETURN_NOT_OK(CheckLease(transaction, lease));
  ARROW_RETURN_NOT_OK(
      transaction
          .Run("UPDATE runs SET state = ?, exit_code = ?, result_json = ?, ended_at = ? "
               "WHERE id = ?",
               {std::string_view(outcome.state), int64_t{outcome.exit_code},
                std::string_view(outcome.result_json), std::string_view(outcome.ended_at),
                std::string_view(lease.run_id)})
          .status());
  return transaction.Commit();
}

arrow::Status SqliteRunStore::Abandon(std::string_view id, const RunOutcome& outcome) {
  ARROW_ASSIGN_OR_RAISE(auto transaction, database_.Begin());
  ARROW_ASSIGN_OR_RAISE(
      const int64_t changed,
      transaction.Run(
          "UPDATE runs SET state = ?, exit_code = ?, result_json = ?, "
          "ended_at = ?, interrupted = 0 WHERE id = ? AND (state = 'QUEUED' OR "
          "(interrupted = 1 AND state IN ('RUNNING', 'CANCELLING')))",
          {std::string_view(outcome.state), int64_t{outcome.exit_code},
           std::string_view(outcome.result_json), std::string_view(outcome.ended_at),
           id}));
  if (changed == 0) return Fenced(id);
  return transaction.Commit();
}

arrow::Result<std::optional<RunRecord>> SqliteRunStore::FindInterrupted(
    std::string_view project, std::string_view pipeline) {
  ARROW_ASSIGN_OR_RAISE(auto transaction, database_.Begin());
  return FindOne(
      transaction,
      "WHERE state IN ('QUEUED', 'RUNNING', 'CANCELLING') AND interrupted = 1 AND "
      "project = ? AND pipeline = ? AND dry_run = 0 ORDER BY id DESC LIMIT 1",
      {project, pipeline});
}

arrow::Status SqliteRunStore::Recover() {
  ARROW_ASSIGN_OR_RAISE(auto transaction, database_.Begin());
  ARROW_RETURN_NOT_OK(
      transaction
          .Run("UPDATE runs SET interrupted = 1 WHERE state IN ('QUEUED', 'RUNNING', "
               "'CANCELLING')",
               {})
          .status());
  ARROW_RETURN_NOT_OK(
      transaction
          .Run("DELETE FROM runs WHERE state IN ('SUCCEEDED', 'PARTIAL', 'FAILED', "
               "'CANCELLED')"
               " AND id < (SELECT id FROM runs ORDER BY id DESC LIMIT 1 OFFSET 999)",
               {})
          .status());
  ARROW_RETURN_NOT_OK(
      transaction
          .Run("DELETE FROM documents WHERE NOT EXISTS (SELECT 1 FROM runs "
               "WHERE document_hash = hash)",
               {})
          .status());
  return transaction.Commit();
}

}  // namespace dxt
