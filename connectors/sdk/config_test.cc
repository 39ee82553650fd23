#include "connectors/sdk/config.h"

#include <gtest/gtest.h>

namespace dxt {
namespace {

ConfigValue Scalar(std::string text) {
  ConfigValue value;
  value.kind = ConfigValue::Kind::kScalar;
  value.scalar = std::move(text);
  return value;
}

TEST(ParseByteSize, KnowsBinaryAndDecimalUnits) {
  EXPECT_EQ(ParseByteSize("512MiB"), 512LL << 20);
  EXPECT_EQ(ParseByteSize("64MB"), 64000000);
  EXPECT_EQ(ParseByteSize("10k"), 10240);
  EXPECT_EQ(ParseByteSize("1.5 GiB"), 3LL << 29);
  EXPECT_EQ(ParseByteSize("17"), 17);
}

TEST(ParseByteSize, RefusesWhatIsNoSize) {
  for (const char* text : {"", "MiB", "-1", "5 parsecs", "1e30", "0x10"}) {
    EXPECT_FALSE(ParseByteSize(text)) << text;
  }
}

TEST(ParseDurationMillis, TakesABareNumberAsSeconds) {
  EXPECT_EQ(ParseDurationMillis("30"), 30000);
  EXPECT_EQ(ParseDurationMillis("500ms"), 500);
  EXPECT_EQ(ParseDurationMillis("5m"), 300000);
  EXPECT_EQ(ParseDurationMillis("1h"), 3600000);
  EXPECT_EQ(ParseDurationMillis("2d"), 172800000);
  for (const char* text : {"", "5y", "-5s", "soon"}) {
    EXPECT_FALSE(ParseDurationMillis(text)) << text;
  }
}

TEST(ParseBoolean, KnowsTheSixWordsInAnyCase) {
  EXPECT_EQ(ParseBoolean("True"), true);
  EXPECT_EQ(ParseBoolean("OFF"), false);
  EXPECT_FALSE(ParseBoolean("1"));
  EXPECT_FALSE(ParseBoolean(""));
}

class ConfigViewTest : public testing::Test {
 protected:
  ConfigViewTest() {
    OptionSpec port;
    port.name = "port";
    port.kind = OptionKind::kInteger;
    port.default_value = "5432";
    port.aliases = {"tcp_port"};
    spec_.options = {port};
  }
  ConfigSpec spec_;
};

TEST_F(ConfigViewTest, GivesTheDefaultOfWhatWasNotSet) {
  ConfigValue values;
  values.kind = ConfigValue::Kind::kMap;
  const ConfigView view(&spec_, values);
  EXPECT_FALSE(view.Has("port"));
  EXPECT_EQ(view.Integer("port"), 5432);
  EXPECT_EQ(view.String("host"), "");
}

TEST_F(ConfigViewTest, GivesWhatWasSet) {
  ConfigValue values;
  values.kind = ConfigValue::Kind::kMap;
  values.map.emplace_back("port", Scalar("6000"));
  values.map.emplace_back("hosts", Scalar("one"));
  const ConfigView view(&spec_, values);
  EXPECT_TRUE(view.Has("port"));
  EXPECT_EQ(view.Integer("port"), 6000);
  EXPECT_EQ(view.Strings("hosts"), std::vector<std::string>{"one"});
}

TEST_F(ConfigViewTest, TakesNullAsNotSet) {
  ConfigValue values;
  values.kind = ConfigValue::Kind::kMap;
  values.map.emplace_back("port", ConfigValue());
  EXPECT_EQ(ConfigView(&spec_, values).Integer("port"), 5432);
}

TEST_F(ConfigViewTest, FindsOptionsByAlias) {
  ASSERT_NE(spec_.Find("tcp_port"), nullptr);
  EXPECT_EQ(spec_.Find("tcp_port")->name, "port");
  EXPECT_EQ(spec_.Find("tcp"), nullptr);
}

}  // namespace
}  // namespace dxt
