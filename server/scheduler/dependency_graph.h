#pragma once
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/status.h>

namespace dxt {

/// Which pipeline of one project runs after which. Not thread-safe; a value to be made
/// from what the store has.
class DependencyGraph {
 public:
  struct Edge {
    std::string upstream, downstream;
    auto operator<=>(const Edge&) const = default;
  };

  DependencyGraph() = default;
  /// Stored edges; they have passed CanAdd.
  explicit DependencyGraph(const std::vector<Edge>& edges);

  /// OK when the edge may be added. kConfig: "dependency.self", "dependency.exists", or
  /// "dependency.cycle" naming the path.
  arrow::Status CanAdd(const Edge& edge) const;
  void Add(const Edge& edge);

  /// Neighbours of a pipeline, and with `transitive` theirs too; by name.
  std::vector<std::string> Upstream(std::string_view pipeline, bool transitive) const;
  std::vector<std::string> Downstream(std::string_view pipeline, bool transitive) const;

  /// All edges, those of earlier pipelines first: an order in which they can run.
  std::vector<Edge> Ordered() const;
  /// The same of the edges on the way up, or down, from one pipeline.
  std::vector<Edge> Ordered(std::string_view pipeline, bool upstream,
                            bool transitive) const;

 private:
  using Neighbours = std::map<std::string, std::set<std::string>, std::less<>>;
  static std::vector<std::string> Reached(const Neighbours& neighbours,
                                          std::string_view from, bool transitive);

  Neighbours down_, up_;
};

}  // namespace dxt
