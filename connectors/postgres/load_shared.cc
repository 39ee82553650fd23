// Loads that several writers fill, each in a transaction of its own: a table that stands
// apart until the load's own transaction makes it the target.
#include "connectors/postgres/load.h"
#include "connectors/postgres/owner.h"
#include "connectors/postgres/swap.h"
#include "connectors/sql/identifier.h"

namespace dxt::postgres {
namespace {

constexpr std::string_view kSweeping = "Removing what a broken-off load left";

}  // namespace

bool Load::CanBeShared(ConnectionPool& pool, const WriteSpec& spec,
                       const std::set<std::string>& text_types) {
  Load load(pool, spec);
  load.shared_ = true;
  return load.Prepare(text_types).ok() && load.stage_.empty() && !load.fresh_.empty();
}

arrow::Result<std::shared_ptr<Load>> Load::BeginShared(
    ConnectionPool& pool, const WriteSpec& spec, const std::set<std::string>& text_types,
    std::stop_token stop) {
  std::shared_ptr<Load> load(new Load(pool, spec));
  load->shared_ = true;
  ARROW_RETURN_NOT_OK(load->Prepare(text_types));
  ARROW_ASSIGN_OR_RAISE(load->connection_, pool.Take(stop));
  ARROW_RETURN_NOT_OK(load->BeginTransaction(*load->connection_, stop));
  load->heartbeat_ = Heartbeat::Start(pool, load->schema_, spec.identity, spec.epoch);
  ARROW_RETURN_NOT_OK(load->MakeTables(stop));
  // Whose it is, for DropStages.
  ARROW_RETURN_NOT_OK(load->Run("COMMENT ON TABLE " + load->fresh_ + " IS '" +
                                    SessionName(spec.identity, spec.epoch) + "'",
                                stop));
  load->stage_stands_ = true;
  ARROW_RETURN_NOT_OK(load->connection_->Commit(load->doing_, stop));
  // Open from now on, so that a newcomer sees that the owner is at work.
  ARROW_RETURN_NOT_OK(load->BeginTransaction(*load->connection_, stop));
  return load;
}

arrow::Result<std::unique_ptr<LoadPart>> Load::BeginPart(std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(auto encoder,
                        CopyEncoder::Make(encoded_, IsKeyed(spec_.table.mode)));
  ARROW_ASSIGN_OR_RAISE(auto connection, pool_.Take(stop));
  std::unique_ptr<LoadPart> part(
      new LoadPart(pool_, std::move(connection), std::move(encoder), doing_));
  ARROW_RETURN_NOT_OK(BeginTransaction(*part->connection_, stop));
  ARROW_RETURN_NOT_OK(part->connection_->StartCopyIn(
      "COPY " + fresh_ + " (" + ColumnList() + ") FROM STDIN (FORMAT binary)", doing_,
      stop));
  return part;
}

arrow::Status Load::FinishShared(int64_t rows, std::stop_token stop) {
  rows_ = rows;
  ARROW_RETURN_NOT_OK(Run("COMMENT ON TABLE " + fresh_ + " IS NULL", stop));
  if (spec_.plan.create) {
    ARROW_RETURN_NOT_OK(
        Run("ALTER TABLE " + fresh_ + " RENAME TO " + sql::QuoteIdentifier(name_), stop));
    return AddKey(target_, stop);
  }
  if (path_ == LoadPath::kRecreate) return AddKey(fresh_, stop);
  ARROW_ASSIGN_OR_RAISE(after_swap_,
                        CarryOver(*connection_, target_, fresh_, spec_.load_id, stop));
  return arrow::Status::OK();
}

LoadPart::~LoadPart() {
  if (!connection_ || connection_->broken() || !connection_->between_statements()) return;
  if (connection_->Run("ROLLBACK", doing_, {}).ok()) pool_.Give(std::move(connection_));
}

arrow::Status LoadPart::Append(const arrow::RecordBatch& batch, std::stop_token stop) {
  return encoder_->Write(batch, [&](std::string_view bytes) {
    return connection_->PutCopyData(bytes, doing_, stop);
  });
}

arrow::Status LoadPart::Finish(std::stop_token stop) {
  ARROW_RETURN_NOT_OK(encoder_->Finish([&](std::string_view bytes) {
    return connection_->PutCopyData(bytes, doing_, stop);
  }));
  ARROW_RETURN_NOT_OK(connection_->EndCopyIn(doing_, stop).status());
  ARROW_RETURN_NOT_OK(connection_->Commit(doing_, stop));
  pool_.Give(std::move(connection_));
  return arrow::Status::OK();
}

void DropStage(Connection& connection, const std::string& stage) noexcept {
  const auto dropped = connection.Run(
      "BEGIN; SET LOCAL lock_timeout = '2s'; DROP TABLE IF EXISTS " + stage + "; COMMIT",
      kSweeping, {});
  if (!dropped.ok() && connection.between_statements()) {
    ARROW_UNUSED(connection.Run("ROLLBACK", kSweeping, {}));
  }
}

arrow::Status DropStages(Connection& connection, const std::string& schema,
                         const StreamIdentity& identity, int64_t epoch,
                         std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(
      auto stages,
      connection.Query(
          "SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON "
          "n.oid = c.relnamespace JOIN pg_catalog.pg_description d ON d.objoid = c.oid "
          "AND d.classoid = 'pg_catalog.pg_class'::regclass AND d.objsubid = 0 WHERE "
          "n.nspname = $1 AND c.relkind = 'r' AND c.relname LIKE '\\_dxt\\_s\\_%' AND "
          "d.description LIKE $2 || '%' AND pg_catalog.substr(d.description, "
          "pg_catalog.length($2) + 1)::int8 <= $3::int8",
          {schema, SessionPrefix(identity), std::to_string(epoch)}, kSweeping, stop));
  for (int row = 0; row < stages.rows(); ++row) {
    DropStage(connection, sql::QuoteReference({schema, stages.Text(row, 0)}));
  }
  return arrow::Status::OK();
}

}  // namespace dxt::postgres
