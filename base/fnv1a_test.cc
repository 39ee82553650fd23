#include "base/fnv1a.h"

#include <gtest/gtest.h>

namespace dxt {
namespace {

// The vectors of the algorithm's authors (draft-eastlake-fnv, appendix C).
TEST(Fnv1a, IsThePublishedFunction) {
  EXPECT_EQ(Fnv1a(""), 0xcbf29ce484222325u);
  EXPECT_EQ(Fnv1a("a"), 0xaf63dc4c8601ec8cu);
  EXPECT_EQ(Fnv1a("foobar"), 0x85944171f73967e8u);
  EXPECT_EQ(Fnv1a("bar", Fnv1a("foo")), Fnv1a("foobar"));
}

TEST(Fnv1a, NamesHaveSixteenDigits) {
  EXPECT_EQ(Fnv1aName("foobar"), "85944171f73967e8");
  EXPECT_EQ(Fnv1aName("").size(), 16u);
}

}  // namespace
}  // namespace dxt
