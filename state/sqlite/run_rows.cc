#include "state/sqlite/run_rows.h"

#include "base/error.h"
#include "state/sqlite/facets.h"

namespace dxt {
namespace {

using Row = StateDatabase::Row;
using Transaction = StateDatabase::Transaction;
using Values = StateDatabase::Values;
using std::string_view;

constexpr char kSelect[] =
    "SELECT id, project, pipeline, document_hash, options, state, dry_run, resumed, "
    "interrupted, attempt, created_at, started_at, ended_at, exit_code, request_id, "
    "priority, trigger_kind, trigger_source, trigger_at, retry_of, pipeline_revision, "
    "not_before, cancel_reason, json FROM runs ";
constexpr char kResults[] = " LEFT JOIN run_results ON run = id ";

RunRecord ReadRun(const Row& row) {
  RunRecord run;
  int at = 0;
  run.id = row.Text(at++);
  run.project = row.Text(at++);
  run.pipeline = row.Text(at++);
  run.document_hash = row.Text(at++);
  run.options = row.Text(at++);
  run.state = row.Text(at++);
  run.dry_run = row.Integer(at++) != 0;
  run.resumed = row.Integer(at++) != 0;
  run.interrupted = row.Integer(at++) != 0;
  run.attempt = row.Integer(at++);
  run.created_at = row.Text(at++);
  run.started_at = row.Text(at++);
  run.ended_at = row.Text(at++);
  if (!row.IsNull(at)) run.exit_code = static_cast<int>(row.Integer(at));
  ++at;
  run.request_id = row.Text(at++);
  run.priority = static_cast<int>(row.Integer(at++));
  run.trigger.kind = row.Text(at++);
  run.trigger.source = row.Text(at++);
  run.trigger.scheduled_at = row.Text(at++);
  run.retry_of = row.Text(at++);
  run.pipeline_revision = row.Integer(at++);
  run.not_before = row.Text(at++);
  run.cancel_reason = row.Text(at++);
  run.result_json = row.Text(at++);
  return run;
}

/// The run that a request made before, if it did.
arrow::Result<std::optional<RunRecord>> FindRequest(Transaction& transaction,
                                                    const NewRun& run) {
  if (run.request_id.empty()) return std::nullopt;
  const string_view request = run.request_id;
  ARROW_ASSIGN_OR_RAISE(auto earlier,
                        FindRun(transaction, "WHERE request_id = ?", {request}));
  if (!earlier) return std::nullopt;
  std::string hash;
  ARROW_RETURN_NOT_OK(transaction
                          .Run("SELECT request_hash FROM runs WHERE request_id = ?",
                               {request}, [&](const Row& row) { hash = row.Text(0); })
                          .status());
  if (!hash.empty() && !run.request_hash.empty() && hash != run.request_hash) {
    return MakeError(ErrorClass::kConfig, "run.request_reused",
                     "the request id " + run.request_id + " made run " + earlier->id +
                         " of another request",
                     "Use a new request id for each request");
  }
  return earlier;
}

arrow::Status InsertRow(Transaction& transaction, const NewRun& run) {
  StateDatabase::Value request_id;
  if (!run.request_id.empty()) request_id = string_view(run.request_id);
  return transaction
      .Run(
          "INSERT INTO runs (id, project, pipeline, request_id, document_hash, options, "
          "state, dry_run, created_at, request_hash, priority, trigger_kind, "
          "trigger_source, trigger_at, retry_of, pipeline_revision, not_before) "
          "VALUES (?, ?, ?, ?, ?, ?, 'QUEUED', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
          {string_view(run.id), string_view(run.project), string_view(run.pipeline),
           request_id, string_view(run.document_hash), string_view(run.options),
           int64_t{run.dry_run}, string_view(run.created_at),
           string_view(run.request_hash), int64_t{run.priority},
           string_view(run.trigger.kind), string_view(run.trigger.source),
           string_view(run.trigger.scheduled_at), string_view(run.retry_of),
           run.pipeline_revision, string_view(run.not_before)})
      .status();
}

RunRecord QueuedRecord(const NewRun& run) {
  RunRecord record;
  record.id = run.id;
  record.project = run.project;
  record.pipeline = run.pipeline;
  record.document_hash = run.document_hash;
  record.options = run.options;
  record.state = "QUEUED";
  record.dry_run = run.dry_run;
  record.created_at = run.created_at;
  record.request_id = run.request_id;
  record.priority = run.priority;
  record.trigger = run.trigger;
  record.retry_of = run.retry_of;
  record.pipeline_revision = run.pipeline_revision;
  record.not_before = run.not_before;
  return record;
}

}  // namespace

arrow::Result<std::vector<RunRecord>> ReadRuns(Transaction& transaction,
                                               string_view condition,
                                               const Values& values) {
  return QueryRuns(transaction, std::string(kSelect).append(kResults).append(condition),
                   values);
}

arrow::Result<std::vector<RunRecord>> ReadRunsBy(Transaction& transaction,
                                                 string_view index, string_view condition,
                                                 const Values& values) {
  std::string sql(kSelect);
  sql.append("INDEXED BY ").append(index).append(kResults).append(condition);
  return QueryRuns(transaction, sql, values);
}

arrow::Result<std::vector<RunRecord>> QueryRuns(Transaction& transaction, string_view sql,
                                                const Values& values) {
  std::vector<RunRecord> runs;
  ARROW_RETURN_NOT_OK(
      transaction.Run(sql, values, [&](const Row& row) { runs.push_back(ReadRun(row)); })
          .status());
  return runs;
}

arrow::Result<std::optional<RunRecord>> FindRun(Transaction& transaction,
                                                string_view condition,
                                                const Values& values) {
  ARROW_ASSIGN_OR_RAISE(auto runs, ReadRuns(transaction, condition, values));
  if (runs.empty()) return std::nullopt;
  return std::move(runs.back());
}

std::pair<std::string, Values> ListStatement(const RunQuery& query) {
  std::string conditions;
  Values values;
  const auto where = [&](string_view condition, StateDatabase::Value value) {
    values.push_back(value);
    conditions.append(conditions.empty() ? "WHERE " : " AND ").append(condition);
    conditions.append(" ?" + std::to_string(values.size()));
  };
  const auto text = [&](const std::string& value, string_view condition) {
    if (!value.empty()) where(condition, string_view(value));
  };
  text(query.project, "project =");
  text(query.pipeline, "pipeline =");
  text(query.before_id, "id <");
  text(query.after_id, "id >");
  text(query.trigger, "trigger_kind =");
  text(query.created_from, "created_at >=");
  text(query.created_before, "created_at <");
  text(query.ended_from, "ended_at >=");
  text(query.ended_before, "ended_at <");
  if (!query.ended_before.empty()) where("ended_at >", string_view());
  if (query.dry_run) where("dry_run =", int64_t{*query.dry_run});
  std::string sql;
  if (query.states.empty()) sql = std::string(kSelect).append(kResults) + conditions;
  // One ordered walk for each state, merged, stops at the limit; IN would sort them all.
  for (const auto& state : query.states) {
    values.emplace_back(string_view(state));
    sql.append(sql.empty() ? "" : " UNION ALL ").append(kSelect).append(kResults);
    sql.append(conditions);
    sql.append(conditions.empty() ? "WHERE" : " AND");
    sql.append(" state = ?" + std::to_string(values.size()));
  }
  values.emplace_back(int64_t{query.limit});
  sql.append(query.ascending ? " ORDER BY id LIMIT ?" : " ORDER BY id DESC LIMIT ?");
  sql.append(std::to_string(values.size()));
  return {std::move(sql), std::move(values)};
}

arrow::Result<CreatedRun> InsertRun(Transaction& transaction, const NewRun& run) {
  ARROW_ASSIGN_OR_RAISE(auto earlier, FindRequest(transaction, run));
  if (earlier) return CreatedRun{*std::move(earlier), true};
  ARROW_RETURN_NOT_OK(
      transaction
          .Run("INSERT INTO documents VALUES (?, ?, ?, ?, ?) ON CONFLICT "
               "(hash) DO NOTHING",
               {string_view(run.document_hash), string_view(run.pipeline_document.path),
                string_view(run.pipeline_document.text),
                string_view(run.project_document.path),
                string_view(run.project_document.text)})
          .status());
  ARROW_RETURN_NOT_OK(InsertRow(transaction, run));
  if (!run.sealed_input.empty()) {
    ARROW_RETURN_NOT_OK(
        transaction
            .Run("INSERT INTO run_inputs VALUES (?, ?)",
                 {string_view(run.id), StateDatabase::Blob{run.sealed_input}})
            .status());
  }
  if (!run.dry_run) {
    ARROW_RETURN_NOT_OK(transaction
                            .Run("UPDATE dependencies SET satisfied_by = '' WHERE "
                                 "project = ? AND downstream = ? AND satisfied_by <> ''",
                                 {string_view(run.project), string_view(run.pipeline)})
                            .status());
  }
  return CreatedRun{QueuedRecord(run), false};
}

}  // namespace dxt
