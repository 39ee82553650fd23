#include "connectors/postgres/load_ledger.h"

#include "base/error.h"
#include "connectors/postgres/connection.h"
#include "connectors/postgres/error.h"
#include "connectors/sql/identifier.h"

namespace dxt::postgres {
namespace {

constexpr std::string_view kDoing = "Reading the load ledger";
constexpr std::string_view kWriting = "Writing the load ledger";

std::optional<std::string> OrNull(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

arrow::Status Fenced(const StreamIdentity& identity) {
  return MakeError(ErrorClass::kFenced, "load.fenced",
                   "Another run took over stream '" + identity.stream +
                       "' while this one was loading; nothing was committed",
                   "The other run's result stands");
}

}  // namespace

LoadLedger::LoadLedger(Connection& connection, std::string schema)
    : connection_(connection),
      schema_(std::move(schema)),
      sql_(schema_, "TIMESTAMPTZ", "pg_catalog.clock_timestamp()") {}

arrow::Result<bool> LoadLedger::Exists(std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(
      auto columns,
      connection_.Query("SELECT c.relname, a.attname FROM pg_catalog.pg_class c JOIN "
                        "pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN "
                        "pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > "
                        "0 AND NOT a.attisdropped WHERE n.nspname = $1 AND c.relname IN "
                        "('_dxt_loads', '_dxt_fence')",
                        {schema_}, kDoing, stop));
  std::vector<std::pair<std::string, std::string>> found;
  for (int row = 0; row < columns.rows(); ++row) {
    found.emplace_back(columns.Text(row, 0), columns.Text(row, 1));
  }
  return sql_.IsWhole(found);
}

arrow::Status LoadLedger::Ensure(std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(bool exists, Exists(stop));
  if (exists) return arrow::Status::OK();
  ARROW_RETURN_NOT_OK(Lock(stop));
  ARROW_ASSIGN_OR_RAISE(exists, Exists(stop));
  if (exists) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(auto schema,
                        connection_.Query("SELECT 1 FROM pg_catalog.pg_namespace "
                                          "WHERE nspname = $1",
                                          {schema_}, kDoing, stop));
  return Create(Statements(schema.rows() > 0), stop);
}

std::vector<std::string> LoadLedger::Statements(bool schema_exists) const {
  std::vector<std::string> statements;
  if (!schema_exists) {
    statements.push_back("CREATE SCHEMA IF NOT EXISTS " + sql::QuoteIdentifier(schema_));
  }
  for (auto& statement : sql_.Create()) statements.push_back(std::move(statement));
  return statements;
}

arrow::Result<bool> LoadLedger::CheckRights(std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(const bool exists, Exists(stop));
  if (exists) {
    ARROW_ASSIGN_OR_RAISE(
        auto may,
        connection_.Query(
            "SELECT pg_catalog.bool_and(pg_catalog.has_table_privilege(t, p)) FROM "
            "(VALUES ($1, 'SELECT'), ($1, 'INSERT'), ($1, 'DELETE'), ($2, 'SELECT'), "
            "($2, 'INSERT'), ($2, 'UPDATE')) AS needed(t, p)",
            {sql_.loads_table(), sql_.fence_table()}, kDoing, stop));
    if (!may.Bool(0, 0)) return Denied({}, stop);
    return true;
  }
  ARROW_ASSIGN_OR_RAISE(
      auto may,
      connection_.Query(
          "SELECT n.oid IS NOT NULL, CASE WHEN n.oid IS NULL THEN "
          "pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE') "
          "ELSE pg_catalog.has_schema_privilege(n.oid, 'CREATE') AND "
          "pg_catalog.has_schema_privilege(n.oid, 'USAGE') END "
          "FROM (SELECT 1) AS one LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = $1",
          {schema_}, kDoing, stop));
  if (!may.Bool(0, 1)) return Denied(Statements(may.Bool(0, 0)), stop);
  return false;
}

arrow::Status LoadLedger::Denied(std::vector<std::string> statements,
                                 std::stop_token stop) {
  auto role =
      connection_.Run("SELECT pg_catalog.quote_ident(current_user)", kDoing, stop);
  const std::string name = role.ok() ? role->Text(0, 0) : "the role";
  const bool make = !statements.empty();
  if (make) {
    statements.push_back("GRANT USAGE ON SCHEMA " + sql::QuoteIdentifier(schema_) +
                         " TO " + name);
  }
  statements.push_back("GRANT SELECT, INSERT, UPDATE, DELETE ON " + sql_.loads_table() +
                       ", " + sql_.fence_table() + " TO " + name);
  std::string all;
  for (const auto& one : statements) all += (all.empty() ? "" : "; ") + one;
  return MakeError(ErrorClass::kAuth, "pg.metadata_denied",
                   "The role " + name + " may not " + (make ? "create" : "use") +
                       " the ledger tables in schema '" + schema_ + "'",
                   "Let an administrator run: " + all);
}

arrow::Status LoadLedger::EnsureKeys(std::stop_token stop) {
  const auto exists = [&]() -> arrow::Result<bool> {
    ARROW_ASSIGN_OR_RAISE(
        auto found, connection_.Query("SELECT pg_catalog.to_regclass($1) IS NOT NULL",
                                      {sql_.keys_table()}, kDoing, stop));
    return found.Bool(0, 0);
  };
  ARROW_ASSIGN_OR_RAISE(const bool there, exists());
  if (there) return arrow::Status::OK();
  ARROW_RETURN_NOT_OK(Lock(stop));
  return Create({sql_.CreateKeys(/*indexed=*/true)}, stop);
}

arrow::Status LoadLedger::Lock(std::stop_token stop) {
  return connection_
      .Query(
          "SELECT pg_catalog.pg_advisory_xact_lock("
          "pg_catalog.hashtextextended('_dxt_' || $1, 0))",
          {schema_}, kWriting, stop)
      .status();
}

arrow::Status LoadLedger::Create(const std::vector<std::string>& statements,
                                 std::stop_token stop) {
  for (const auto& statement : statements) {
    const auto status = connection_.Run(statement, kWriting, stop).status();
    if (!HasSqlState(status, "42501")) {
      ARROW_RETURN_NOT_OK(status);
      continue;
    }
    // The transaction is lost, and with it the question who the role is.
    if (connection_.between_statements()) {
      ARROW_RETURN_NOT_OK(connection_.Run("ROLLBACK", kWriting, stop).status());
    }
    return Denied(statements, stop);
  }
  return arrow::Status::OK();
}

arrow::Result<std::optional<LoadRecord>> LoadLedger::Newest(
    const StreamIdentity& identity, std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(
      auto rows, connection_.Query(sql_.SelectNewest(),
                                   {identity.pipeline, identity.stream, identity.lane},
                                   kDoing, stop));
  if (rows.rows() == 0) return std::nullopt;
  LoadRecord record;
  record.window_seq = rows.Int(0, 3);
  record.load_id = rows.Text(0, 4);
  record.run = rows.Text(0, 5);
  record.target = rows.Text(0, 7);
  record.target_ident = rows.Text(0, 8);
  record.fingerprint = rows.Text(0, 9);
  record.mode = rows.Text(0, 10);
  record.cursor_before = rows.Text(0, 11);
  record.cursor_after = rows.Text(0, 12);
  record.read_from = rows.Text(0, 13);
  record.rows = rows.Int(0, 14);
  record.rows_deleted = rows.Int(0, 15);
  record.schema_hash = rows.Text(0, 16);
  record.package_hash = rows.Text(0, 17);
  record.committed_at = rows.Text(0, 18);
  return record;
}

arrow::Result<std::vector<std::string>> LoadLedger::Lanes(const StreamIdentity& identity,
                                                          std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(
      auto rows, connection_.Query(sql_.SelectLanes(),
                                   {identity.pipeline, identity.stream}, kDoing, stop));
  std::vector<std::string> lanes;
  for (int row = 0; row < rows.rows(); ++row) lanes.push_back(rows.Text(row, 0));
  return lanes;
}

arrow::Result<bool> LoadLedger::Has(std::string_view load_id, std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(
      auto rows,
      connection_.Query(sql_.SelectByLoadId(), {std::string(load_id)}, kDoing, stop));
  return rows.rows() > 0;
}

arrow::Result<bool> LoadLedger::OtherPipeline(const StreamIdentity& identity,
                                              const std::string& target,
                                              std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(auto rows,
                        connection_.Query(sql_.SelectOtherPipeline(),
                                          {target, identity.pipeline}, kDoing, stop));
  return rows.rows() > 0;
}

arrow::Result<int64_t> LoadLedger::Bump(const StreamIdentity& identity,
                                        const std::string& owner, std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(auto rows, connection_.Query(sql_.BumpFence(),
                                                     {identity.pipeline, identity.stream,
                                                      identity.lane, owner},
                                                     kWriting, stop));
  return rows.Int(0, 0);
}

arrow::Status LoadLedger::Renew(const StreamIdentity& identity, int64_t epoch,
                                std::stop_token stop) {
  return connection_
      .Query("UPDATE " + sql_.fence_table() +
                 " SET renewed_at = pg_catalog.clock_timestamp() WHERE pipeline = $1 AND "
                 "stream = $2 AND lane = $3 AND epoch = $4",
             {identity.pipeline, identity.stream, identity.lane, std::to_string(epoch)},
             kWriting, stop)
      .status();
}

arrow::Result<std::string> LoadLedger::LivingOwner(const StreamIdentity& identity,
                                                   std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(
      auto rows, connection_.Query(
                     "SELECT owner FROM " + sql_.fence_table() +
                         " WHERE pipeline = $1 AND stream = $2 AND lane = $3 AND "
                         "renewed_at > pg_catalog.clock_timestamp() - interval '15 s'",
                     {identity.pipeline, identity.stream, identity.lane}, kDoing, stop));
  return rows.rows() == 0 ? std::string() : rows.Text(0, 0);
}

arrow::Result<std::vector<LoadLedger::Fence>> LoadLedger::SilentOwners(
    std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(
      auto rows,
      connection_.Run("SELECT pipeline, stream, lane, epoch FROM " + sql_.fence_table() +
                          " WHERE renewed_at <= pg_catalog.clock_timestamp() - "
                          "interval '15 s'",
                      kDoing, stop));
  std::vector<Fence> fences(static_cast<size_t>(rows.rows()));
  for (int row = 0; row < rows.rows(); ++row) {
    Fence& fence = fences[static_cast<size_t>(row)];
    fence.identity.pipeline = rows.Text(row, 0);
    fence.identity.stream = rows.Text(row, 1);
    fence.identity.lane = rows.Text(row, 2);
    fence.epoch = rows.Int(row, 3);
  }
  return fences;
}

arrow::Status LoadLedger::CheckFence(const StreamIdentity& identity, int64_t epoch,
                                     std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(
      auto rows,
      connection_.Query(
          "SELECT 1 FROM " + sql_.fence_table() +
              " WHERE pipeline = $1 AND stream = $2 AND lane = $3 AND epoch = $4",
          {identity.pipeline, identity.stream, identity.lane, std::to_string(epoch)},
          kDoing, stop));
  return rows.rows() == 1 ? arrow::Status::OK() : Fenced(identity);
}

arrow::Status LoadLedger::Record(const StreamIdentity& identity, const LoadRecord& record,
                                 int64_t epoch, const std::string& owner,
                                 std::stop_token stop) {
  const Parameters chain = {identity.pipeline, identity.stream, identity.lane};
  ARROW_RETURN_NOT_OK(connection_.Query(sql_.Prune(), chain, kWriting, stop).status());
  const auto inserted =
      connection_
          .Query(sql_.InsertLoad(),
                 {identity.pipeline, identity.stream, identity.lane,
                  std::to_string(record.window_seq), record.load_id, record.run,
                  std::to_string(epoch), record.target, record.target_ident,
                  record.fingerprint, record.mode, OrNull(record.cursor_before),
                  OrNull(record.cursor_after), OrNull(record.read_from),
                  std::to_string(record.rows), std::to_string(record.rows_deleted),
                  record.schema_hash, OrNull(record.package_hash)},
                 kWriting, stop)
          .status();
  // The window was just committed by a newer owner.
  if (HasSqlState(inserted, "23505")) return Fenced(identity);
  ARROW_RETURN_NOT_OK(inserted);
  ARROW_ASSIGN_OR_RAISE(
      auto touched, connection_.Query(sql_.CheckFence(),
                                      {identity.pipeline, identity.stream, identity.lane,
                                       std::to_string(epoch), owner},
                                      kWriting, stop));
  return touched.affected() == 1 ? arrow::Status::OK() : Fenced(identity);
}

}  // namespace dxt::postgres
