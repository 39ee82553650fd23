#include "engine/plan/convert_json.h"

#include <gtest/gtest.h>

namespace dxt {
namespace {

TEST(ScanJson, TakesWhatTheStandardTakes) {
  for (const char* text :
       {"null", "true", "-0", "1.5e-10", "123456789012345678901234567890", R"("a\u00e4\n")",
        "[]", "{}", " [1, [2, {\"a\": [ ]}]] \n", R"({"a":1,"b":{"a":1}})"}) {
    EXPECT_TRUE(ScanJson(text, true).valid) << text;
    EXPECT_FALSE(ScanJson(text, true).duplicate_keys) << text;
  }
}

TEST(ScanJson, RefusesEverythingElse) {
  for (const char* text :
       {"", " ", "nul", "True", "01", "1.", ".5", "+1", "1e", "NaN", "'a'", "\"a", "\"\t\"",
        R"("\x")", R"("\u12g4")", "[1,]", "[,1]", "[1 2]", "{\"a\"}", "{\"a\":}", "{a:1}",
        "{\"a\":1,}", "[1]]", "[", "{", "1 2", "{\"a\":1]", "[1}"}) {
    EXPECT_FALSE(ScanJson(text, true).valid) << text;
  }
}

TEST(ScanJson, DeepNestingIsRefusedNotCrashedOn) {
  EXPECT_TRUE(ScanJson(std::string(1000, '[') + std::string(1000, ']'), true).valid);
  EXPECT_FALSE(ScanJson(std::string(1001, '[') + std::string(1001, ']'), true).valid);
  EXPECT_FALSE(ScanJson(std::string(1 << 20, '['), true).valid);
}

TEST(ScanJson, FindsDuplicateKeysPerObject) {
  EXPECT_TRUE(ScanJson(R"({"a":1,"b":1,"a":2})", true).duplicate_keys);
  EXPECT_TRUE(ScanJson(R"([{"x":{"b":0,"b":1}}])", true).duplicate_keys);
  EXPECT_TRUE(ScanJson(R"({"\u0061":1,"a":2})", true).duplicate_keys);
  EXPECT_FALSE(ScanJson(R"({"a":{"a":1},"b":[{"a":1},{"a":2}]})", true).duplicate_keys);
  EXPECT_FALSE(ScanJson(R"({"a":1,"a":2})", false).duplicate_keys);
}

TEST(ScanJson, SeesNulEscapesButNotTheirLookAlikes) {
  EXPECT_TRUE(ScanJson(R"(["\u0000"])", false).nul_escape);
  EXPECT_TRUE(ScanJson(R"({"\u0000":1})", false).nul_escape);
  EXPECT_FALSE(ScanJson(R"("\\u0000 \u00001"[)", false).valid);
  EXPECT_FALSE(ScanJson(R"("\\u0000")", false).nul_escape);
}

TEST(ScanJson, NamesTheOutermostKind) {
  EXPECT_EQ(ScanJson(" [1]", false).kind, JsonKind::kArray);
  EXPECT_EQ(ScanJson("{}", false).kind, JsonKind::kObject);
  EXPECT_EQ(ScanJson("-1", false).kind, JsonKind::kNumber);
}

TEST(ListJsonItems, GivesTheMembersAsTheyStand) {
  std::vector<JsonItem> items;
  ASSERT_TRUE(ListJsonItems(R"({"a": 1.10, "b" :[1, {"c":2}], "d":"x\"y","e":null})",
                            JsonKind::kObject, &items));
  ASSERT_EQ(items.size(), 4u);
  EXPECT_EQ(items[0].key, "a");
  EXPECT_EQ(items[0].raw, "1.10");
  EXPECT_EQ(items[1].raw, R"([1, {"c":2}])");
  EXPECT_EQ(items[1].kind, JsonKind::kArray);
  EXPECT_EQ(items[2].raw, R"("x\"y")");
  EXPECT_EQ(items[3].kind, JsonKind::kNull);
  ASSERT_TRUE(ListJsonItems("[ ]", JsonKind::kArray, &items));
  EXPECT_TRUE(items.empty());
  EXPECT_FALSE(ListJsonItems("{}", JsonKind::kArray, &items));
  EXPECT_FALSE(ListJsonItems("[1", JsonKind::kArray, &items));
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
