#include "base/spelling.h"

#include <gtest/gtest.h>

namespace dxt {
namespace {

const std::vector<std::string> kKeys = {"mode", "upsert_keys", "batch_size", "target"};

TEST(NearestSpelling, FindsTypingErrors) {
  EXPECT_EQ(NearestSpelling("mdoe", kKeys), "mode");
  EXPECT_EQ(NearestSpelling("MODE", kKeys), "mode");
  EXPECT_EQ(NearestSpelling("upsert_key", kKeys), "upsert_keys");
  EXPECT_EQ(NearestSpelling("batchsize", kKeys), "batch_size");
  EXPECT_EQ(NearestSpelling("taget", kKeys), "target");
}

TEST(NearestSpelling, SaysNothingWhenNothingIsNear) {
  EXPECT_EQ(NearestSpelling("password", kKeys), "");
  EXPECT_EQ(NearestSpelling("", kKeys), "");
  EXPECT_EQ(NearestSpelling("mode", {}), "");
  EXPECT_EQ(NearestSpelling(std::string(1000, 'x'), kKeys), "");
}

}  // namespace
}  // namespace dxt
