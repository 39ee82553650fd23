#include "server/daemon/config.h"

#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>

#include "server/daemon/options.h"

namespace dxt {
namespace {

namespace fs = std::filesystem;

class ConfigTest : public testing::Test {
 protected:
  ConfigTest() {
    char name[] = "/tmp/dxt-config-XXXXXX";
    folder_ = mkdtemp(name);
    sources_.environment = {{"HOME", folder_.string()},
                            {"XDG_CONFIG_HOME", (folder_ / "none").string()}};
  }
  ~ConfigTest() override { fs::remove_all(folder_); }

  void Write(const std::string& text) {
    sources_.file = folder_ / "dxtd.yaml";
    std::ofstream(*sources_.file) << text;
  }
  const EffectiveOption& Option(const LoadedConfig& loaded, std::string_view path) {
    for (const auto& option : loaded.options) {
      if (option.path == path) return option;
    }
    static const EffectiveOption none;
    return none;
  }
  static std::string Codes(const LoadedConfig& loaded) {
    std::string codes;
    for (const auto& problem : loaded.problems) codes += problem.code + " ";
    return codes;
  }

  fs::path folder_;
  ConfigSources sources_;
};

TEST_F(ConfigTest, AFlagWinsOverTheEnvironmentAndThatOverTheFileAndThatOverTheDefault) {
  Write("workers: 3\nlog: {level: error, format: text}\n");
  sources_.environment["DXTD_LOG_LEVEL"] = "warning";
  sources_.environment["DXTD_WORKERS"] = "4";
  sources_.flags["workers"] = {"5"};
  const auto loaded = LoadDaemonConfig(sources_);
  ASSERT_TRUE(loaded.ok()) << DescribeConfig(loaded);
  EXPECT_EQ(loaded.config.workers, 5);
  EXPECT_EQ(Option(loaded, "workers").source, "--workers");
  EXPECT_EQ(loaded.config.log.level, LogLevel::kWarning);
  EXPECT_EQ(Option(loaded, "log.level").source, "DXTD_LOG_LEVEL");
  EXPECT_FALSE(loaded.config.log.json);
  EXPECT_EQ(Option(loaded, "log.format").source, sources_.file->string() + ":2");
  EXPECT_FALSE(loaded.config.reflection);
  EXPECT_EQ(Option(loaded, "reflection").source, "default");
}

TEST_F(ConfigTest, EveryProblemIsReportedAtOnceWithItsPlace) {
  Write(
      "wrokers: 3\nlog: {level: loud}\nmemory_budget: 1KiB\nfiles: {roots: /no/such}\n");
  sources_.environment["DXTD_SHUTDOWN_GRACE"] = "soon";
  sources_.environment["DXTD_LOGLEVEL"] = "info";
  sources_.flags["listen"] = {"nowhere"};
  const auto loaded = LoadDaemonConfig(sources_);
  EXPECT_FALSE(loaded.ok());
  const std::string text = DescribeConfig(loaded);
  for (const char* part :
       {"dxtd.yaml:1:1: error: wrokers", "did you mean 'workers'?",
        "'loud' is not one of", "memory_budget: '1KiB' is less than",
        "/no/such is no folder", "DXTD_SHUTDOWN_GRACE: 'soon' is not a duration",
        "DXTD_LOGLEVEL, which dxtd does", "did you mean 'DXTD_LOG_LEVEL'?",
        "'nowhere' is no address"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
  }
}

TEST_F(ConfigTest, ATcpAddressIsRefusedUnlessClientsAreKnown) {
  for (const char* address :
       {"127.0.0.1:7443", "[::1]:0", "localhost:1", "0.0.0.0:7443"}) {
    sources_.flags = {{"listen", {address}}};
    const auto open = LoadDaemonConfig(sources_);
    EXPECT_FALSE(open.ok()) << address;
    EXPECT_EQ(Codes(open), "server.listen_unprotected ");
    sources_.flags["tls.cert"] = sources_.flags["tls.key"] = {"/some.pem"};
    EXPECT_FALSE(LoadDaemonConfig(sources_).ok()) << "TLS alone says nothing of clients";
    sources_.flags["tls.client_ca"] = {"/ca.pem"};
    EXPECT_TRUE(LoadDaemonConfig(sources_).ok());
    sources_.flags = {{"listen", {address}}, {"auth.token_file", {"/tokens"}}};
    EXPECT_TRUE(LoadDaemonConfig(sources_).ok());
  }
  sources_.flags = {{"listen", {"127.0.0.1:0"}}, {"insecure_listen", {"true"}}};
  const auto insecure = LoadDaemonConfig(sources_);
  EXPECT_TRUE(insecure.ok());
  EXPECT_EQ(Codes(insecure), "server.insecure ");
  sources_.flags = {{"listen", {"unix:/tmp/x.sock"}}};
  EXPECT_EQ(Codes(LoadDaemonConfig(sources_)), "");
}

TEST_F(ConfigTest, ListsAndMapsComeFromEveryLayer) {
  fs::create_directories(folder_ / "a");
  Write("files: {roots: [a]}\nvariables: {REGION: eu}\nsecrets: {PW: \"env:PW\"}\n");
  auto loaded = LoadDaemonConfig(sources_);
  ASSERT_TRUE(loaded.ok()) << DescribeConfig(loaded);
  EXPECT_EQ(loaded.config.file_roots, std::vector<fs::path>{folder_ / "a"});
  EXPECT_EQ(loaded.config.variables.at("REGION"), "eu");
  EXPECT_EQ(loaded.config.secrets.at("PW"), "env:PW");
  sources_.environment["DXTD_LISTEN"] = "unix:/tmp/a.sock,unix:/tmp/b.sock";
  sources_.flags["variables"] = {"REGION=us", "ZONE=b=c"};
  loaded = LoadDaemonConfig(sources_);
  ASSERT_EQ(loaded.config.listen.size(), 2u);
  EXPECT_EQ(loaded.config.listen[1].text, "/tmp/b.sock");
  EXPECT_EQ(loaded.config.variables.at("REGION"), "us");
  EXPECT_EQ(loaded.config.variables.at("ZONE"), "b=c");
  sources_.flags["secrets"] = {"PW=hunter2"};
  loaded = LoadDaemonConfig(sources_);
  EXPECT_FALSE(loaded.ok());
  EXPECT_EQ(DescribeConfig(loaded).find("hunter2"), std::string::npos);
  sources_.flags["secrets"] = {"A=env:A", "hunter2"};
  loaded = LoadDaemonConfig(sources_);
  EXPECT_EQ(Codes(loaded), "config.wrong_type ");
  EXPECT_NE(DescribeConfig(loaded).find("value 2 is not NAME=VALUE"), std::string::npos);
  EXPECT_EQ(DescribeConfig(loaded).find("hunter2"), std::string::npos);
}

TEST_F(ConfigTest, WhatARunningDaemonCannotChangeIsNamed) {
  Write("workers: 3\nlog: {level: error}\nvariables: {A: b}\n");
  const auto running = LoadDaemonConfig(sources_);
  EXPECT_TRUE(NeedRestart(running, running).empty());
  Write("workers: 4\nlog: {level: info}\nvariables: {A: c}\n");
  const auto changed = NeedRestart(running, LoadDaemonConfig(sources_));
  ASSERT_EQ(changed.size(), 1u);
  EXPECT_EQ(changed[0].path + " " + changed[0].value, "workers 4");
}

TEST_F(ConfigTest, FoldersOfTheServiceManagerAreDefaults) {
  sources_.environment["STATE_DIRECTORY"] = "/var/lib/dxt:/var/lib/other";
  sources_.environment["RUNTIME_DIRECTORY"] = "/run/dxt";
  const auto loaded = LoadDaemonConfig(sources_);
  EXPECT_EQ(loaded.config.state_dir, "/var/lib/dxt");
  ASSERT_EQ(loaded.config.listen.size(), 1u);
  EXPECT_EQ(loaded.config.listen[0].text, "/run/dxt/dxtd.sock");
}

TEST_F(ConfigTest, EveryOptionIsDescribedAndItsDefaultIsValid) {
  for (const auto& option : DaemonOptions()) {
    EXPECT_FALSE(option.spec->help.empty()) << option.path;
    EXPECT_TRUE(option.spec->help.ends_with('.')) << option.path;
    EXPECT_NE(DaemonReference().find("`" + option.environment + "`"), std::string::npos);
  }
  EXPECT_EQ(Codes(LoadDaemonConfig(sources_)), "");
}

TEST(ParseAddress, TellsSocketsFromPorts) {
  EXPECT_TRUE(ParseAddress("unix:/run/x.sock")->is_unix);
  EXPECT_EQ(ParseAddress("/run/x.sock")->text, "/run/x.sock");
  EXPECT_TRUE(ParseAddress("127.0.0.1:0")->loopback());
  EXPECT_TRUE(ParseAddress("[::1]:7443")->loopback());
  EXPECT_FALSE(ParseAddress("0.0.0.0:7443")->loopback());
  for (const char* bad : {"", "host", ":1", "host:", "host:70000", "host:-1", "unix:x",
                          "::1:80", "http://x:1", "host:1x"}) {
    EXPECT_FALSE(ParseAddress(bad)) << bad;
  }
}

}  // namespace
}  // namespace dxt
