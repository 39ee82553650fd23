#pragma once
// One connection of a DuckDB database, driven through ADBC.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

struct AdbcConnection;

namespace dxt::duckdb {

/// A bound value of a statement; monostate is NULL.
using Parameter = std::variant<std::monostate, int64_t, std::string>;
/// Cells as text; nullopt is NULL.
using TextRow = std::vector<std::optional<std::string>>;

/// Rows of one running statement, made as they are pulled: memory stays bounded. Another
/// statement on the same session makes DuckDB hold the rest in memory, so do not start
/// one.
class ResultStream {
 public:
  /// `statement` lives as long as the rows.
  ResultStream(std::shared_ptr<void> statement,
               std::shared_ptr<arrow::RecordBatchReader> reader,
               std::function<void()> cancel, std::string action);
  std::shared_ptr<arrow::Schema> schema() const;
  /// Null at the end. A stop interrupts the pull.
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Next(std::stop_token stop);

 private:
  std::shared_ptr<void> statement_;
  std::shared_ptr<arrow::RecordBatchReader> reader_;  // Released before its statement.
  std::function<void()> cancel_;
  std::string action_;
};

/// Used by one thread at a time; a stop token interrupts from any thread. Destroying a
/// session rolls its open transaction back. `action` begins the message of an error.
class Session {
 public:
  /// Takes an initialised connection; `released` is called after it was closed. `places`
  /// are paths on the disks that it writes: looked at where DuckDB does not say what
  /// failed.
  Session(std::unique_ptr<AdbcConnection> connection, std::function<void()> released,
          std::vector<std::string> places = {});
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Runs a statement for its effect; returns the number of rows it changed, 0 where
  /// DuckDB does not say.
  arrow::Result<int64_t> Execute(const std::string& sql, std::string_view action,
                                 std::stop_token stop = {},
                                 const std::vector<Parameter>& parameters = {});
  /// Runs a statement whose result is small and made of text, integers and booleans.
  arrow::Result<std::vector<TextRow>> Rows(const std::string& sql,
                                           std::string_view action,
                                           std::stop_token stop = {},
                                           const std::vector<Parameter>& parameters = {});
  /// Starts a statement whose result may be large. The session must outlive the stream.
  arrow::Result<std::unique_ptr<ResultStream>> Stream(
      const std::string& sql, std::string_view action, std::stop_token stop,
      const std::vector<Parameter>& parameters = {});
  /// Appends batches to a table by position. DuckDB's appender converts nothing it is not
  /// forced to and keeps some failures to itself, so the table must have exactly these
  /// columns and no constraints but NOT NULL; a failure that it kept is found here.
  arrow::Status Ingest(const std::string& schema, const std::string& table,
                       bool temporary,
                       std::vector<std::shared_ptr<arrow::RecordBatch>> batches,
                       std::string_view action, std::stop_token stop);

 private:
  struct Statement;
  void Cancel() noexcept;
  arrow::Result<std::unique_ptr<Statement>> Prepare(
      const std::string& sql, std::string_view action,
      const std::vector<Parameter>& parameters);
  arrow::Result<std::shared_ptr<arrow::RecordBatchReader>> Run(Statement& statement,
                                                               std::string_view action,
                                                               std::stop_token stop);

  std::unique_ptr<AdbcConnection> connection_;
  const std::vector<std::string> places_;
  std::function<void()> released_;
};

}  // namespace dxt::duckdb
