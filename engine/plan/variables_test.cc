#include "engine/plan/variables.h"

#include <gtest/gtest.h>

namespace dxt {
namespace {

ConfigValue Text(std::string text) {
  ConfigValue value;
  value.kind = ConfigValue::Kind::kScalar;
  value.scalar = std::move(text);
  value.mark = {"doc", 3, 7};
  return value;
}

struct Outcome {
  ConfigValue value;
  std::vector<Problem> problems;
  std::set<std::string> used;
};

Outcome Substituted(const std::string& text) {
  const std::map<std::string, std::string> values = {
      {"HOST", "db.local"}, {"EMPTY", ""}, {"SELF", "${HOST}"}, {"_x1", "y"}};
  Substitution substitution(values);
  Outcome outcome;
  outcome.value = Text(text);
  substitution.Apply(outcome.value, "a.b", outcome.problems);
  outcome.used = substitution.used();
  return outcome;
}

struct VariableCase {
  const char* text;
  const char* expected;
};

class VariableTexts : public testing::TestWithParam<VariableCase> {};

TEST_P(VariableTexts, Resolve) {
  const auto outcome = Substituted(GetParam().text);
  EXPECT_TRUE(outcome.problems.empty());
  EXPECT_EQ(outcome.value.scalar, GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Variables, VariableTexts,
    testing::Values(VariableCase{"${HOST}", "db.local"},
                    VariableCase{"x${HOST}y${_x1}", "xdb.localyy"},
                    VariableCase{"${NONE:-a b}", "a b"}, VariableCase{"${NONE:-}", ""},
                    VariableCase{"${EMPTY}", ""}, VariableCase{"${EMPTY:-d}", "d"},
                    VariableCase{"${HOST:-d}", "db.local"},
                    VariableCase{"$${HOST}", "${HOST}"},
                    VariableCase{"$$${HOST}", "$${HOST}"},
                    VariableCase{"$HOST $1 5$ $$ $", "$HOST $1 5$ $$ $"},
                    VariableCase{"${SELF}", "${HOST}"}, VariableCase{"{HOST}", "{HOST}"},
                    VariableCase{"${NONE:-a:-b$c}", "a:-b$c"}));

TEST(Variables, AMissingOneIsNamedWithPlaceAndRemedy) {
  const auto outcome = Substituted("${HOST}:${MISSING}/${ALSO}");
  ASSERT_EQ(outcome.problems.size(), 2u);
  const Problem& problem = outcome.problems[0];
  EXPECT_EQ(problem.code, "config.missing_variable");
  EXPECT_EQ(problem.path, "a.b");
  EXPECT_EQ(problem.mark.line, 3);
  EXPECT_NE(problem.message.find("'MISSING'"), std::string::npos);
  EXPECT_NE(problem.suggestion.find("export MISSING="), std::string::npos);
  EXPECT_NE(problem.suggestion.find(".env"), std::string::npos);
  EXPECT_NE(problem.suggestion.find("${MISSING:-default}"), std::string::npos);
}

TEST(Variables, MalformedOnesAreRefused) {
  for (const char* text : {"${", "${}", "${HOST", "${1}", "${HO ST}", "${HOST-x}",
                           "${HOST:x}", "${A:-${HOST}}"}) {
    const auto outcome = Substituted(text);
    ASSERT_FALSE(outcome.problems.empty()) << text;
    EXPECT_EQ(outcome.problems[0].code, "config.bad_variable") << text;
  }
}

TEST(Variables, KeepWhatWasWrittenAndWhichWereUsed) {
  const auto outcome = Substituted("${HOST}${NONE:-x}");
  EXPECT_EQ(outcome.value.written, "${HOST}${NONE:-x}");
  EXPECT_EQ(outcome.used, std::set<std::string>{"HOST"});
  EXPECT_TRUE(Substituted("plain").value.written.empty());
}

TEST(Variables, ReachScalarsAtEveryDepthAndNeverChangeStructure) {
  const std::map<std::string, std::string> values = {{"X", "[a, b]\nc: d"}};
  Substitution substitution(values);
  ConfigValue root;
  root.kind = ConfigValue::Kind::kMap;
  ConfigValue list;
  list.kind = ConfigValue::Kind::kList;
  list.list = {Text("${X}"), Text("1")};
  root.map.emplace_back("${X}", list);
  std::vector<Problem> problems;
  substitution.Apply(root, "", problems);
  EXPECT_TRUE(problems.empty());
  EXPECT_EQ(root.map[0].first, "${X}");
  EXPECT_EQ(root.map[0].second.list[0].kind, ConfigValue::Kind::kScalar);
  EXPECT_EQ(root.map[0].second.list[0].scalar, "[a, b]\nc: d");
}

TEST(Variables, CannotBlowADocumentUp) {
  const std::map<std::string, std::string> values = {{"A", std::string(100000, 'x')}};
  Substitution substitution(values);
  std::string text;
  for (int i = 0; i < 2000; ++i) text += "${A}";
  ConfigValue value = Text(text);
  std::vector<Problem> problems;
  substitution.Apply(value, "a", problems);
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].code, "config.too_large");
}

TEST(Variables, NamesAreListed) {
  EXPECT_EQ(VariableNames("a${B}$${C}${D:-e}${"), (std::vector<std::string>{"B", "D"}));
}

}  // namespace
}  // namespace dxt
