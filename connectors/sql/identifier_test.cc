#include "connectors/sql/identifier.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace dxt::sql {
namespace {

using Parts = std::vector<std::string>;

Parts Split(std::string_view reference) {
  const auto parts = SplitReference(reference);
  return parts.ok() ? *parts : Parts{GetErrorInfo(parts.status()).code};
}

TEST(SplitReference, CutsAtDotsOutsideQuotes) {
  EXPECT_EQ(Split("orders"), Parts{"orders"});
  EXPECT_EQ(Split("a.b.c"), (Parts{"a", "b", "c"}));
  EXPECT_EQ(Split("\"a.b\".c"), (Parts{"a.b", "c"}));
  EXPECT_EQ(Split("[a b].c"), (Parts{"a b", "c"}));
  EXPECT_EQ(Split("`a`.b"), (Parts{"a", "b"}));
  EXPECT_EQ(Split("\"say \"\"hi\"\"\""), Parts{"say \"hi\""});
  EXPECT_EQ(Split("[a]]b]"), Parts{"a]b"});
  EXPECT_EQ(Split("Ünï.tä ble"), (Parts{"Ünï", "tä ble"}));
}

TEST(SplitReference, RefusesWhatNamesNothing) {
  for (const std::string_view bad :
       {std::string_view(""), std::string_view("."), std::string_view("a."),
        std::string_view(".a"), std::string_view("a..b"), std::string_view("\"a"),
        std::string_view("\"\""), std::string_view("\"a\"b"), std::string_view("[a"),
        std::string_view("a\0b", 3)}) {
    EXPECT_EQ(Split(bad), Parts{"reference.invalid"}) << bad;
  }
}

TEST(Quoting, HostileNamesStayNames) {
  EXPECT_EQ(QuoteIdentifier("a\"; DROP TABLE x; --"), "\"a\"\"; DROP TABLE x; --\"");
  EXPECT_EQ(QuoteIdentifier("a]b", {'[', ']'}), "[a]]b]");
  EXPECT_EQ(QuoteIdentifier("a[b", {'[', ']'}), "[a[b]");
  EXPECT_EQ(QuoteIdentifier("a`b", {'`', '`'}), "`a``b`");
  EXPECT_EQ(QuoteReference({"a.b", "c\""}), "\"a.b\".\"c\"\"\"");
  EXPECT_EQ(QuoteLiteral("it's '' \\"), "'it''s '''' \\'");
}

TEST(Quoting, WhatIsQuotedSplitsBack) {
  const Parts names = {"a.b", "say \"hi\"", "[x]", "`", " ", "ü"};
  EXPECT_EQ(Split(QuoteReference(names)), names);
}

TEST(MatchName, ExactThenTheOnlyOneThatDiffersInCase) {
  EXPECT_EQ(MatchName({"Orders", "orders"}, "orders"), 1);
  EXPECT_EQ(MatchName({"Orders", "items"}, "orders"), 0);
  EXPECT_EQ(MatchName({"Orders", "ORDERS"}, "orders"), -1);
  EXPECT_EQ(MatchName({"Orders"}, "order"), -1);
}

TEST(QuotedNames, PutsABeginningBeforeEachAndAnEmptyListIsNothing) {
  EXPECT_EQ(QuotedNames({}), "");
  EXPECT_EQ(QuotedNames({"a", "b \"c\""}), "\"a\", \"b \"\"c\"\"\"");
  EXPECT_EQ(QuotedNames({"a", "b"}, "t.", " AND "), "t.\"a\" AND t.\"b\"");
  EXPECT_EQ(Joined({"", "x"}), ", x");
}

}  // namespace
}  // namespace dxt::sql
