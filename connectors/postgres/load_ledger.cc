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

arrow::Status NoKeys() {
  return MakeError(ErrorClass::kUnsupported, "pg.metadata_off",
                   "A mirror of scope tracked keeps its keys in the target, and the "
                   "connection has `metadata: off`",
                   "Write load.mirror.scope: destination, or leave `metadata` out");
}

LoadLedger::LoadLedger(Connection& connection, const std::string& schema)
    : connection_(connection),
      off_(connection.metadata().off),
      schema_(connection.metadata().schema.empty() ? schema
                                                   : connection.metadata().schema),
      sql_(schema_, "TIMESTAMPTZ", "pg_catalog.clock_timestamp()",
           connection.metadata().prefix),
      keys_table_(sql_.keys_table()) {}

arrow::Result<bool> LoadLedger::KeysExist(std::stop_token stop) {
  // Not by to_regclass, which a role without USAGE of the schema may not ask.
  ARROW_ASSIGN_OR_RAISE(
      auto found,
      connection_.Query("SELECT 1 FROM pg_catalog.pg_class c JOIN "
                        "pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE "
                        "n.nspname = $1 AND c.relname = $2",
                        {schema_, connection_.metadata().prefix + "keys"}, kDoing, stop));
  return found.rows() > 0;
}

arrow::Result<bool> LoadLedger::SchemaExists(std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(auto schema,
                        connection_.Query("SELECT 1 FROM pg_catalog.pg_namespace "
                                          "WHERE nspname = $1",
                                          {schema_}, kDoing, stop));
  return schema.rows() > 0;
}

arrow::Result<bool> LoadLedger::Exists(std::stop_token stop) {
  if (off_) return false;
  const std::string& prefix = connection_.metadata().prefix;
  ARROW_ASSIGN_OR_RAISE(
      auto columns,
      connection_.Query("SELECT c.relname, a.attname FROM pg_catalog.pg_class c JOIN "
                        "pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN "
                        "pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > "
                        "0 AND NOT a.attisdropped WHERE n.nspname = $1 AND c.relname IN "
                        "($2, $3)",
                        {schema_, prefix + "loads", prefix + "fence"}, kDoing, stop));
  std::vector<std::pair<std::string, std::string>> found;
  for (int row = 0; row < columns.rows(); ++row) {
    found.emplace_back(columns.Text(row, 0), columns.Text(row, 1));
  }
  return sql_.IsWhole(found);
}

arrow::Status LoadLedger::Ensure(std::stop_token stop) {
  if (off_) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(bool exists, Exists(stop));
  if (exists) return arrow::Status::OK();
  ARROW_RETURN_NOT_OK(Lock(stop));
  ARROW_ASSIGN_OR_RAISE(exists, Exists(stop));
  if (exists) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(const bool schema, SchemaExists(stop));
  return Create(Statements(schema), stop);
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
  if (off_) return false;
  ARROW_ASSIGN_OR_RAISE(const bool exists, Exists(stop));
  if (exists) {
    ARROW_ASSIGN_OR_RAISE(
        auto may,
        connection_.Query(
            "SELECT CASE WHEN pg_catalog.has_schema_privilege($3, 'USAGE') THEN (SELECT "
            "pg_catalog.bool_and(pg_catalog.has_table_privilege(t, p)) FROM "
            "(VALUES ($1, 'SELECT'), ($1, 'INSERT'), ($1, 'DELETE'), ($2, 'SELECT'), "
            "($2, 'INSERT'), ($2, 'UPDATE')) AS needed(t, p)) ELSE false END",
            {sql_.loads_table(), sql_.fence_table(), schema_}, kDoing, stop));
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
  statements.push_back("GRANT USAGE ON SCHEMA " + sql::QuoteIdentifier(schema_) + " TO " +
                       name);
  statements.push_back("GRANT SELECT, INSERT, UPDATE, DELETE ON " + sql_.loads_table() +
                       ", " + sql_.fence_table() + " TO " + name);
  std::string all;
  for (const auto& one : statements) all += (all.empty() ? "" : "; ") + one;
  return MakeError(
      ErrorClass::kConfig, "pg.metadata_denied",
      "The role " + name + " may not " + (make ? "create" : "use") +
          " the ledger tables in schema '" + schema_ + "'",
      "dxtctl admin ddl prints what the pipeline's targets need, and `metadata: off` in "
      "the connection keeps no ledger (an append is then loaded at least once). Let an "
      "administrator run: " +
          all);
}

arrow::Result<std::vector<std::string>> LoadLedger::AdministratorSql(
    const std::string& role, bool tracked, std::stop_token stop) {
  std::vector<std::string> statements;
  if (off_) return statements;
  ARROW_ASSIGN_OR_RAISE(const bool tables, Exists(stop));
  ARROW_ASSIGN_OR_RAISE(const bool schema, SchemaExists(stop));
  if (!tables) statements = Statements(schema);
  if (tracked) {
    ARROW_ASSIGN_OR_RAISE(const bool keys, KeysExist(stop));
    if (!keys) statements.push_back(sql_.CreateKeys(/*indexed=*/true));
  }
  statements.push_back("GRANT USAGE ON SCHEMA " + sql::QuoteIdentifier(schema_) + " TO " +
                       role);
  statements.push_back("GRANT SELECT, INSERT, UPDATE, DELETE ON " + sql_.loads_table() +
                       ", " + sql_.fence_table() + (tracked ? ", " + keys_table_ : "") +
                       " TO " + role);
  return statements;
}

arrow::Status LoadLedger::EnsureKeys(std::stop_token stop) {
  if (off_) return NoKeys();
  ARROW_ASSIGN_OR_RAISE(const bool there, KeysExist(stop));
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
  if (off_) return std::nullopt;
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
  if (off_) return false;
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
  if (off_) {
    // Larger than any before, so that what a dead owner left is known as older.
    ARROW_ASSIGN_OR_RAISE(
        auto now, connection_.Run("SELECT (pg_catalog.date_part('epoch', "
                                  "pg_catalog.clock_timestamp()) * 1000000)::int8",
                                  kDoing, stop));
    return now.Int(0, 0);
  }
  ARROW_ASSIGN_OR_RAISE(auto rows, connection_.Query(sql_.BumpFence(),
                                                     {identity.pipeline, identity.stream,
                                                      identity.lane, owner},
                                                     kWriting, stop));
  return rows.Int(0, 0);
}

arrow::Status LoadLedger::Renew(const StreamIdentity& identity, int64_t epoch,
                                std::stop_token stop) {
  if (off_) return arrow::Status::OK();
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
  if (off_) return std::vector<Fence>();
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
  if (off_) return arrow::Status::OK();
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
  if (off_) return arrow::Status::OK();
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
