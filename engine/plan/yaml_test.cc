#include "engine/plan/yaml.h"

#include <chrono>

#include <gtest/gtest.h>

namespace dxt {
namespace {

struct ParseOutcome {
  std::optional<ConfigValue> tree;
  std::vector<Problem> problems;
  std::string code() const { return problems.empty() ? "" : problems[0].code; }
};

ParseOutcome Parse(const std::string& text) {
  ParseOutcome outcome;
  outcome.tree = ParseYaml({"", text}, "doc", outcome.problems);
  EXPECT_NE(outcome.tree.has_value(), !outcome.problems.empty());
  return outcome;
}

TEST(Yaml, KeepsOrderQuotesAndPlaces) {
  const auto tree = *Parse("b: 1\na:\n  - x\n  - \"2\"\nc: ~\nd:\n").tree;
  ASSERT_EQ(tree.map.size(), 4u);
  EXPECT_EQ(tree.map[0].first, "b");
  EXPECT_EQ(tree.map[0].second.mark.line, 1);
  EXPECT_EQ(tree.map[0].second.mark.column, 4);
  EXPECT_EQ(tree.map[0].second.key_mark.column, 1);
  const auto& list = tree.map[1].second.list;
  EXPECT_EQ(list[0].mark.line, 3);
  EXPECT_EQ(list[0].mark.column, 5);
  EXPECT_FALSE(list[0].quoted);
  EXPECT_TRUE(list[1].quoted);
  EXPECT_EQ(list[1].scalar, "2");
  EXPECT_EQ(tree.Get("c")->kind, ConfigValue::Kind::kNull);
  EXPECT_EQ(tree.Get("d")->kind, ConfigValue::Kind::kNull);
}

TEST(Yaml, CountsCharactersNotBytes) {
  const auto tree = *Parse("{größe: ä, b: 1}").tree;
  EXPECT_EQ(tree.Get("größe")->mark.column, 9);
  EXPECT_EQ(tree.Get("b")->key_mark.column, 12);
}

TEST(Yaml, ReadsJson) {
  const auto tree =
      *Parse("{\"a\": [1, \"\\u00e9\\n\", null, true], \"b\": {\"c\": \"\"}}").tree;
  EXPECT_EQ(tree.Get("a")->list[1].scalar, "é\n");
  EXPECT_EQ(tree.Get("a")->list[2].kind, ConfigValue::Kind::kNull);
  EXPECT_EQ(tree.Get("b")->Get("c")->kind, ConfigValue::Kind::kScalar);
}

TEST(Yaml, RefusesBillionLaughs) {
  std::string text = "a: &a [x, x, x, x, x, x, x, x, x]\n";
  for (char name = 'b'; name <= 'i'; ++name) {
    const std::string before(1, static_cast<char>(name - 1));
    text += std::string(1, name) + ": &" + name + " [";
    for (int i = 0; i < 9; ++i) text += (i ? ", *" : "*") + before;
    text += "]\n";
  }
  const auto started = std::chrono::steady_clock::now();
  const auto outcome = Parse(text);
  EXPECT_EQ(outcome.code(), "yaml.alias");
  EXPECT_EQ(outcome.problems[0].mark.line, 1);
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(1));
}

TEST(Yaml, RefusesAnchorsAliasesCyclesAndMergeKeys) {
  for (const char* text : {"&x a: 1", "a: &x 1", "&x [*x]", "a: *nowhere",
                           "a: &x {b: 1}\nc:\n  <<: *x", "- &x\n"}) {
    const auto code = Parse(text).code();
    EXPECT_TRUE(code == "yaml.alias" ||
                (std::string(text) == "a: *nowhere" && code == "yaml.syntax"))
        << text << " " << code;
  }
}

TEST(Yaml, TakesSixtyFourLevelsAndNoMore) {
  const auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(Parse(nested(64)).tree.has_value());
  EXPECT_EQ(Parse(nested(65)).code(), "yaml.depth");
  const auto deep = Parse(nested(100000));
  EXPECT_EQ(deep.code(), "yaml.depth");
  EXPECT_EQ(deep.problems.size(), 1u);
  EXPECT_EQ(Parse(std::string(100000, '{')).code(), "yaml.key");
  std::string blocks;
  for (size_t i = 0; i < 600; ++i) blocks += std::string(i, ' ') + "a:\n";
  EXPECT_EQ(Parse(blocks).code(), "yaml.depth");
}

TEST(Yaml, TakesTwentyThousandValuesAndNoMore) {
  const auto list = [](int items) {
    std::string text = "[";
    for (int i = 0; i < items; ++i) text += "1,";
    return text + "]";
  };
  EXPECT_TRUE(Parse(list(19999)).tree.has_value());
  EXPECT_EQ(Parse(list(20000)).code(), "yaml.nodes");
  EXPECT_EQ(Parse(list(400000)).code(), "yaml.nodes");
}

TEST(Yaml, TakesOneMebibyteAndNoMore) {
  const std::string text = "a: " + std::string((1 << 20) - 3, 'x');
  EXPECT_TRUE(Parse(text).tree.has_value());
  EXPECT_EQ(Parse(text + "x").code(), "yaml.bytes");
}

TEST(Yaml, NamesBothPlacesOfADuplicateKey) {
  const auto outcome = Parse("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\na: 2\n");
  ASSERT_EQ(outcome.problems.size(), 2u);
  EXPECT_EQ(outcome.problems[0].mark.line, 5);
  EXPECT_NE(outcome.problems[0].message.find("line 3, column 3"), std::string::npos);
  EXPECT_EQ(outcome.problems[1].mark.line, 6);
  EXPECT_NE(outcome.problems[1].message.find("line 1, column 1"), std::string::npos);
}

TEST(Yaml, TheSameKeyInTwoMapsIsNoDuplicate) {
  EXPECT_TRUE(Parse("a: {x: 1}\nb: {x: 1}\nc: [{x: 1}, {x: 1}]\n").tree.has_value());
}

TEST(Yaml, RefusesWhatTheParserWouldDropOrReplace) {
  using namespace std::string_literals;
  for (const auto& text :
       {"a: \x04 b"s, "a: x\0y"s, "a: \x1b[0m"s, "a: \x7f"s, "a: \xff"s, "a: \xc0\x80"s,
        "a: \xed\xa0\x80"s, "a: \xf5\x80\x80\x80"s, "a: \xe2\x82"s}) {
    const auto outcome = Parse(text);
    EXPECT_EQ(outcome.code(), "yaml.encoding") << text;
    EXPECT_EQ(outcome.problems[0].mark.line, 1);
  }
}

TEST(Yaml, RefusesTagsKeysThatAreNotTextAndSecondDocuments) {
  EXPECT_EQ(Parse("a: !!python/object:x {}").code(), "yaml.tag");
  EXPECT_EQ(Parse("a: !include other.yaml").code(), "yaml.tag");
  EXPECT_EQ(Parse("? [a]\n: 1").code(), "yaml.key");
  EXPECT_EQ(Parse("~: 1").code(), "yaml.key");
  EXPECT_EQ(Parse("a: 1\n---\nb: 2\n").code(), "yaml.documents");
  EXPECT_TRUE(Parse("---\na: 1\n...\n").tree.has_value());
}

TEST(Yaml, PointsAtSyntaxErrors) {
  const auto tab = Parse("a:\n\tb: 1\n");
  EXPECT_EQ(tab.code(), "yaml.syntax");
  EXPECT_EQ(tab.problems[0].mark.line, 2);
  EXPECT_NE(tab.problems[0].suggestion.find("tab"), std::string::npos);
  const auto colon = Parse("a: b: c\n");
  EXPECT_EQ(colon.code(), "yaml.syntax");
  EXPECT_EQ(colon.problems[0].mark.line, 1);
  EXPECT_EQ(Parse("a: [1, 2\n").code(), "yaml.syntax");
  for (const char* text :
       {"a: \"x\n", "a: \"x", "a: 'x\n", "a: \"x\\\"\n", "a: 'x''\n", "\"a: 1\nb: 2\n"}) {
    EXPECT_EQ(Parse(text).code(), "yaml.syntax") << text;
  }
  EXPECT_EQ(Parse("a: \"x\\\\\"\nb: 'it''s'\nc: |\n  \"x\n").tree->Get("b")->scalar,
            "it's");
}

// Every broken document ends in a problem, quickly, whatever stands in it.
TEST(Yaml, SurvivesHostileTexts) {
  const auto started = std::chrono::steady_clock::now();
  for (const char* piece :
       {"[",   "{",  "- ", "a: ",  "? ",  "\"", "'", "|\n",  ">\n",  "#",    "%", "&a ",
        "!x ", "\n", " ",  "a:\n", "-\n", ": ", ",", "{a: ", "[[],", "? - ", "\t"}) {
    std::string text;
    while (text.size() + 8 < (1 << 15)) text += piece;
    std::vector<Problem> problems;
    ParseYaml({"", text}, "doc", problems);
    problems.clear();
    ParseYaml({"", "a: " + text}, "doc", problems);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(60));
}

}  // namespace
}  // namespace dxt
