#pragma once
// A DuckDB file in a temporary folder and short ways to seed, write and look, for tests.
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "connectors/duckdb/database.h"
#include "connectors/sdk/connector.h"
#include "connectors/sdk/destination.h"
#include "connectors/sdk/source.h"

namespace dxt::duckdb {

class DuckdbTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  /// Options of a connection to `path` (default: the test's file).
  ConfigView Config(const std::string& path = "") const;
  std::unique_ptr<Source> OpenSource(const std::string& path = "");
  std::unique_ptr<Destination> OpenTarget(const std::string& path = "");

  /// Runs statements in the test's file through an object that is closed afterwards.
  void Sql(const std::vector<std::string>& statements);
  /// The rows of a SELECT as "a|b" lines, NULL as "~".
  std::vector<std::string> Look(const std::string& select);

  static StreamIdentity Identity(const std::string& target,
                                 const std::string& stream = "s");
  /// A window ready to be written: describes, plans, acquires.
  WriteSpec Prepare(Destination& target, TableSpec table, const std::string& load_id,
                    const std::string& stream = "s");
  /// The whole protocol for one window.
  arrow::Result<CommitResult> Load(Destination& target, TableSpec table,
                                   const std::shared_ptr<arrow::RecordBatch>& batch,
                                   const std::string& load_id,
                                   const CommitGuards& guards = {});
  static LoadRecord Record(const WriteSpec& spec);
  /// A table of the batch's columns.
  static TableSpec Table(const std::string& reference, LoadMode mode,
                         const std::shared_ptr<arrow::RecordBatch>& batch,
                         std::vector<std::string> keys = {});

  std::filesystem::path folder_;
  std::string path_;
  ConnectorContext context_;
  std::unique_ptr<Connector> connector_;
};

/// A batch from JSON rows: Batch({{"id", int64()}}, "[{\"id\": 1}]").
std::shared_ptr<arrow::RecordBatch> Batch(const arrow::FieldVector& fields,
                                          const std::string& json);

}  // namespace dxt::duckdb
