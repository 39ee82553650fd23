#pragma once
// What the file connector's tests share: a folder of their own, and a stream from end to
// end.
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "connectors/sdk/connector.h"
#include "connectors/sdk/destination.h"
#include "connectors/sdk/source.h"

namespace dxt::file {

ConfigValue Scalar(std::string text);
ConfigValue List(std::vector<std::string> texts);
ConfigValue Map(std::vector<std::pair<std::string, ConfigValue>> entries);

/// A temporary folder that is a connection's url.
class FileTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  std::filesystem::path Path(const std::string& name) const { return folder_ / name; }
  void WriteText(const std::string& name, std::string_view text) const;
  std::string ReadText(const std::string& name) const;
  std::vector<std::string> Names(const std::string& folder = "") const;

  ConfigView Config() const;
  std::unique_ptr<Source> OpenSource() const;
  std::unique_ptr<Destination> OpenDestination() const;

  /// Reads a stream; all its rows as one line of texts per row, columns parted by `|`,
  /// NULL as `∅`.
  struct Rows {
    StreamSchema schema;
    std::vector<std::string> lines;
    std::shared_ptr<arrow::Table> table;
    /// "3: text" of each, with `tells_bad_records_`.
    std::vector<std::string> bad;
    arrow::Status status;
    std::string types() const;
  };
  Rows Read(const std::string& source, ConfigValue options = Map({})) const;
  Rows Read(const std::string& source, ConfigValue options,
            const std::vector<ColumnRead>& columns) const;

  /// One load as the engine does it. `batch` has the fields of `schema`.
  struct Load {
    std::string target;
    StreamSchema schema;
    std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
    LoadMode mode = LoadMode::kAppend;
    ConfigValue options = Map({});
    std::string pipeline = "default/p";
    std::string stream = "s";
    std::string load_id;  ///< "" = a new one.
    std::string cursor_after;
    CommitGuards guards = {};
    bool commit = true;
  };
  arrow::Result<CommitResult> Run(const Load& load, Destination& destination) const;
  arrow::Result<CommitResult> Run(const Load& load) const;
  StreamIdentity Identity(const Load& load) const;

  std::unique_ptr<Connector> connector_;
  ConnectorContext context_;
  std::filesystem::path folder_;
  ConfigValue settings_ = Map({});  ///< More of the connection's options.
  bool tells_bad_records_ = false;  ///< Of the streams that are read.
  mutable int loads_ = 0;
};

/// One row of every type, then one of NULLs.
struct Sample {
  StreamSchema schema;
  std::shared_ptr<arrow::RecordBatch> batch;
};
Sample EveryType();
/// Columns id (int64) and name (string) with ids from `first`.
Sample Numbered(int64_t first, int64_t rows);

}  // namespace dxt::file
