#include "connectors/duckdb/session.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <arrow-adbc/adbc.h>
#include <arrow/api.h>
#include <arrow/c/bridge.h>

#include "base/error.h"
#include "base/full_disk.h"
#include "connectors/duckdb/driver.h"
#include "connectors/duckdb/errors.h"

namespace dxt::duckdb {
namespace {

arrow::Status Cancelled(std::string_view action) {
  return MakeError(ErrorClass::kCancelled, "cancelled",
                   std::string(action) + " was cancelled");
}

/// The first of `places` whose disk is full; "" = none.
std::string FullDisk(const std::vector<std::string>& places) {
  const auto full = std::find_if(places.begin(), places.end(), IsDiskFull);
  return full == places.end() ? std::string() : *full;
}

/// One row of parameters; integers as int64, the rest as text.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> OneRow(
    const std::vector<Parameter>& parameters) {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
  for (const auto& parameter : parameters) {
    std::shared_ptr<arrow::Scalar> scalar;
    if (const auto* number = std::get_if<int64_t>(&parameter)) {
      scalar = arrow::MakeScalar(*number);
    } else if (const auto* text = std::get_if<std::string>(&parameter)) {
      scalar = arrow::MakeScalar(*text);
    } else {
      scalar = arrow::MakeNullScalar(arrow::utf8());
    }
    ARROW_ASSIGN_OR_RAISE(auto array, arrow::MakeArrayFromScalar(*scalar, 1));
    fields.push_back(arrow::field(std::to_string(fields.size()), scalar->type));
    arrays.push_back(std::move(array));
  }
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), 1, std::move(arrays));
}

std::optional<std::string> Cell(const arrow::Array& array, int64_t row) {
  if (array.IsNull(row)) return std::nullopt;
  switch (array.type_id()) {
    case arrow::Type::STRING:
      return static_cast<const arrow::StringArray&>(array).GetString(row);
    case arrow::Type::INT64:
      return std::to_string(static_cast<const arrow::Int64Array&>(array).Value(row));
    case arrow::Type::INT32:
      return std::to_string(static_cast<const arrow::Int32Array&>(array).Value(row));
    case arrow::Type::BOOL:
      return static_cast<const arrow::BooleanArray&>(array).Value(row) ? "true" : "false";
    default: {
      const auto scalar = array.GetScalar(row);
      return scalar.ok() ? (*scalar)->ToString() : std::string();
    }
  }
}

/// Interrupts the connection's running call when a stop comes. An interrupt that arrives
/// just before DuckDB starts to work is forgotten by it, so it is sent until the scope
/// ends.
class Interrupter {
 public:
  Interrupter(std::function<void()> cancel, std::stop_token stop)
      : cancel_(std::move(cancel)), callback_(std::move(stop), Start{this}) {}

 private:
  struct Start {
    Interrupter* self;
    void operator()() const {
      self->thread_ = std::jthread([self = self](std::stop_token ended) {
        std::mutex mutex;
        std::condition_variable_any never;
        std::unique_lock lock(mutex);
        while (!ended.stop_requested()) {
          self->cancel_();
          never.wait_for(lock, ended, std::chrono::milliseconds(20),
                         [] { return false; });
        }
      });
    }
  };

  std::function<void()> cancel_;
  std::jthread thread_;  // Joined after the callback cannot start it any more.
  std::stop_callback<Start> callback_;
};

}  // namespace

ResultStream::ResultStream(std::shared_ptr<void> statement,
                           std::shared_ptr<arrow::RecordBatchReader> reader,
                           std::function<void()> cancel, std::string action)
    : statement_(std::move(statement)),
      reader_(std::move(reader)),
      cancel_(std::move(cancel)),
      action_(std::move(action)) {}

std::shared_ptr<arrow::Schema> ResultStream::schema() const { return reader_->schema(); }

arrow::Result<std::shared_ptr<arrow::RecordBatch>> ResultStream::Next(
    std::stop_token stop) {
  if (stop.stop_requested()) return Cancelled(action_);
  std::shared_ptr<arrow::RecordBatch> batch;
  const Interrupter interrupter(cancel_, stop);
  const auto status = reader_->ReadNext(&batch);
  if (!status.ok()) return ErrorFromText(status.message(), action_);
  return batch;
}

struct Session::Statement {
  AdbcStatement raw{};
  ~Statement() {
    DriverError error;
    if (raw.private_data) Driver()->StatementRelease(&raw, error.get());
  }
};

Session::Session(std::unique_ptr<AdbcConnection> connection,
                 std::function<void()> released, std::vector<std::string> places)
    : connection_(std::move(connection)),
      places_(std::move(places)),
      released_(std::move(released)) {}

Session::~Session() {
  DriverError error;
  Driver()->ConnectionRelease(connection_.get(), error.get());
  if (released_) released_();
}

void Session::Cancel() noexcept {
  DriverError ignored;
  Driver()->ConnectionCancel(connection_.get(), ignored.get());
}

arrow::Result<std::unique_ptr<Session::Statement>> Session::Prepare(
    const std::string& sql, std::string_view action,
    const std::vector<Parameter>& parameters) {
  const AdbcDriver& driver = *Driver();
  auto statement = std::make_unique<Statement>();
  DriverError error;
  if (driver.StatementNew(connection_.get(), &statement->raw, error.get()) !=
          ADBC_STATUS_OK ||
      driver.StatementSetSqlQuery(&statement->raw, sql.c_str(), error.get()) !=
          ADBC_STATUS_OK) {
    return ErrorFromText(error.Text(), action);
  }
  if (parameters.empty()) return statement;
  ARROW_ASSIGN_OR_RAISE(auto row, OneRow(parameters));
  struct ArrowArray array{};
  struct ArrowSchema schema{};
  ARROW_RETURN_NOT_OK(arrow::ExportRecordBatch(*row, &array, &schema));
  if (driver.StatementPrepare(&statement->raw, error.get()) != ADBC_STATUS_OK ||
      driver.StatementBind(&statement->raw, &array, &schema, error.get()) !=
          ADBC_STATUS_OK) {
    if (array.release) array.release(&array);
    if (schema.release) schema.release(&schema);
    return ErrorFromText(error.Text(), action);
  }
  return statement;
}

