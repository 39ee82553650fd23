#pragma once
// A SQLite file in a temporary folder and short ways to seed, load and look, for tests.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include <arrow/result.h>
#include <gtest/gtest.h>

#include "connectors/sdk/connector.h"
#include "connectors/sdk/destination.h"
#include "connectors/sdk/source.h"
#include "connectors/sqlite/sqlite.h"

namespace dxt {

class SqliteTest : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  /// Runs SQL as another program would.
  void Sql(const std::string& sql);
  /// The rows of a SELECT, cells joined by "|".
  std::string Ask(const std::string& sql);

  ConfigView Config(const std::string& path, const std::string& lock_wait = "30s");
  std::unique_ptr<Source> OpenSource(const std::string& lock_wait = "30s");
  std::unique_ptr<Destination> OpenTarget(const std::string& lock_wait = "30s");

  static ReadSpec AllOf(const StreamRef& ref, const StreamInfo& info);
  static arrow::Result<std::string> ReadText(Source& source, const ReadSpec& spec,
                                             std::stop_token stop = {});
  arrow::Result<std::string> ReadTable(const StreamRef& ref);

  /// Loads two columns, id and name, into `items`.
  arrow::Result<CommitResult> Load(Destination& target, LoadMode mode,
                                   const std::vector<int64_t>& ids,
                                   const std::string& name,
                                   ReplaceStrategy strategy = ReplaceStrategy::kAuto);

  std::unique_ptr<Connector> connector_ = MakeSqliteConnector();
  std::filesystem::path folder_;
  std::string path_;
};

}  // namespace dxt
