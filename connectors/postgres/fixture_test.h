#pragma once
// What the connector's tests share: a database of the shared server, and the engine's
// part (plan, deliver, commit) played in its shortest form.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/error.h"
#include "connectors/postgres/connection.h"
#include "connectors/postgres/postgres.h"
#include "connectors/sdk/connector.h"
#include "connectors/sdk/source.h"
#include "tests/support/postgres_server.h"

namespace dxt::postgres {

#define ASSERT_OK(expression)                                            \
  do {                                                                   \
    const arrow::Status _status = ::dxt::postgres::StatusOf(expression); \
    ASSERT_TRUE(_status.ok()) << _status.ToString();                     \
  } while (false)

inline arrow::Status StatusOf(const arrow::Status& status) { return status; }
template <typename T>
arrow::Status StatusOf(const arrow::Result<T>& result) {
  return result.status();
}

/// The code on a status, "" for OK.
inline std::string CodeOf(const arrow::Status& status) {
  return status.ok() ? "" : GetErrorInfo(status).code;
}

/// A load as the engine would drive it, for tests that stop in the middle.
struct TestLoad {
  WriteSpec spec;
  LoadRecord record;
};

class PostgresTest : public ::testing::Test {
 protected:
  void SetUp() override {
    database_ = testing::PostgresServer::Shared().CreateDatabase();
    connector_ = MakePostgresConnector();
    context_.clock = &SystemClock();
  }

  void TearDown() override {
    source_.reset();
    target_.reset();
    server().DropDatabase(database_);
  }

  static testing::PostgresServer& server() { return testing::PostgresServer::Shared(); }
  std::string Sql(const std::string& sql) { return server().Execute(database_, sql); }

  ConfigView Config(const std::string& url) {
    auto values = connector_->ParseUrl(url);
    EXPECT_TRUE(values.ok()) << values.status().ToString();
    return ConfigView(&connector_->spec(), values.ValueOr(ConfigValue{}));
  }
  std::unique_ptr<Source> OpenSource() {
    auto source = connector_->OpenSource(Config(server().Url(database_)), context_, {});
    EXPECT_TRUE(source.ok()) << source.status().ToString();
    return std::move(*source);
  }
  std::unique_ptr<Destination> OpenDestination() {
    auto target =
        connector_->OpenDestination(Config(server().Url(database_)), context_, {});
    EXPECT_TRUE(target.ok()) << target.status().ToString();
    return std::move(*target);
  }

  /// A bare session, for what only libpq can say.
  std::unique_ptr<Connection> Connect() {
    ConnectOptions options;
    options.host = server().socket_dir();
    options.port = std::to_string(server().port());
    options.user = server().user();
    options.database = database_;
    auto connection = Connection::Open(options, {});
    EXPECT_TRUE(connection.ok()) << connection.status().ToString();
    return std::move(*connection);
  }

  static ReadSpec SpecOf(const StreamRef& ref, const StreamInfo& info) {
    ReadSpec spec;
    spec.ref = ref;
    for (const auto& field : info.columns.fields) {
      ColumnRead column;
      column.name = column.column = field.name;
      column.type = field.type;
      column.native = field.native;
      spec.columns.push_back(std::move(column));
    }
    return spec;
  }

  static arrow::Result<std::shared_ptr<arrow::Table>> ReadAll(Source& source,
                                                              const ReadSpec& spec,
                                                              std::stop_token stop = {}) {
    ARROW_ASSIGN_OR_RAISE(auto plan, source.PlanRead(spec, 1, stop));
    ARROW_ASSIGN_OR_RAISE(
        auto reader, source.OpenReader(spec, plan.splits.front(), std::nullopt, stop));
    std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
    while (true) {
      ARROW_ASSIGN_OR_RAISE(auto step, reader->Next(stop));
      if (step.batch) {
        ARROW_RETURN_NOT_OK(step.batch->Validate());
        batches.push_back(step.batch);
      }
      if (step.end) return arrow::Table::FromRecordBatches(reader->schema(), batches);
    }
  }

  arrow::Result<std::shared_ptr<arrow::Table>> Read(
      const std::string& reference, StreamKind kind = StreamKind::kTable) {
    if (!source_) source_ = OpenSource();
    StreamRef ref;
    ref.kind = kind;
    ref.source = reference;
    ARROW_ASSIGN_OR_RAISE(auto info, source_->Describe(ref, {}));
    return ReadAll(*source_, SpecOf(ref, info));
  }