arrow::Result<std::shared_ptr<arrow::RecordBatchReader>> Session::Run(
    Statement& statement, std::string_view action, std::stop_token stop) {
  if (stop.stop_requested()) return Cancelled(action);
  struct ArrowArrayStream stream{};
  DriverError error;
  const Interrupter interrupter([this] { Cancel(); }, stop);
  int64_t changed = -1;
  if (Driver()->StatementExecuteQuery(&statement.raw, &stream, &changed, error.get()) !=
      ADBC_STATUS_OK) {
    return ErrorFromText(error.Text(), action);
  }
  return arrow::ImportRecordBatchReader(&stream);
}

arrow::Result<int64_t> Session::Execute(const std::string& sql, std::string_view action,
                                        std::stop_token stop,
                                        const std::vector<Parameter>& parameters) {
  ARROW_ASSIGN_OR_RAISE(auto rows, Rows(sql, action, stop, parameters));
  // DuckDB answers a statement that changes rows with one row, their number.
  if (rows.size() != 1 || rows[0].size() != 1 || !rows[0][0]) return 0;
  const std::string& text = *rows[0][0];
  const bool digits = !text.empty() && text.size() < 19 &&
                      text.find_first_not_of("0123456789") == std::string::npos;
  return digits ? std::stoll(text) : 0;
}

arrow::Result<std::vector<TextRow>> Session::Rows(
    const std::string& sql, std::string_view action, std::stop_token stop,
    const std::vector<Parameter>& parameters) {
  ARROW_ASSIGN_OR_RAISE(auto stream, Stream(sql, action, stop, parameters));
  std::vector<TextRow> rows;
  while (true) {
    ARROW_ASSIGN_OR_RAISE(auto batch, stream->Next(stop));
    if (!batch) return rows;
    for (int64_t row = 0; row < batch->num_rows(); ++row) {
      TextRow cells;
      for (const auto& column : batch->columns()) cells.push_back(Cell(*column, row));
      rows.push_back(std::move(cells));
    }
  }
}

arrow::Result<std::unique_ptr<ResultStream>> Session::Stream(
    const std::string& sql, std::string_view action, std::stop_token stop,
    const std::vector<Parameter>& parameters) {
  ARROW_ASSIGN_OR_RAISE(auto statement, Prepare(sql, action, parameters));
  ARROW_ASSIGN_OR_RAISE(auto reader, Run(*statement, action, stop));
  return std::make_unique<ResultStream>(
      std::move(statement), std::move(reader), [this] { Cancel(); }, std::string(action));
}

arrow::Status Session::Ingest(const std::string& schema, const std::string& table,
                              bool temporary,
                              std::vector<std::shared_ptr<arrow::RecordBatch>> batches,
                              std::string_view action, std::stop_token stop) {
  if (batches.empty()) return arrow::Status::OK();
  if (stop.stop_requested()) return Cancelled(action);
  const AdbcDriver& driver = *Driver();
  Statement statement;
  DriverError error;
  const auto set = [&](const char* option, const std::string& value) {
    return driver.StatementSetOption(&statement.raw, option, value.c_str(),
                                     error.get()) == ADBC_STATUS_OK;
  };
  ARROW_ASSIGN_OR_RAISE(auto reader, arrow::RecordBatchReader::Make(batches));
  struct ArrowArrayStream stream{};
  ARROW_RETURN_NOT_OK(arrow::ExportRecordBatchReader(std::move(reader), &stream));
  const bool ready =
      driver.StatementNew(connection_.get(), &statement.raw, error.get()) ==
          ADBC_STATUS_OK &&
      set(ADBC_INGEST_OPTION_TARGET_TABLE, table) &&
      set(ADBC_INGEST_OPTION_MODE, ADBC_INGEST_OPTION_MODE_APPEND) &&
      (temporary ? set(ADBC_INGEST_OPTION_TEMPORARY, ADBC_OPTION_VALUE_ENABLED)
                 : set(ADBC_INGEST_OPTION_TARGET_DB_SCHEMA, schema)) &&
      driver.StatementBindStream(&statement.raw, &stream, error.get()) == ADBC_STATUS_OK;
  if (!ready) {
    if (stream.release) stream.release(&stream);
    return ErrorFromText(error.Text(), action);
  }
  {
    const Interrupter interrupter([this] { Cancel(); }, stop);
    int64_t rows = -1;
    if (driver.StatementExecuteQuery(&statement.raw, nullptr, &rows, error.get()) !=
        ADBC_STATUS_OK) {
      return ErrorFromText(error.Text(), action);
    }
  }
  // The appender's last flush can fail without a word, leaving the transaction aborted.
  const auto alive = Execute("SELECT 1", action);
  if (alive.ok()) return arrow::Status::OK();
  if (alive.status().message().find("ransaction is aborted") == std::string::npos) {
    return alive.status();
  }
  if (const std::string full = FullDisk(places_); !full.empty()) {
    return ErrorFromText("No space left on device: '" + full + "'", action);
  }
  return MakeError(
      ErrorClass::kTransient, "duckdb.append_failed",
      std::string(action) +
          " failed: DuckDB could not append a batch and does not say why; most "
          "often its memory or the disk is used up",
      "Free space on the disk, or raise runtime.memory_limit");
}

}  // namespace dxt::duckdb
