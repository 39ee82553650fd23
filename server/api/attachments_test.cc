#include "server/api/attachments.h"

#include <gtest/gtest.h>

namespace dxt {
namespace {

TEST(Attachments, TheLastClientEndsAPrivateDaemonOnce) {
  int ends = 0;
  Attachments attachments([&] { ++ends; });
  const auto first = attachments.Add();
  const auto second = attachments.Add();
  ASSERT_TRUE(first && second);
  EXPECT_NE(*first, *second);
  attachments.Remove(*first);
  EXPECT_EQ(ends, 0);
  attachments.Remove(*second);
  attachments.Remove(*second);
  EXPECT_EQ(ends, 1);
  EXPECT_FALSE(attachments.Add());
}

TEST(Attachments, ADaemonThatIsNotPrivateOutlivesItsClients) {
  Attachments attachments;
  attachments.Remove(*attachments.Add());
  EXPECT_TRUE(attachments.Add());
}

TEST(Attachments, AnIdleDaemonClosesOnlyWhenNobodyCame) {
  Attachments attachments([] {});
  const auto client = attachments.Add();
  EXPECT_FALSE(attachments.Close(/*force=*/false));
  EXPECT_TRUE(attachments.Add());
  EXPECT_TRUE(attachments.Close(/*force=*/true));
  EXPECT_FALSE(attachments.Add());
}

}  // namespace
}  // namespace dxt
