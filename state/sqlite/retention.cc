#include <chrono>
#include <cstdio>
#include <ctime>

#include "base/clock.h"
#include "base/error.h"
#include "state/sqlite/facets.h"

namespace dxt {
namespace {

using Row = StateDatabase::Row;
using Transaction = StateDatabase::Transaction;
using Values = StateDatabase::Values;
using std::string_view;

/// What one write transaction deletes, and one snapshot looks at.
constexpr int64_t kSlice = 500;
constexpr int kRequestDays = 7;

/// `time` less the days that a request is remembered; "" when it cannot be read.
std::string RequestsKeptFrom(string_view time) {
  std::tm parts = {};
  if (strptime(std::string(time).c_str(), "%Y-%m-%dT%H:%M:%S", &parts) == nullptr) {
    return {};
  }
  return FormatTime(std::chrono::system_clock::from_time_t(timegm(&parts)) -
                    std::chrono::hours(24 * kRequestDays));
}

struct PipelineKey {
  std::string project, pipeline;
};

/// The pipeline after `key` that has a run, from the index alone.
arrow::Result<std::optional<PipelineKey>> NextPipeline(Transaction& transaction,
                                                       const PipelineKey& key) {
  std::optional<PipelineKey> next;
  ARROW_RETURN_NOT_OK(
      transaction
          .Run("SELECT project, pipeline FROM runs WHERE "
               "(project, pipeline) > (?, ?) "
               "ORDER BY project, pipeline LIMIT 1",
               {string_view(key.project), string_view(key.pipeline)},
               [&](const Row& row) { next = PipelineKey{row.Text(0), row.Text(1)}; })
          .status());
  return next;
}

/// Ids of up to a slice of a pipeline's runs that may go, oldest first, after `after`.
arrow::Result<std::vector<std::string>> Victims(Transaction& transaction,
                                                const PipelineKey& key, string_view after,
                                                string_view before, int64_t keep,
                                                string_view requests_from) {
  // The oldest run that is kept for its number; without one, all of them are.
  std::string kept;
  bool found = keep == 0;
  if (keep > 0) {
    ARROW_RETURN_NOT_OK(
        transaction
            .Run("SELECT id FROM runs WHERE project = ? AND pipeline = ? "
                 "ORDER BY id DESC LIMIT 1 OFFSET ?",
                 {string_view(key.project), string_view(key.pipeline), keep - 1},
                 [&](const Row& row) {
                   kept = row.Text(0);
                   found = true;
                 })
            .status());
  }
  std::vector<std::string> ids;
  if (!found) return ids;
  std::string sql =
      "SELECT id FROM runs WHERE project = ?1 AND pipeline = ?2 AND id > ?3 AND "
      "state IN ('SUCCEEDED', 'PARTIAL', 'FAILED', 'CANCELLED') AND ended_at < ?4 AND "
      "(request_id IS NULL OR created_at < ?5) ";
  Values values = {string_view(key.project), string_view(key.pipeline), after, before,
                   requests_from};
  if (!kept.empty()) {
    sql += "AND id < ?6 ";
    values.emplace_back(string_view(kept));
  }
  ARROW_RETURN_NOT_OK(transaction
                          .Run(sql + "ORDER BY id LIMIT " + std::to_string(kSlice),
                               values,
                               [&](const Row& row) { ids.push_back(row.Text(0)); })
                          .status());
  return ids;
}

/// Results, inputs and logs go with the run; a text goes with its last run.
arrow::Result<int64_t> DeleteRun(Transaction& transaction, string_view id) {
  std::string document;
  ARROW_ASSIGN_OR_RAISE(
      const int64_t gone,
      transaction.Run("DELETE FROM runs WHERE id = ? AND "
                      "state IN ('SUCCEEDED', 'PARTIAL', 'FAILED', 'CANCELLED') "
                      "RETURNING document_hash",
                      {id}, [&](const Row& row) { document = row.Text(0); }));
  ARROW_RETURN_NOT_OK(transaction
                          .Run("DELETE FROM documents WHERE hash = ?1 AND NOT EXISTS "
                               "(SELECT 1 FROM runs WHERE document_hash = ?1)",
                               {string_view(document)})
                          .status());
  return gone;
}

arrow::Status PruneTicks(StateDatabase& database, string_view before) {
  std::string project;
  std::string name;
  while (true) {
    bool more = false;
    ARROW_RETURN_NOT_OK(database.Read([&](Transaction& transaction) {
      return transaction
          .Run(
              "SELECT project, name FROM schedules WHERE (project, name) > (?, ?) "
              "ORDER BY project, name LIMIT 1",
              {string_view(project), string_view(name)},
              [&](const Row& row) {
                project = row.Text(0);
                name = row.Text(1);
                more = true;
              })
          .status();
    }));
    if (!more) return arrow::Status::OK();
    int64_t gone = kSlice;
    while (gone == kSlice) {
      ARROW_RETURN_NOT_OK(database.Write([&](Transaction& transaction) {
        return transaction
            .Run(
                "DELETE FROM ticks WHERE project = ?1 AND schedule = ?2 AND "
                "scheduled_at IN (SELECT scheduled_at FROM ticks WHERE project = ?1 AND "
                "schedule = ?2 AND scheduled_at < min(?3, (SELECT max(scheduled_at) "
                "FROM ticks WHERE project = ?1 AND schedule = ?2)) "
                "ORDER BY scheduled_at LIMIT ?4)",
                {string_view(project), string_view(name), before, kSlice})
            .Value(&gone);
      }));
    }
  }
}

}  // namespace

arrow::Result<int64_t> SqliteRunStore::Prune(string_view before,
                                             int64_t keep_per_pipeline, string_view now) {
  const std::string requests_from = RequestsKeptFrom(now);
  int64_t pruned = 0;
  // Inline runs may have no project and no pipeline: they come first.
  std::optional<PipelineKey> key = PipelineKey{};
  std::string after;
  while (key) {
    std::vector<std::string> ids;
    ARROW_RETURN_NOT_OK(database_.Read([&](Transaction& transaction) -> arrow::Status {
      // Pipelines with nothing to delete share a snapshot.
      for (int64_t seen = 0; key && ids.empty() && seen < kSlice; ++seen) {
        ARROW_ASSIGN_OR_RAISE(ids, Victims(transaction, *key, after, before,
                                           keep_per_pipeline, requests_from));
        if (!ids.empty()) break;
        after.clear();
        ARROW_ASSIGN_OR_RAISE(key, NextPipeline(transaction, *key));
      }
      return arrow::Status::OK();
    }));
    if (ids.empty()) continue;
    int64_t slice = 0;
    ARROW_RETURN_NOT_OK(database_.Write([&](Transaction& transaction) -> arrow::Status {
      for (const auto& id : ids) {
        ARROW_ASSIGN_OR_RAISE(const int64_t gone, DeleteRun(transaction, id));
        slice += gone;
      }
      return arrow::Status::OK();
    }));
    pruned += slice;
    after = ids.back();
  }
  ARROW_RETURN_NOT_OK(PruneTicks(database_, before));
  return pruned;
}

arrow::Result<int64_t> SqliteAuditStore::Prune(string_view before) {
  int64_t pruned = 0;
  int64_t gone = kSlice;
  while (gone == kSlice) {
    ARROW_RETURN_NOT_OK(database_.Write([&](Transaction& transaction) -> arrow::Status {
      int64_t last = 0;
      bool old = true;
      // The newest stays, or its number would be given again.
      ARROW_RETURN_NOT_OK(transaction
                              .Run("SELECT id, at FROM audit WHERE id < (SELECT max(id) "
                                   "FROM audit) ORDER BY id LIMIT ?",
                                   {kSlice},
                                   [&](const Row& row) {
                                     old = old && row.Text(1) < before;
                                     if (old) last = row.Integer(0);
                                   })
                              .status());
      return transaction.Run("DELETE FROM audit WHERE id <= ?", {last}).Value(&gone);
    }));
    pruned += gone;
  }
  return pruned;
}

arrow::Result<int64_t> SqliteLogStore::Prune(string_view before) {
  int64_t runs = 0;
  std::string run;
  while (true) {
    bool found = false;
    ARROW_RETURN_NOT_OK(database_.Read([&](Transaction& transaction) -> arrow::Status {
      std::string next;
      ARROW_RETURN_NOT_OK(
          transaction
              .Run("SELECT run FROM run_logs WHERE run > ? ORDER BY run LIMIT 1",
                   {string_view(run)}, [&](const Row& row) { next = row.Text(0); })
              .status());
      run = next;
      return transaction
          .Run("SELECT 1 FROM runs WHERE id = ? AND created_at < ?",
               {string_view(run), before}, [&](const Row&) { found = true; })
          .status();
    }));
    // Runs are in the order they were made: the rest is younger.
    if (!found) return runs;
    int64_t gone = kSlice;
    while (gone == kSlice) {
      ARROW_RETURN_NOT_OK(database_.Write([&](Transaction& transaction) {
        return transaction
            .Run(
                "DELETE FROM run_logs WHERE run = ?1 AND seq IN (SELECT seq FROM "
                "run_logs WHERE run = ?1 ORDER BY seq LIMIT ?2)",
                {string_view(run), kSlice})
            .Value(&gone);
      }));
    }
    ++runs;
  }
}

}  // namespace dxt
