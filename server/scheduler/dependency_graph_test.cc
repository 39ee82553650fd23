#include "server/scheduler/dependency_graph.h"

#include <random>

#include <gtest/gtest.h>

#include "base/error.h"

namespace dxt {
namespace {

using Edge = DependencyGraph::Edge;
using Names = std::vector<std::string>;

DependencyGraph Diamond() {
  return DependencyGraph({{"raw", "orders"},
                          {"raw", "items"},
                          {"orders", "mart"},
                          {"items", "mart"},
                          {"mart", "report"}});
}

TEST(DependencyGraph, RefusesItselfAndDuplicates) {
  const auto graph = Diamond();
  EXPECT_EQ(GetErrorInfo(graph.CanAdd({"mart", "mart"})).code, "dependency.self");
  EXPECT_EQ(GetErrorInfo(graph.CanAdd({"raw", "items"})).code, "dependency.exists");
  EXPECT_TRUE(graph.CanAdd({"raw", "report"}).ok());
}

TEST(DependencyGraph, RefusesACycleAndNamesThePath) {
  const auto graph = Diamond();
  const auto status = graph.CanAdd({"report", "raw"});
  EXPECT_EQ(GetErrorInfo(status).code, "dependency.cycle");
  EXPECT_NE(status.message().find("report -> raw -> items -> mart -> report"),
            std::string::npos)
      << status;
  const auto two = graph.CanAdd({"orders", "raw"});
  EXPECT_NE(two.message().find("orders -> raw -> orders"), std::string::npos) << two;
}

TEST(DependencyGraph, FindsNeighboursNearAndFar) {
  const auto graph = Diamond();
  EXPECT_EQ(graph.Upstream("mart", false), (Names{"items", "orders"}));
  EXPECT_EQ(graph.Upstream("mart", true), (Names{"items", "orders", "raw"}));
  EXPECT_EQ(graph.Downstream("orders", true), (Names{"mart", "report"}));
  EXPECT_TRUE(graph.Downstream("report", true).empty());
  EXPECT_TRUE(graph.Upstream("unknown", true).empty());
}

TEST(DependencyGraph, OrdersEdgesAsTheyRun) {
  const auto graph = Diamond();
  EXPECT_EQ(graph.Ordered().front().upstream, "raw");
  EXPECT_EQ(graph.Ordered().back(), (Edge{"mart", "report"}));
  EXPECT_EQ(graph.Ordered("mart", true, false),
            (std::vector<Edge>{{"items", "mart"}, {"orders", "mart"}}));
  EXPECT_EQ(graph.Ordered("mart", true, true).size(), 4u);
  EXPECT_EQ(graph.Ordered("items", false, true),
            (std::vector<Edge>{{"items", "mart"}, {"mart", "report"}}));
}

TEST(DependencyGraph, WhatIsAddedNeverMakesACycle) {
  std::minstd_rand random(7);
  DependencyGraph graph;
  size_t added = 0;
  for (int i = 0; i < 3000; ++i) {
    const Edge edge{"p" + std::to_string(random() % 30),
                    "p" + std::to_string(random() % 30)};
    const bool closes = edge.upstream == edge.downstream || [&] {
      const auto after = graph.Downstream(edge.downstream, true);
      return std::find(after.begin(), after.end(), edge.upstream) != after.end();
    }();
    const auto status = graph.CanAdd(edge);
    if (closes) {
      EXPECT_FALSE(status.ok());
    }
    if (!status.ok()) continue;
    graph.Add(edge);
    ++added;
  }
  // A cycle would keep its edges out of the order.
  EXPECT_EQ(graph.Ordered().size(), added);
}

}  // namespace
}  // namespace dxt
