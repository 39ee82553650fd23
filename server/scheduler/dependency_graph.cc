#include "server/scheduler/dependency_graph.h"

#include <algorithm>
#include <deque>

#include "base/error.h"

namespace dxt {

DependencyGraph::DependencyGraph(const std::vector<Edge>& edges) {
  for (const auto& edge : edges) Add(edge);
}

void DependencyGraph::Add(const Edge& edge) {
  down_[edge.upstream].insert(edge.downstream);
  up_[edge.downstream].insert(edge.upstream);
}

arrow::Status DependencyGraph::CanAdd(const Edge& edge) const {
  if (edge.upstream == edge.downstream) {
    return MakeError(ErrorClass::kConfig, "dependency.self",
                     "pipeline " + edge.upstream + " cannot depend on itself",
                     "Name another pipeline as its upstream");
  }
  const auto known = down_.find(edge.upstream);
  if (known != down_.end() && known->second.contains(edge.downstream)) {
    return MakeError(
        ErrorClass::kConfig, "dependency.exists",
        "pipeline " + edge.downstream + " depends on " + edge.upstream + " already",
        "dxtctl deps list shows what is stored");
  }
  // A shortest way from the downstream back to the upstream would close the circle.
  std::map<std::string, std::string> came_from;
  std::deque<std::string> frontier{edge.downstream};
  while (!frontier.empty() && !came_from.contains(edge.upstream)) {
    const std::string at = frontier.front();
    frontier.pop_front();
    const auto next = down_.find(at);
    if (next == down_.end()) continue;
    for (const auto& name : next->second) {
      if (name != edge.downstream && came_from.emplace(name, at).second) {
        frontier.push_back(name);
      }
    }
  }
  if (!came_from.contains(edge.upstream)) return arrow::Status::OK();
  std::string path = edge.upstream;
  for (std::string at = edge.upstream; at != edge.downstream;) {
    at = came_from.at(at);
    path = at + " -> " + path;
  }
  return MakeError(ErrorClass::kConfig, "dependency.cycle",
                   "pipeline " + edge.downstream + " cannot depend on " + edge.upstream +
                       ", which runs after it: " + edge.upstream + " -> " + path,
                   "Remove one of the dependencies on this path first");
}

std::vector<std::string> DependencyGraph::Reached(const Neighbours& neighbours,
                                                  std::string_view from,
                                                  bool transitive) {
  std::set<std::string> reached;
  std::deque<std::string> frontier{std::string(from)};
  while (!frontier.empty()) {
    const auto next = neighbours.find(frontier.front());
    frontier.pop_front();
    if (next == neighbours.end()) continue;
    for (const auto& name : next->second) {
      if (reached.insert(name).second && transitive) frontier.push_back(name);
    }
  }
  return {reached.begin(), reached.end()};
}

std::vector<std::string> DependencyGraph::Upstream(std::string_view pipeline,
                                                   bool transitive) const {
  return Reached(up_, pipeline, transitive);
}

std::vector<std::string> DependencyGraph::Downstream(std::string_view pipeline,
                                                     bool transitive) const {
  return Reached(down_, pipeline, transitive);
}

std::vector<DependencyGraph::Edge> DependencyGraph::Ordered() const {
  std::map<std::string, size_t> missing;
  std::set<std::string> ready;
  for (const auto& [name, next] : down_) {
    if (!up_.contains(name)) ready.insert(name);
  }
  for (const auto& [name, before] : up_) missing[name] = before.size();
  std::vector<Edge> ordered;
  while (!ready.empty()) {
    const std::string at = *ready.begin();
    ready.erase(ready.begin());
    const auto next = down_.find(at);
    if (next == down_.end()) continue;
    for (const auto& name : next->second) {
      ordered.push_back({at, name});
      if (--missing[name] == 0) ready.insert(name);
    }
  }
  return ordered;
}

std::vector<DependencyGraph::Edge> DependencyGraph::Ordered(std::string_view pipeline,
                                                            bool upstream,
                                                            bool transitive) const {
  std::set<std::string> near;
  if (transitive) {
    const auto far = upstream ? Upstream(pipeline, true) : Downstream(pipeline, true);
    near.insert(far.begin(), far.end());
  }
  near.emplace(pipeline);
  std::vector<Edge> edges = Ordered();
  std::erase_if(edges, [&](const Edge& edge) {
    return !near.contains(upstream ? edge.downstream : edge.upstream);
  });
  return edges;
}

}  // namespace dxt
