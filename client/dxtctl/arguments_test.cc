#include "client/dxtctl/arguments.h"

#include <gtest/gtest.h>

namespace dxt::ctl {
namespace {

TEST(Arguments, PasswordsAreTakenAndNotLeftForOthersToSee) {
  std::vector<std::string> texts = {
      "dxtctl",
      "copy",
      "postgresql://u:pa%40ss@h:5432/d?password=other&x=y#public.t",
      "s3://b/k?secret_access_key=deep",
      "sqlite:a.db#t",
      "a?b"};
  std::vector<char*> argv;
  for (auto& text : texts) argv.push_back(text.data());
  const std::vector<std::string> before(texts.begin() + 1, texts.end());
  EXPECT_EQ(TakeArguments(static_cast<int>(argv.size()), argv.data()), before);
  EXPECT_EQ(texts[2], "postgresql://u:xxxxxxx@h:5432/d?xxxxxxxxxxxxxxxxxx#public.t");
  EXPECT_EQ(texts[3], "s3://b/k?xxxxxxxxxxxxxxxxxxxxxx");
  EXPECT_EQ(texts[4], "sqlite:a.db#t");
  EXPECT_EQ(texts[5], "a?b");
}

}  // namespace
}  // namespace dxt::ctl
