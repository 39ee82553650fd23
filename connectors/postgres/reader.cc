#include "connectors/postgres/reader.h"

#include <algorithm>

#include "base/error.h"
#include "connectors/postgres/decoder.h"
#include "connectors/postgres/type_map.h"

namespace dxt::postgres {
namespace {

class CopyReader : public Reader {
 public:
  CopyReader(ConnectionPool& pool, std::unique_ptr<Connection> connection,
             std::unique_ptr<RowDecoder> decoder, std::optional<HeldBack> held,
             std::shared_ptr<SharedSnapshot> snapshot, const ReadSpec& spec)
      : pool_(pool),
        connection_(std::move(connection)),
        decoder_(std::move(decoder)),
        held_(std::move(held)),
        snapshot_(std::move(snapshot)),
        doing_(ReadingOf(spec)),
        batch_rows_(std::max<int64_t>(1, spec.batch_rows)),
        batch_bytes_(std::max<int64_t>(1, spec.batch_bytes)) {}

  const std::shared_ptr<arrow::Schema>& schema() const override {
    return decoder_->schema();
  }
  int64_t bytes_read() const override { return bytes_read_; }
  std::optional<HeldBack> held_back() const override { return held_; }

  arrow::Result<ReadStep> Next(std::stop_token stop) override {
    ReadStep step;
    while (!end_ && decoder_->rows() < batch_rows_ && decoder_->bytes() < batch_bytes_) {
      ARROW_ASSIGN_OR_RAISE(auto message, connection_->NextCopyData(doing_, stop));
      if (message.empty()) {
        end_ = true;
        ARROW_RETURN_NOT_OK(End(stop));
        break;
      }
      bytes_read_ += static_cast<int64_t>(message.size());
      ARROW_RETURN_NOT_OK(decoder_->Add(message));
    }
    step.end = end_;
    if (decoder_->rows() > 0) {
      ARROW_ASSIGN_OR_RAISE(step.batch, decoder_->Flush());
    }
    return step;
  }

 private:
  arrow::Status End(std::stop_token stop) {
    if (snapshot_) {
      snapshot_->Give(std::move(connection_));
      return arrow::Status::OK();
    }
    ARROW_RETURN_NOT_OK(connection_->Run("COMMIT", doing_, stop).status());
    pool_.Give(std::move(connection_));
    return arrow::Status::OK();
  }

  ConnectionPool& pool_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<RowDecoder> decoder_;
  const std::optional<HeldBack> held_;
  const std::shared_ptr<SharedSnapshot> snapshot_;  ///< Null when it reads alone.
  const std::string doing_;
  const int64_t batch_rows_, batch_bytes_;
  int64_t bytes_read_ = 0;
  bool end_ = false;
};

/// Whether `now` arrives as the decoder of `column` expects it.
bool ArrivesAsPlanned(const ColumnRead& column, const PgType& now) {
  if (column.raw) {
    const PgType planned = ParseType(column.native.type);
    return planned.name == now.name && planned.array == now.array;
  }
  const Arrival planned = ArrivalOf(column);
  const bool text = planned.wire == Wire::kText && now.wire == Wire::kJson;
  return planned.array == now.array && (planned.wire == now.wire || text);
}

/// Bytes of COPY do not say of what type they are: eight of them may be a number or a
/// time. Asked inside the read's transaction, from then on nobody can alter the table.
arrow::Status CheckArrivals(Connection& connection, const ReadSpec& spec,
                            const std::string& select, std::stop_token stop) {
  const std::string doing = ReadingOf(spec);
  ARROW_ASSIGN_OR_RAISE(const auto columns,
                        connection.DescribeStatement(select, doing, stop));
  std::string oids, modifiers;
  for (const auto& column : columns) {
    oids += (oids.empty() ? "{" : ",") + std::to_string(column.type);
    modifiers += (modifiers.empty() ? "{" : ",") + std::to_string(column.modifier);
  }
  ARROW_ASSIGN_OR_RAISE(
      const auto named,
      connection.Query("SELECT pg_catalog.format_type(q.oid, q.typmod) FROM "
                       "ROWS FROM (pg_catalog.unnest($1::oid[]), "
                       "pg_catalog.unnest($2::int4[])) WITH ORDINALITY "
                       "AS q(oid, typmod, n) ORDER BY q.n",
                       {oids + "}", modifiers + "}"}, doing, stop));
  for (size_t i = 0; i < spec.columns.size(); ++i) {
    const ColumnRead& column = spec.columns[i];
    const std::string now = named.Text(static_cast<int>(i), 0);
    if (ArrivesAsPlanned(column, ParseType(now))) continue;
    ErrorInfo info;
    info.error_class = ErrorClass::kTransient;
    info.code = "pg.source_changed";
    info.column = column.name;
    info.hint = "Run it again: it is planned anew";
    return MakeError(std::move(info), "Column '" + column.name + "' of " +
                                          spec.ref.source + " was " + column.native.type +
                                          " when the read was planned, and arrives as " +
                                          now + " now");
  }
  return arrow::Status::OK();
}

}  // namespace

std::string ReadingOf(const ReadSpec& spec) {
  return spec.ref.kind == StreamKind::kQuery ? "Reading the query"
                                             : "Reading " + spec.ref.source;
}

std::string BeginReadSql(const ConnectOptions& options, const std::string& import) {
  return "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" + import + "; " +
         SessionSettings(options) + kLockPatience;
}

arrow::Result<std::unique_ptr<Reader>> OpenCopyReader(
    ConnectionPool& pool, std::unique_ptr<Connection> connection, const ReadSpec& spec,
    const std::string& select, std::optional<HeldBack> held,
    std::shared_ptr<SharedSnapshot> snapshot, std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(auto decoder, RowDecoder::Make(spec.columns));
  ARROW_RETURN_NOT_OK(CheckArrivals(*connection, spec, select, stop));
  ARROW_RETURN_NOT_OK(connection->StartCopyOut(
      "COPY (" + select + "\n) TO STDOUT (FORMAT binary)", ReadingOf(spec), stop));
  return std::make_unique<CopyReader>(pool, std::move(connection), std::move(decoder),
                                      std::move(held), std::move(snapshot), spec);
}

}  // namespace dxt::postgres
