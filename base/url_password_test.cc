#include "base/url_password.h"

#include <gtest/gtest.h>

namespace dxt {
namespace {

TEST(UrlPassword, IsWhatStandsBetweenTheUserAndTheHost) {
  EXPECT_EQ(UrlPassword("postgresql://u:p4ss@h:5432/d"), "p4ss");
  EXPECT_EQ(UrlPassword("postgresql://u:a:b@h/d?x=y:z@w"), "a:b");
  for (const char* none : {"postgresql://u@h/d", "postgresql://u:@h/d", "sqlite:///a:b@c",
                           "shop", "postgresql://h:5432/d"}) {
    EXPECT_FALSE(UrlPassword(none)) << none;
  }
}

TEST(UrlPassword, IsASecretOptionWhereNoneStandsBeforeTheHost) {
  EXPECT_EQ(UrlPassword("postgresql://h/d?user=u&password=p4ss&x=y"), "p4ss");
  EXPECT_EQ(UrlPassword("postgresql://u:first@h/d?password=second"), "first");
  EXPECT_EQ(UrlPassword("s3://b/k?secret_access_key=p4ss#t"), "p4ss");
  EXPECT_EQ(PasswordAsVariable("s3://b/k?session_token=p4ss&x=y", "T"),
            "s3://b/k?session_token=${T}&x=y");
  EXPECT_FALSE(UrlPassword("postgresql://h/d?password="));
  EXPECT_FALSE(UrlPassword("postgresql://h/d?no_password=x#?password=y"));
}

TEST(UrlPassword, BecomesAVariable) {
  EXPECT_EQ(PasswordAsVariable("postgresql://u:p4ss@h/d", "SOURCE_PASSWORD"),
            "postgresql://u:${SOURCE_PASSWORD}@h/d");
  EXPECT_FALSE(PasswordAsVariable("sqlite:///tmp/a.db", "X"));
}

}  // namespace
}  // namespace dxt
