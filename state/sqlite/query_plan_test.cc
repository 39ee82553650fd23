// No call may walk a table that grows with history: every statement that the store runs
// is collected and its plan read.
#include <sqlite3.h>

#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <regex>
#include <set>

#include <gtest/gtest.h>

#include "state/sqlite/sqlite_state_store.h"

namespace dxt {
namespace {

constexpr char kNow[] = "2026-11-21T09:00:00.000Z";

std::mutex g_mutex;
std::set<std::string> g_statements;

int Collect(unsigned, void*, void* statement, void*) {
  const char* sql = sqlite3_sql(static_cast<sqlite3_stmt*>(statement));
  if (sql == nullptr) return 0;
  std::lock_guard lock(g_mutex);
  g_statements.insert(sql);
  return 0;
}

extern "C" int TraceEachConnection(sqlite3* db, const char**, const void*) {
  return sqlite3_trace_v2(db, SQLITE_TRACE_STMT, Collect, nullptr);
}

NewRun MakeRun(const std::string& id) {
  NewRun run;
  run.id = id;
  run.project = "shop";
  run.pipeline = "orders";
  run.request_id = "request-" + id;
  run.document_hash = "hash-" + id;
  run.created_at = kNow;
  run.sealed_input = "sealed";
  return run;
}

void UseRuns(StateStore& store) {
  auto& runs = store.runs();
  const std::string ids[] = {"01A", "01B", "01C", "01D"};
  for (const auto& id : ids) ASSERT_TRUE(runs.Create(MakeRun(id)).ok());
  ASSERT_TRUE(runs.Create(MakeRun("01A")).ok());
  ASSERT_TRUE(runs.Get("01A").ok());
  ASSERT_TRUE(runs.Queued().ok());
  ASSERT_TRUE(runs.Stats().ok());
  ASSERT_TRUE(runs.Input("01A").ok());
  auto lease = runs.Claim("01A", kNow);
  ASSERT_TRUE(runs.Expire("01A").ok());
  ASSERT_TRUE(runs.Interrupted().ok());
  ASSERT_TRUE(runs.FindInterrupted("shop", "orders").ok());
  lease = runs.Claim("01A", kNow);
  const LogRecord line = {0, kNow, "INFO", "orders", "event", "text"};
  ASSERT_TRUE(store.logs().Append("01A", {&line, 1}).ok());
  ASSERT_TRUE(store.logs().Read("01A", 0, 10).ok());
  ASSERT_TRUE(store.logs().Read("01A", 0, 10, "ERROR", "orders").ok());
  const ChainKey key{"shop/orders", "orders"};
  ASSERT_TRUE(store.intents().Record(*lease, key, {}).ok());
  ASSERT_TRUE(store.cursors().Save(*lease, key, {}, kNow).ok());
  ASSERT_TRUE(runs.SetState(*lease, "CANCELLING").ok());
  RunOutcome outcome;
  outcome.state = "SUCCEEDED";
  outcome.result_json = "{}";
  outcome.ended_at = kNow;
  outcome.satisfies = true;
  NewRun next = MakeRun("01E");
  next.if_upstreams_succeeded = true;
  ASSERT_TRUE(runs.Finish(*lease, outcome, {&next, 1}).ok());
  ASSERT_TRUE(runs.RequestCancel("01B", "why").ok());
  ASSERT_TRUE(runs.Abandon("01B", outcome).ok());
}

void ListRuns(StateStore& store) {
  for (const bool ascending : {false, true}) {
    for (const std::vector<std::string>& states :
         {std::vector<std::string>{}, {"FAILED"}, {"QUEUED", "RUNNING", "CANCELLING"}}) {
      for (const char* pipeline : {"", "orders"}) {
        RunQuery query;
        query.project = *pipeline == '\0' ? "" : "shop";
        query.pipeline = pipeline;
        query.ascending = ascending;
        query.states = states;
        ASSERT_TRUE(store.runs().List(query).ok());
        query.before_id = "01C";
        query.after_id = "01A";
        ASSERT_TRUE(store.runs().List(query).ok());
      }
    }
  }
}

void UseDefinitions(StateStore& store) {
  ProjectRecord project;
  project.name = "shop";
  ASSERT_TRUE(store.definitions().ApplyProject(project, {}).ok());
  for (const char* name : {"orders", "report"}) {
    PipelineRecord pipeline;
    pipeline.project = "shop";
    pipeline.name = name;
    ASSERT_TRUE(store.definitions().ApplyPipeline(pipeline, {}).ok());
  }
  ASSERT_TRUE(store.definitions().ListPipelines("", "shop/a", 10).ok());
  ASSERT_TRUE(store.definitions().ListPipelines("shop", "", 10).ok());
  ASSERT_TRUE(store.definitions().PipelineRevisions("shop", "orders").ok());
  ASSERT_TRUE(store.dependencies().Add({"shop", "orders", "report", kNow, ""}).ok());
  ASSERT_TRUE(store.dependencies().Ready("shop", "report").ok());
  ASSERT_TRUE(store.dependencies().Downstreams("shop", "orders").ok());
  ScheduleRecord schedule;
  schedule.project = "shop";
  schedule.name = "nightly";
  schedule.pipeline = "orders";
  schedule.next_at = kNow;
  ASSERT_TRUE(store.schedules().Create(schedule).ok());
  ASSERT_TRUE(store.schedules().List("shop", "orders", "", 10).ok());
  ASSERT_TRUE(store.schedules().Due(kNow, 10).ok());
  ASSERT_TRUE(store.schedules().NextDue().ok());
  TickRecord tick;
  tick.project = "shop";
  tick.schedule = "nightly";
  tick.scheduled_at = kNow;
  tick.outcome = "FIRED";
  ASSERT_TRUE(store.schedules().Fire(tick, "", MakeRun("01F")).ok());
  ASSERT_TRUE(store.schedules().Ticks("shop", "nightly", "", 10).ok());
  ASSERT_TRUE(store.schedules().Ticks("shop", "nightly", "t", 10).ok());
  ASSERT_TRUE(store.audit().List(0, 10).ok());
}

std::string PlanOf(sqlite3* db, const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  EXPECT_EQ(sqlite3_prepare_v2(db, ("EXPLAIN QUERY PLAN " + sql).c_str(), -1, &statement,
                               nullptr),
            SQLITE_OK)
      << sql << ": " << sqlite3_errmsg(db);
  std::string plan;
  while (statement != nullptr && sqlite3_step(statement) == SQLITE_ROW) {
    plan.append(reinterpret_cast<const char*>(sqlite3_column_text(statement, 3)));
    plan.push_back('\n');
  }
  sqlite3_finalize(statement);
  return plan;
}

TEST(QueryPlanTest, NoCallWalksTheHistory) {
  sqlite3_auto_extension(reinterpret_cast<void (*)()>(TraceEachConnection));
  std::string name =
      (std::filesystem::temp_directory_path() / "dxt-plan-XXXXXX").string();
  const std::filesystem::path folder = mkdtemp(name.data());
  {
    const auto store = SqliteStateStore::Make(folder).ValueOrDie();
    {
      // The store's own threads are at work already.
      std::lock_guard lock(g_mutex);
      g_statements.clear();  // A migration may walk, once.
    }
    UseRuns(*store);
    ListRuns(*store);
    UseDefinitions(*store);
    ASSERT_TRUE(store->runs().Prune("9999", 1, "2027-01-01T00:00:00Z").ok());
    ASSERT_TRUE(store->logs().Prune("9999").ok());
  }
  ASSERT_TRUE(SqliteStateStore::Make(folder).ok());
  sqlite3_reset_auto_extension();

  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((folder / "state.db").c_str(), &db), SQLITE_OK);
  // Indexes that hold only what waits are as short as the queue.
  const std::regex walk(
      "SCAN (runs|ticks|run_logs|run_results|run_inputs|documents|audit)"
      "\\b(?!.*USING (COVERING )?INDEX "
      "(runs_not_ended|runs_queued|runs_queued_by_age))");
  const std::regex sorts("USE TEMP B-TREE");
  int seen = 0;
  for (const auto& sql : g_statements) {
    if (!std::regex_search(sql, std::regex("^(SELECT|INSERT|UPDATE|DELETE)"))) continue;
    ++seen;
    const std::string plan = PlanOf(db, sql);
    // A walk in the order asked for stops at the limit.
    const bool stops = sql.find(" LIMIT ") != std::string::npos &&
                       sql.find("ORDER BY") != std::string::npos &&
                       !std::regex_search(plan, sorts);
    EXPECT_TRUE(stops || !std::regex_search(plan, walk)) << sql << "\n" << plan;
    EXPECT_FALSE(sql.find("FROM runs") != std::string::npos &&
                 std::regex_search(plan, sorts))
        << sql << "\n"
        << plan;
  }
  EXPECT_GT(seen, 60);
  sqlite3_close(db);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace dxt
