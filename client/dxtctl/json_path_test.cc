#include "client/dxtctl/json_path.h"

#include <cstdio>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace dxt::ctl {
namespace {

using PathJson = nlohmann::ordered_json;

const PathJson kRuns = PathJson::parse(R"({"runs": [
  {"name": "a", "createTime": "2026-11-02", "priority": 10, "rows": "9", "trigger": {"kind": "SUBMIT"}},
  {"name": "b", "createTime": "2026-11-01", "priority": 9, "rows": "10", "trigger": {"kind": "RETRY"}},
  {"name": "c", "createTime": "2026-11-01", "priority": 10, "rows": "", "labels": {"x.y": true}}]})");

std::string Picked(const std::string& text) {
  const auto path = JsonPath::Parse(text);
  return path.ok() ? path->Of(kRuns) : "error: " + path.error().message;
}

TEST(JsonPath, PicksFieldsIndexesAndAll) {
  EXPECT_EQ(Picked("{.runs[*].name}"), "a b c");
  EXPECT_EQ(Picked("runs[0].name"), "a");
  EXPECT_EQ(Picked("$.runs[-1].name"), "c");
  EXPECT_EQ(Picked("{.runs[1].create_time}"), "2026-11-01");
  EXPECT_EQ(Picked("{.runs[0].priority}, {.runs[*].trigger.kind}!"), "10, SUBMIT RETRY!");
  EXPECT_EQ(Picked("{.runs[2].labels['x.y']}"), "true");
  EXPECT_EQ(Picked("{.runs[2].labels}"), R"({"x.y":true})");
  EXPECT_EQ(Picked("{.runs[0].trigger.*}"), "SUBMIT");
  EXPECT_EQ(Picked("{.}"), kRuns.dump());
}

TEST(JsonPath, RangesWriteEachRow) {
  EXPECT_EQ(Picked(R"({range .runs[*]}{.name}={.priority}{"\n"}{end}.)"),
            "a=10\nb=9\nc=10\n.");
}

TEST(JsonPath, WhatIsNotThereIsEmpty) {
  EXPECT_EQ(Picked("<{.runs[7].name}{.nothing.at.all}{.runs.name}>"), "<>");
}

TEST(JsonPath, ATemplateThatIsNoneSaysWhere) {
  for (const char* bad : {"{.runs", "{.runs[x]}", "{.runs[0}", "{range .runs[*]}{.name}",
                          "{end}", "{\"x}", "{..}", "{.runs name}", "a b"}) {
    EXPECT_EQ(Picked(bad).rfind("error: In -o jsonpath, at character", 0), 0u) << bad;
  }
}

std::string Sorted(const std::string& fields) {
  const auto order = SortOrder::Parse(fields);
  if (!order.ok()) return order.error().message;
  const auto places = order->Of(kRuns["runs"]);
  if (!places.ok()) return places.error().message + ": " + places.error().hint;
  std::string names;
  for (const size_t place : *places) names += kRuns["runs"][place]["name"];
  return names;
}

TEST(SortOrder, OrdersByFieldsAsTheApiWritesThem) {
  EXPECT_EQ(Sorted("create_time"), "bca");
  EXPECT_EQ(Sorted("createTime desc"), "abc");
  EXPECT_EQ(Sorted("priority, name desc"), "bca");
  EXPECT_EQ(Sorted("priority desc,name"), "acb");
  EXPECT_EQ(Sorted(".trigger.kind"), "cba");
}

TEST(SortOrder, OrdersNumbersByValueAndWhatIsMissingFirst) {
  EXPECT_EQ(Sorted("rows"), "cab");
}

TEST(SortOrder, RefusesAFieldThatNoRowHas) {
  EXPECT_EQ(Sorted("stat"),
            "--sort-by: there is no field 'stat' in this list: Known are name, "
            "createTime, priority, rows, trigger");
  EXPECT_EQ(Sorted("state down"), "--sort-by 'state down' is no list of fields");
}

}  // namespace
}  // namespace dxt::ctl
