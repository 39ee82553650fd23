#include "client/dxtctl/variables.h"

#include <cstdlib>

#include <gtest/gtest.h>

namespace dxt::ctl {
namespace {

using Names = std::set<std::string>;
using Values = std::map<std::string, std::string>;

Values Parsed(const std::string& text) {
  const auto values = ParseEnvFile(text, ".env");
  EXPECT_TRUE(values.ok()) << values.error().message;
  return values.ok() ? *values : Values();
}

TEST(VariableNames, AreThoseInBraces) {
  EXPECT_EQ(VariableNames("a: ${A}, b: x${B_2}y${_c:-d}"), (Names{"A", "B_2", "_c"}));
}

TEST(VariableNames, OtherDollarsAreText) {
  EXPECT_EQ(VariableNames("$A $ {B} ${} ${1A} ${A ${-x} 5$"), Names());
}

TEST(VariableNames, DoubledDollarIsLiteral) {
  EXPECT_EQ(VariableNames("$${A} $$${B} ${C}"), (Names{"C"}));
}

TEST(VariableNames, DefaultMayHoldAnything) {
  EXPECT_EQ(VariableNames("${A:-postgresql://u@h/d} ${B:-}"), (Names{"A", "B"}));
}

TEST(EnvFile, HoldsNamesAndValues) {
  EXPECT_EQ(Parsed("A=1\n\n# comment\n  B = two words \nexport C=3\r\nEMPTY=\n"),
            (Values{{"A", "1"}, {"B", "two words"}, {"C", "3"}, {"EMPTY", ""}}));
}

TEST(EnvFile, CommentBeginsAfterABlank) {
  EXPECT_EQ(Parsed("A=x#y\nB=x # y\nC=# y"),
            (Values{{"A", "x#y"}, {"B", "x"}, {"C", "# y"}}));
}

TEST(EnvFile, SingleQuotesKeepEverything) {
  EXPECT_EQ(Parsed("A='a \\n # $B \"' # comment"), (Values{{"A", "a \\n # $B \""}}));
}

TEST(EnvFile, DoubleQuotesKnowEscapes) {
  EXPECT_EQ(Parsed(R"(A="a\n\t\"\\\$\q #")"), (Values{{"A", "a\n\t\"\\$\\q #"}}));
}

TEST(EnvFile, LaterLineWins) { EXPECT_EQ(Parsed("A=1\nA=2"), (Values{{"A", "2"}})); }

TEST(EnvFile, WrongLineIsNamedWithoutItsText) {
  for (const char* text : {"A=1\nnonsense secret", "A=1\n=secret", "A=1\nB=\"secret",
                           "A=1\n1B=secret", "A=1\nB='secret"}) {
    const auto values = ParseEnvFile(text, "/p/.env");
    ASSERT_FALSE(values.ok()) << text;
    EXPECT_EQ(values.error().exit_code, kExitUsage);
    EXPECT_NE(values.error().message.find("/p/.env:2:"), std::string::npos);
    EXPECT_EQ(values.error().message.find("secret"), std::string::npos);
    EXPECT_FALSE(values.error().hint.empty());
  }
}

TEST(VariableValues, EnvironmentWinsOverFile) {
  setenv("DXT_TEST_BOTH", "environment", 1);
  unsetenv("DXT_TEST_FILE");
  unsetenv("DXT_TEST_NONE");
  EXPECT_EQ(VariableValues({"DXT_TEST_BOTH", "DXT_TEST_FILE", "DXT_TEST_NONE"},
                           {{"DXT_TEST_BOTH", "file"},
                            {"DXT_TEST_FILE", "file"},
                            {"DXT_TEST_UNUSED", "file"}}),
            (Values{{"DXT_TEST_BOTH", "environment"}, {"DXT_TEST_FILE", "file"}}));
}

TEST(VariableValues, EmptyEnvironmentIsAValue) {
  setenv("DXT_TEST_EMPTY", "", 1);
  EXPECT_EQ(VariableValues({"DXT_TEST_EMPTY"}, {{"DXT_TEST_EMPTY", "file"}}),
            (Values{{"DXT_TEST_EMPTY", ""}}));
}

}  // namespace
}  // namespace dxt::ctl