  /// The wanted table for a described stream, all columns under their own names.
  static TableSpec Wanted(const std::string& target, const StreamSchema& schema,
                          LoadMode mode, std::vector<std::string> keys = {}) {
    TableSpec table;
    table.reference = target;
    table.mode = mode;
    table.keys = std::move(keys);
    for (const auto& field : schema.fields) {
      table.columns.push_back({field.name, field, "", field.nullable});
    }
    return table;
  }

  static StreamIdentity Identity(const std::string& target,
                                 const std::string& stream = "s") {
    StreamIdentity identity;
    identity.pipeline = "p/l";
    identity.stream = stream;
    identity.target = target;
    identity.fingerprint = "f";
    return identity;
  }

  std::string NextLoadId() {
    char text[27];
    std::snprintf(text, sizeof text, "01J%023d", ++loads_);
    return text;
  }

  /// Describe, plan, acquire: everything up to OpenWriter.
  arrow::Result<TestLoad> Prepare(Destination& target, const TableSpec& table) {
    TestLoad load;
    ARROW_ASSIGN_OR_RAISE(load.spec.target, target.Describe(table.reference, {}));
    ARROW_ASSIGN_OR_RAISE(load.spec.plan, target.PlanTable(table, load.spec.target));
    load.spec.table = table;
    load.spec.identity = Identity(table.reference);
    arrow::FieldVector fields;
    for (const auto& column : load.spec.plan.columns) {
      Field field;
      field.name = column.name;
      field.type = column.domain.deliver;
      fields.push_back(ArrowField(field));
    }
    load.spec.schema = arrow::schema(fields);
    load.spec.raw.assign(fields.size(), false);
    const StreamIdentity identities[] = {load.spec.identity};
    ARROW_ASSIGN_OR_RAISE(auto owned, target.Acquire(identities, {"run", "host/1"}, {}));
    load.spec.epoch = owned[0].epoch;
    load.spec.window_seq = owned[0].last ? owned[0].last->window_seq + 1 : 1;
    load.spec.load_id = NextLoadId();
    load.record.window_seq = load.spec.window_seq;
    load.record.load_id = load.spec.load_id;
    load.record.run = "run";
    load.record.cursor_before = owned[0].last ? owned[0].last->cursor_after : "";
    load.record.cursor_after = load.record.cursor_before;
    load.record.mode = LoadModeName(table.mode);
    load.record.schema_hash = "h";
    return load;
  }

  static arrow::Result<WriteReceipt> Write(Destination& target, const WriteSpec& spec,
                                           const arrow::Table& rows) {
    ARROW_ASSIGN_OR_RAISE(auto writer, target.OpenWriter(spec, {}));
    arrow::TableBatchReader reader(rows);
    std::shared_ptr<arrow::RecordBatch> batch;
    while (true) {
      ARROW_RETURN_NOT_OK(reader.ReadNext(&batch));
      if (!batch) return writer->Finish({});
      ARROW_RETURN_NOT_OK(writer->Append(*batch, {}));
    }
  }

  arrow::Result<CommitResult> LoadTable(const TableSpec& table, const arrow::Table& rows,
                                        CommitGuards guards = {}) {
    if (!target_) target_ = OpenDestination();
    ARROW_ASSIGN_OR_RAISE(auto load, Prepare(*target_, table));
    ARROW_ASSIGN_OR_RAISE(auto receipt, Write(*target_, load.spec, rows));
    load.record.rows = receipt.rows;
    const WriteReceipt receipts[] = {receipt};
    return target_->Commit(load.spec, load.record, receipts, guards, {});
  }

  /// Reads `from` and loads it into `to` with the types that Describe saw.
  arrow::Result<CommitResult> Copy(const std::string& from, const std::string& to,
                                   LoadMode mode = LoadMode::kAppend,
                                   std::vector<std::string> keys = {},
                                   StreamKind kind = StreamKind::kTable) {
    if (!source_) source_ = OpenSource();
    StreamRef ref;
    ref.kind = kind;
    ref.source = from;
    ARROW_ASSIGN_OR_RAISE(auto info, source_->Describe(ref, {}));
    ARROW_ASSIGN_OR_RAISE(auto rows, ReadAll(*source_, SpecOf(ref, info)));
    return LoadTable(Wanted(to, info.columns, mode, std::move(keys)), *rows);
  }

  std::string database_;
  std::unique_ptr<Connector> connector_;
  ConnectorContext context_;
  std::unique_ptr<Source> source_;       ///< Of Read and Copy.
  std::unique_ptr<Destination> target_;  ///< Of LoadTable and Copy.
  int loads_ = 0;
};

}  // namespace dxt::postgres
