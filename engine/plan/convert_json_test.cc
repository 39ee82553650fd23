#include "engine/plan/convert_json.h"

#include <gtest/gtest.h>

namespace dxt {
namespace {

JsonFacts Scan(std::string_view text, bool find_duplicates) {
  return JsonScanner().Scan(text, find_duplicates);
}

bool List(std::string_view text, JsonKind kind, std::vector<JsonItem>* items) {
  return JsonScanner().List(text, kind, items);
}

TEST(JsonScanner, TakesWhatTheStandardTakes) {
  for (const char* text : {"null", "true", "-0", "1.5e-10",
                           "123456789012345678901234567890", R"("a\u00e4\n")", "[]", "{}",
                           " [1, [2, {\"a\": [ ]}]] \n", R"({"a":1,"b":{"a":1}})"}) {
    EXPECT_TRUE(Scan(text, true).valid) << text;
    EXPECT_FALSE(Scan(text, true).duplicate_keys) << text;
  }
}

TEST(JsonScanner, RefusesEverythingElse) {
  for (const char* text :
       {"",        " ",        "nul",         "True",       "01",   "1.",
        ".5",      "+1",       "1e",          "NaN",        "'a'",  "\"a",
        "\"\t\"",  R"("\x")",  R"("\u12g4")", "[1,]",       "[,1]", "[1 2]",
        "{\"a\"}", "{\"a\":}", "{a:1}",       "{\"a\":1,}", "[1]]", "[",
        "{",       "1 2",      "{\"a\":1]",   "[1}"}) {
    EXPECT_FALSE(Scan(text, true).valid) << text;
  }
}

TEST(JsonScanner, DeepNestingIsRefusedNotCrashedOn) {
  EXPECT_TRUE(Scan(std::string(1000, '[') + std::string(1000, ']'), true).valid);
  EXPECT_FALSE(Scan(std::string(1001, '[') + std::string(1001, ']'), true).valid);
  EXPECT_FALSE(Scan(std::string(1 << 20, '['), true).valid);
}

TEST(JsonScanner, FindsDuplicateKeysPerObject) {
  EXPECT_TRUE(Scan(R"({"a":1,"b":1,"a":2})", true).duplicate_keys);
  EXPECT_TRUE(Scan(R"([{"x":{"b":0,"b":1}}])", true).duplicate_keys);
  EXPECT_TRUE(Scan(R"({"\u0061":1,"a":2})", true).duplicate_keys);
  EXPECT_FALSE(Scan(R"({"a":{"a":1},"b":[{"a":1},{"a":2}]})", true).duplicate_keys);
  EXPECT_FALSE(Scan(R"({"a":1,"a":2})", false).duplicate_keys);
}

TEST(JsonScanner, SeesNulEscapesButNotTheirLookAlikes) {
  EXPECT_TRUE(Scan(R"(["\u0000"])", false).nul_escape);
  EXPECT_TRUE(Scan(R"({"\u0000":1})", false).nul_escape);
  EXPECT_FALSE(Scan(R"("\\u0000 \u00001"[)", false).valid);
  EXPECT_FALSE(Scan(R"("\\u0000")", false).nul_escape);
}

TEST(JsonScanner, NamesTheOutermostKind) {
  EXPECT_EQ(Scan(" [1]", false).kind, JsonKind::kArray);
  EXPECT_EQ(Scan("{}", false).kind, JsonKind::kObject);
  EXPECT_EQ(Scan("-1", false).kind, JsonKind::kNumber);
}

TEST(JsonScanner, GivesTheMembersAsTheyStand) {
  std::vector<JsonItem> items;
  ASSERT_TRUE(List(R"({"a": 1.10, "b" :[1, {"c":2}], "d":"x\"y","e":null})",
                   JsonKind::kObject, &items));
  ASSERT_EQ(items.size(), 4u);
  EXPECT_EQ(items[0].key, "a");
  EXPECT_EQ(items[0].raw, "1.10");
  EXPECT_EQ(items[1].raw, R"([1, {"c":2}])");
  EXPECT_EQ(items[1].kind, JsonKind::kArray);
  EXPECT_EQ(items[2].raw, R"("x\"y")");
  EXPECT_EQ(items[3].kind, JsonKind::kNull);
  ASSERT_TRUE(List("[ ]", JsonKind::kArray, &items));
  EXPECT_TRUE(items.empty());
  EXPECT_FALSE(List("{}", JsonKind::kArray, &items));
  EXPECT_FALSE(List("[1", JsonKind::kArray, &items));
}

TEST(JsonScanner, StartsAfreshWithEachText) {
  JsonScanner scanner;
  EXPECT_FALSE(scanner.Scan("[[{\"a\":1", true).valid);
  EXPECT_TRUE(scanner.Scan("{\"a\":1,\"a\":2}", true).duplicate_keys);
  const JsonFacts facts = scanner.Scan("{\"a\":1}", true);
  EXPECT_TRUE(facts.valid);
  EXPECT_FALSE(facts.duplicate_keys);
}

TEST(AppendUnescaped, ResolvesEscapesAndPairs) {
  std::string text;
  EXPECT_TRUE(AppendUnescaped(R"(a\n\/\u00e4\ud83d\ude00\u20ac\u0000b)", &text));
  EXPECT_EQ(text, std::string("a\n/ä😀€\0b", 14));
  EXPECT_FALSE(AppendUnescaped(R"(\ud83d)", &text));
  EXPECT_FALSE(AppendUnescaped(R"(\ude00\ud83d)", &text));
}

}  // namespace
}  // namespace dxt
