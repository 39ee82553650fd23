#include <algorithm>
#include <deque>
#include <map>

#include "base/error.h"
#include "state/sqlite/facets.h"

namespace dxt {
namespace {

using Row = StateDatabase::Row;
using Transaction = StateDatabase::Transaction;
using std::string_view;

using Edges = std::map<std::string, std::vector<std::string>>;

arrow::Result<Edges> EdgesOf(Transaction& transaction, string_view project) {
  Edges edges;
  ARROW_RETURN_NOT_OK(
      transaction
          .Run("SELECT upstream, downstream FROM dependencies WHERE project = ?",
               {project},
               [&](const Row& row) { edges[row.Text(0)].push_back(row.Text(1)); })
          .status());
  return edges;
}

/// "a → b → c", the shortest way, or "".
std::string PathBetween(const Edges& edges, const std::string& from,
                        const std::string& to) {
  std::map<std::string, std::string> reached_from = {{from, ""}};
  std::deque<std::string> open = {from};
  while (!open.empty() && !reached_from.count(to)) {
    const std::string at = std::move(open.front());
    open.pop_front();
    const auto next = edges.find(at);
    if (next == edges.end()) continue;
    for (const auto& name : next->second) {
      if (reached_from.emplace(name, at).second) open.push_back(name);
    }
  }
  if (!reached_from.count(to)) return {};
  std::string path = to;
  for (std::string at = to; at != from;) {
    at = reached_from[at];
    path = at + " → " + path;
  }
  return path;
}

}  // namespace

arrow::Result<bool> UpstreamsSucceeded(Transaction& transaction, string_view project,
                                       string_view downstream) {
  int64_t edges = 0;
  int64_t satisfied = 0;
  ARROW_RETURN_NOT_OK(
      transaction
          .Run("SELECT count(*), count(nullif(satisfied_by, '')) FROM dependencies "
               "WHERE project = ? AND downstream = ?",
               {project, downstream},
               [&](const Row& row) {
                 edges = row.Integer(0);
                 satisfied = row.Integer(1);
               })
          .status());
  return edges > 0 && satisfied == edges;
}

arrow::Status SqliteDependencyStore::Add(const DependencyRecord& record,
                                         const AuditRecord* audit) {
  return database_.Write([&](Transaction& transaction) -> arrow::Status {
    ARROW_RETURN_NOT_OK(RequirePipeline(transaction, record.project, record.upstream));
    ARROW_RETURN_NOT_OK(RequirePipeline(transaction, record.project, record.downstream));
    ARROW_ASSIGN_OR_RAISE(const Edges edges, EdgesOf(transaction, record.project));
    const std::string back = PathBetween(edges, record.downstream, record.upstream);
    if (!back.empty()) {
      return MakeError(
          ErrorClass::kConfig, "dependency.cycle",
          "the dependency would close a cycle: " + record.upstream + " → " + back,
          "Remove one of these dependencies first");
    }
    ARROW_ASSIGN_OR_RAISE(
        const int64_t added,
        transaction.Run(
            "INSERT INTO dependencies (project, upstream, downstream, "
            "created_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            {string_view(record.project), string_view(record.upstream),
             string_view(record.downstream), string_view(record.created_at)}));
    if (added == 0) {
      return MakeError(
          ErrorClass::kConfig, "dependency.exists",
          "pipeline " + record.downstream + " depends on " + record.upstream + " already",
          "dxtctl deps list shows what there is");
    }
    return WriteAudit(transaction, audit);
  });
}

arrow::Status SqliteDependencyStore::Remove(string_view project, string_view upstream,
                                            string_view downstream,
                                            const AuditRecord* audit) {
  return database_.Write([&](Transaction& transaction) -> arrow::Status {
    ARROW_ASSIGN_OR_RAISE(
        const int64_t removed,
        transaction.Run("DELETE FROM dependencies WHERE project = ? AND upstream = ? AND "
                        "downstream = ?",
                        {project, upstream, downstream}));
    if (removed == 0) {
      return MakeError(ErrorClass::kConfig, "dependency.not_found",
                       "pipeline " + std::string(downstream) + " does not depend on " +
                           std::string(upstream),
                       "`dxtctl deps list` shows what depends on what");
    }
    return WriteAudit(transaction, audit);
  });
}

arrow::Result<std::vector<DependencyRecord>> SqliteDependencyStore::List(
    string_view project) {
  std::vector<DependencyRecord> records;
  StateDatabase::Values values;
  if (!project.empty()) values.emplace_back(project);
  ARROW_RETURN_NOT_OK(database_.Read([&](Transaction& transaction) {
    return transaction
        .Run(std::string("SELECT project, upstream, downstream, created_at, satisfied_by "
                         "FROM dependencies ") +
                 (project.empty() ? "" : "WHERE project = ? ") +
                 "ORDER BY project, upstream, downstream",
             values,
             [&](const Row& row) {
               records.push_back(
                   {row.Text(0), row.Text(1), row.Text(2), row.Text(3), row.Text(4)});
             })
        .status();
  }));
  return records;
}

arrow::Result<std::vector<std::string>> SqliteDependencyStore::Downstreams(
    string_view project, string_view upstream) {
  std::vector<std::string> names;
  ARROW_RETURN_NOT_OK(database_.Read([&](Transaction& transaction) {
    return transaction
        .Run(
            "SELECT downstream FROM dependencies WHERE project = ? AND upstream = ? "
            "ORDER BY downstream",
            {project, upstream}, [&](const Row& row) { names.push_back(row.Text(0)); })
        .status();
  }));
  return names;
}

arrow::Result<bool> SqliteDependencyStore::Ready(string_view project,
                                                 string_view downstream) {
  bool ready = false;
  ARROW_RETURN_NOT_OK(database_.Read([&](Transaction& transaction) {
    return UpstreamsSucceeded(transaction, project, downstream).Value(&ready);
  }));
  return ready;
}

}  // namespace dxt
