#include "engine/plan/selector.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace dxt {
namespace {

std::vector<StreamConfig> Streams() {
  std::vector<StreamConfig> streams;
  const auto add = [&](const char* id, std::vector<std::string> tags) {
    StreamConfig stream;
    stream.id = id;
    stream.tags = std::move(tags);
    streams.push_back(std::move(stream));
  };
  add("sales_orders", {"sales", "daily"});
  add("sales_lines", {"sales", "hourly"});
  add("customers", {"daily", "crm"});
  add("sales_test", {});
  return streams;
}

/// The ids kept, joined by blanks; the error's code when there is one.
std::string Kept(const std::string& select, const std::string& exclude = "",
                 bool allow_empty = false) {
  const auto selected = SelectStreams(Streams(), select, exclude, allow_empty);
  if (!selected.ok()) {
    const ErrorInfo info = GetErrorInfo(selected.status());
    EXPECT_EQ(info.error_class, ErrorClass::kConfig);
    EXPECT_FALSE(info.hint.empty());
    return info.code;
  }
  std::string ids;
  for (const auto& stream : *selected) ids += (ids.empty() ? "" : " ") + stream.id;
  return ids;
}

struct SelectorCase {
  const char* select;
  const char* exclude;
  const char* expected;
};

class SelectorTable : public testing::TestWithParam<SelectorCase> {};

TEST_P(SelectorTable, Keeps) {
  EXPECT_EQ(Kept(GetParam().select, GetParam().exclude), GetParam().expected);
}

constexpr char kAll[] = "sales_orders sales_lines customers sales_test";

INSTANTIATE_TEST_SUITE_P(
    Selectors, SelectorTable,
    testing::Values(
        SelectorCase{"", "", kAll}, SelectorCase{"all", "", kAll},
        SelectorCase{"*", "", kAll}, SelectorCase{"customers", "", "customers"},
        SelectorCase{"customers,sales_orders", "", "sales_orders customers"},
        SelectorCase{" customers , sales_orders ", "", "sales_orders customers"},
        SelectorCase{"sales_*", "", "sales_orders sales_lines sales_test"},
        SelectorCase{"*_l?nes", "", "sales_lines"},
        SelectorCase{"*e*r*", "", "sales_orders customers"},
        SelectorCase{"tag:daily", "", "sales_orders customers"},
        SelectorCase{"tag:sales+tag:daily", "", "sales_orders"},
        SelectorCase{"tag:sales+daily", "", "sales_orders"},
        SelectorCase{"tag:sales+da*", "", "sales_orders"},
        SelectorCase{"tag:sales+sales_lines", "", "sales_lines"},
        SelectorCase{"tag:sales+weekly", "", "selector.unknown"},
        SelectorCase{"tag:hourly,tag:crm", "", "sales_lines customers"},
        SelectorCase{"tag:sales+tag:daily,customers", "", "sales_orders customers"},
        SelectorCase{"sales_*+tag:hourly", "", "sales_lines"},
        SelectorCase{"tag:*ly+tag:c*", "", "customers"},
        SelectorCase{"", "*_test", "sales_orders sales_lines customers"},
        SelectorCase{"sales_*", "*_test", "sales_orders sales_lines"},
        SelectorCase{"all", "tag:sales,sales_test", "customers"},
        SelectorCase{"all", "nothing_*", kAll}, SelectorCase{"", "tag:none", kAll},
        SelectorCase{"nothing_*", "", "selector.empty"},
        SelectorCase{"tag:none", "", "selector.empty"},
        SelectorCase{"all", "all", "selector.empty"},
        SelectorCase{"customer", "", "selector.unknown"},
        SelectorCase{"customers,oders", "", "selector.unknown"},
        SelectorCase{"", "oders", "selector.unknown"},
        SelectorCase{"a,,b", "", "selector.invalid"},
        SelectorCase{"tag:", "", "selector.invalid"},
        SelectorCase{"+a", "", "selector.invalid"}));

TEST(Selector, AllowEmptyTurnsNothingIntoNothing) {
  EXPECT_EQ(Kept("nothing_*", "", true), "");
  EXPECT_EQ(Kept("unknown", "", true), "");
  EXPECT_EQ(Kept("a,,b", "", true), "selector.invalid");
}

TEST(Selector, ErrorsListTheStreamsOrTheNearestOne) {
  const auto empty = SelectStreams(Streams(), "x*", "");
  EXPECT_NE(
      GetErrorInfo(empty.status()).hint.find("sales_orders, sales_lines, customers"),
      std::string::npos);
  const auto unknown = SelectStreams(Streams(), "custmers", "");
  EXPECT_NE(GetErrorInfo(unknown.status()).hint.find("'customers'"), std::string::npos);
}

TEST(Selector, GlobsDoNotBacktrackExponentially) {
  auto streams = Streams();
  streams[0].id = std::string(20000, 'a');
  std::string glob;
  for (int i = 0; i < 200; ++i) glob += "*a";
  EXPECT_FALSE(SelectStreams(streams, glob + "b", "").ok());
}

}  // namespace
}  // namespace dxt
