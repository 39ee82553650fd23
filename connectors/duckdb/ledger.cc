#include "connectors/duckdb/ledger.h"

#include "base/clock.h"
#include "base/error.h"
#include "connectors/duckdb/errors.h"
#include "connectors/sql/ledger.h"

namespace dxt::duckdb {
namespace {

constexpr char kReading[] = "Reading the load ledger";
constexpr char kFencing[] = "Taking over the stream";
constexpr char kWriting[] = "Writing the load ledger";

std::string Instant(Clock& clock) {
  return "CAST('" + FormatTime(clock.Now()) + "' AS TIMESTAMPTZ)";
}

sql::LedgerSql Texts(const std::string& schema, Clock& clock) {
  return sql::LedgerSql(schema, "TIMESTAMPTZ", Instant(clock));
}

Parameter OrNull(const std::string& text) {
  if (text.empty()) return std::monostate{};
  return text;
}

int64_t Number(const std::optional<std::string>& cell) {
  return cell ? std::stoll(*cell) : 0;
}

arrow::Status Fenced(const StreamIdentity& identity) {
  return MakeError(ErrorClass::kFenced, "load.fenced",
                   "Another run has taken over the stream '" + identity.stream + "'");
}

}  // namespace

Ledger::Ledger(Session& session, std::string schema, Clock& clock)
    : session_(session), schema_(std::move(schema)), clock_(clock) {}

arrow::Result<bool> Ledger::Exists(std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(
      auto rows, session_.Rows("SELECT table_name, column_name FROM duckdb_columns() "
                               "WHERE schema_name = $1 AND "
                               "table_name IN ('_dxt_loads', '_dxt_fence') "
                               "AND database_name = current_database()",
                               kReading, stop, {schema_}));
  std::vector<std::pair<std::string, std::string>> found;
  for (const auto& row : rows) {
    found.emplace_back(row.at(0).value_or(""), row.at(1).value_or(""));
  }
  return Texts(schema_, clock_).IsWhole(found);
}

arrow::Status Ledger::Create(std::stop_token stop) {
  for (const auto& statement : Texts(schema_, clock_).Create()) {
    ARROW_RETURN_NOT_OK(session_.Execute(statement, kWriting, stop).status());
  }
  return arrow::Status::OK();
}

arrow::Result<std::vector<std::string>> Ledger::Lanes(const StreamIdentity& identity,
                                                      std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(
      auto rows, session_.Rows(Texts(schema_, clock_).SelectLanes(), kReading, stop,
                               {identity.pipeline, identity.stream}));
  std::vector<std::string> lanes;
  for (const auto& row : rows) lanes.push_back(row.at(0).value_or(""));
  return lanes;
}

arrow::Result<std::optional<LoadRecord>> Ledger::Newest(const StreamIdentity& identity,
                                                        std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(
      auto rows, session_.Rows(Texts(schema_, clock_).SelectNewest(), kReading, stop,
                               {identity.pipeline, identity.stream, identity.lane}));
  if (rows.empty()) return std::nullopt;
  const TextRow& row = rows[0];
  const auto text = [&](size_t i) { return row.at(i).value_or(""); };
  LoadRecord record;
  record.window_seq = Number(row.at(3));
  record.load_id = text(4);
  record.run = text(5);
  record.target = text(7);
  record.target_ident = text(8);
  record.fingerprint = text(9);
  record.mode = text(10);
  record.cursor_before = text(11);
  record.cursor_after = text(12);
  record.read_from = text(13);
  record.rows = Number(row.at(14));
  record.rows_deleted = Number(row.at(15));
  record.schema_hash = text(16);
  record.package_hash = text(17);
  record.committed_at = text(18);
  return record;
}

arrow::Result<bool> Ledger::HasLoad(std::string_view load_id, std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(auto rows, session_.Rows(Texts(schema_, clock_).SelectByLoadId(),
                                                 kReading, stop, {std::string(load_id)}));
  return !rows.empty();
}

arrow::Result<bool> Ledger::OtherPipeline(const StreamIdentity& identity,
                                          const std::string& target,
                                          std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(
      auto rows, session_.Rows(Texts(schema_, clock_).SelectOtherPipeline(), kReading,
                               stop, {target, identity.pipeline}));
  return !rows.empty();
}

arrow::Result<int64_t> Ledger::Bump(const StreamIdentity& identity,
                                    const std::string& owner, std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(auto old, TakeRow(identity, std::nullopt, stop));
  const int64_t epoch = old ? old->epoch + 1 : 1;
  ARROW_RETURN_NOT_OK(PutRow(identity, epoch, owner, stop));
  return epoch;
}

arrow::Status Ledger::CheckFence(const StreamIdentity& identity, int64_t epoch,
                                 std::stop_token stop) {
  auto row = TakeRow(identity, epoch, stop);
  if (IsConflict(row.status())) return Fenced(identity);
  ARROW_RETURN_NOT_OK(row.status());
  if (!*row) return Fenced(identity);
  const auto put = PutRow(identity, epoch, (*row)->owner, stop);
  return IsConflict(put) ? Fenced(identity) : put;
}

// DuckDB lets an UPDATE overwrite a row that another transaction updated meanwhile when
// the table has an index: the update is a delete and an insert, and only deletes are
// tested against each other. So the fence row is never updated: it is deleted and
// inserted.
arrow::Result<std::optional<Ledger::FenceRow>> Ledger::TakeRow(
    const StreamIdentity& identity, std::optional<int64_t> epoch, std::stop_token stop) {
  std::vector<Parameter> parameters = {identity.pipeline, identity.stream, identity.lane};
  if (epoch) parameters.emplace_back(*epoch);
  ARROW_ASSIGN_OR_RAISE(
      auto rows,
      session_.Rows("DELETE FROM " + Texts(schema_, clock_).fence_table() +
                        " WHERE pipeline = $1 AND stream = $2 AND lane = $3" +
                        (epoch ? " AND epoch = $4" : "") + " RETURNING epoch, owner",
                    kFencing, stop, parameters));
  if (rows.empty()) return std::nullopt;
  return FenceRow{Number(rows[0].at(0)), rows[0].at(1).value_or("")};
}

arrow::Status Ledger::PutRow(const StreamIdentity& identity, int64_t epoch,
                             const std::string& owner, std::stop_token stop) {
  const auto status =
      session_
          .Execute("INSERT INTO " + Texts(schema_, clock_).fence_table() +
                       " (pipeline, stream, lane, epoch, owner, renewed_at) VALUES "
                       "($1, $2, $3, $4, $5, " +
                       Instant(clock_) + ")",
                   kFencing, stop,
                   {identity.pipeline, identity.stream, identity.lane, epoch, owner})
          .status();
  // Another transaction inserted the row first.
  if (status.ok() || GetErrorInfo(status).code != "duckdb.duplicate_key") return status;
  return MakeError(ErrorClass::kTransient, "duckdb.conflict", status.message());
}

arrow::Status Ledger::Insert(const StreamIdentity& identity, int64_t epoch,
                             const LoadRecord& record, std::stop_token stop) {
  const auto texts = Texts(schema_, clock_);
  ARROW_RETURN_NOT_OK(
      session_
          .Execute(texts.InsertLoad(), kWriting, stop,
                   {identity.pipeline, identity.stream, identity.lane, record.window_seq,
                    record.load_id, record.run, epoch, record.target, record.target_ident,
                    record.fingerprint, record.mode, OrNull(record.cursor_before),
                    OrNull(record.cursor_after), OrNull(record.read_from), record.rows,
                    record.rows_deleted, record.schema_hash, OrNull(record.package_hash)})
          .status());
  return session_
      .Execute(texts.Prune(), kWriting, stop,
               {identity.pipeline, identity.stream, identity.lane})
      .status();
}

}  // namespace dxt::duckdb
