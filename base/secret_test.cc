#include "base/secret.h"

#include <gtest/gtest.h>

namespace dxt {
namespace {

TEST(Redactor, HidesRawUrlAndBase64Forms) {
  const Redactor redactor({"p@ss w/rd"});
  EXPECT_EQ(redactor.Redact("login p@ss w/rd failed"), "login *** failed");
  EXPECT_EQ(redactor.Redact("postgres://u:p%40ss%20w%2Frd@h/db"),
            "postgres://u:***@h/db");
  EXPECT_EQ(redactor.Redact("postgres://u:p%40ss%20w%2frd@h/db"),
            "postgres://u:***@h/db");
  EXPECT_EQ(redactor.Redact("cEBzcyB3L3Jk"), "***");
}

TEST(Redactor, HidesTheSecretInsideALongerBase64Text) {
  const Redactor redactor({"hunter2hunter2"});
  // "u:hunter2hunter2", "us:hunter2hunter2" and "usr:hunter2hunter2".
  for (const char* text : {"dTpodW50ZXIyaHVudGVyMg==", "dXM6aHVudGVyMmh1bnRlcjI=",
                           "dXNyOmh1bnRlcjJodW50ZXIy"}) {
    EXPECT_NE(redactor.Redact(text).find("***"), std::string::npos) << text;
    EXPECT_LT(redactor.Redact(text).size(), 12u) << text;
  }
}

TEST(Redactor, HidesThePasswordOfASecretUrl) {
  const Redactor redactor({"postgresql://shop:s%65cret!@db:5432/shop"});
  EXPECT_EQ(redactor.Redact("password s%65cret! or secret! refused"),
            "password *** or *** refused");
  EXPECT_EQ(redactor.Redact("host db, user shop"), "host db, user shop");
}

TEST(Redactor, TheLongerOfTwoSecretsIsHiddenWhole) {
  const Redactor redactor({"abc", "abcdef"});
  EXPECT_EQ(redactor.Redact("x abcdef y abc"), "x *** y ***");
}

TEST(Redactor, TextWithoutSecretsIsUntouched) {
  EXPECT_EQ(Redactor({"secret"}).Redact("the quick brown fox"), "the quick brown fox");
  EXPECT_EQ(Redactor({"", "a", "ab"}).Redact("a cab"), "a cab");
  EXPECT_TRUE(Redactor().empty());
}

}  // namespace
}  // namespace dxt
