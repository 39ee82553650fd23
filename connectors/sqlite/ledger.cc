#include "connectors/sqlite/ledger.h"

#include "base/error.h"
#include "connectors/sql/ledger.h"
#include "connectors/sqlite/catalogue.h"
#include "connectors/sqlite/connection.h"

namespace dxt::sqlite {
namespace {

sql::LedgerSql Sql() {
  return sql::LedgerSql("", "TEXT", "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')");
}

/// The target's one spelling, so that `Orders` and `main.orders` are the same.
arrow::Result<std::string> TargetName(Connection& connection,
                                      const std::string& reference) {
  ARROW_ASSIGN_OR_RAISE(const auto found, FindTable(connection, reference));
  return found ? *found : TableOfReference(reference);
}

arrow::Status BindLane(const StreamIdentity& identity, Statement* statement) {
  ARROW_RETURN_NOT_OK(statement->BindText(1, identity.pipeline));
  ARROW_RETURN_NOT_OK(statement->BindText(2, identity.stream));
  return statement->BindText(3, identity.lane);
}

}  // namespace

arrow::Result<bool> HasLedger(Connection& connection) {
  ARROW_ASSIGN_OR_RAISE(
      auto columns,
      connection.Prepare("SELECT t.name, c.name FROM sqlite_schema AS t, "
                         "pragma_table_info(t.name) AS c WHERE t.type = 'table' AND "
                         "t.name IN ('_dxt_loads', '_dxt_fence')"));
  std::vector<std::pair<std::string, std::string>> found;
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const bool more, columns.Step());
    if (!more) break;
    found.emplace_back(columns.Text(0), columns.Text(1));
  }
  return Sql().IsWhole(found);
}

arrow::Status CreateLedger(Connection& connection) {
  for (const auto& statement : Sql().Create()) {
    ARROW_RETURN_NOT_OK(connection.Execute(statement));
  }
  return arrow::Status::OK();
}

arrow::Result<std::optional<LoadRecord>> NewestLoad(Connection& connection,
                                                    const StreamIdentity& identity) {
  ARROW_ASSIGN_OR_RAISE(const bool exists, HasLedger(connection));
  if (!exists) return std::nullopt;
  ARROW_ASSIGN_OR_RAISE(auto newest, connection.Prepare(Sql().SelectNewest()));
  ARROW_RETURN_NOT_OK(BindLane(identity, &newest));
  ARROW_ASSIGN_OR_RAISE(const bool found, newest.Step());
  if (!found) return std::nullopt;
  LoadRecord record;
  record.window_seq = newest.Integer(3);
  record.load_id = newest.Text(4);
  record.run = newest.Text(5);
  record.target = newest.Text(7);
  record.target_ident = newest.Text(8);
  record.fingerprint = newest.Text(9);
  record.mode = newest.Text(10);
  record.cursor_before = newest.Text(11);
  record.cursor_after = newest.Text(12);
  record.read_from = newest.Text(13);
  record.rows = newest.Integer(14);
  record.rows_deleted = newest.Integer(15);
  record.schema_hash = newest.Text(16);
  record.package_hash = newest.Text(17);
  record.committed_at = newest.Text(18);
  return record;
}

arrow::Result<std::vector<std::string>> LanesOf(Connection& connection,
                                                const StreamIdentity& identity) {
  std::vector<std::string> names;
  ARROW_ASSIGN_OR_RAISE(const bool exists, HasLedger(connection));
  if (!exists) return names;
  ARROW_ASSIGN_OR_RAISE(auto lanes, connection.Prepare(Sql().SelectLanes()));
  ARROW_RETURN_NOT_OK(lanes.BindText(1, identity.pipeline));
  ARROW_RETURN_NOT_OK(lanes.BindText(2, identity.stream));
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const bool found, lanes.Step());
    if (!found) return names;
    names.push_back(lanes.Text(0));
  }
}

arrow::Result<bool> IsCommitted(Connection& connection, std::string_view load_id) {
  ARROW_ASSIGN_OR_RAISE(const bool exists, HasLedger(connection));
  if (!exists) return false;
  ARROW_ASSIGN_OR_RAISE(auto load, connection.Prepare(Sql().SelectByLoadId()));
  ARROW_RETURN_NOT_OK(load.BindText(1, load_id));
  return load.Step();
}

arrow::Result<bool> HasOtherPipeline(Connection& connection,
                                     const StreamIdentity& identity) {
  ARROW_ASSIGN_OR_RAISE(const bool exists, HasLedger(connection));
  if (!exists) return false;
  ARROW_ASSIGN_OR_RAISE(auto other, connection.Prepare(Sql().SelectOtherPipeline()));
  ARROW_ASSIGN_OR_RAISE(const auto target, TargetName(connection, identity.target));
  ARROW_RETURN_NOT_OK(other.BindText(1, target));
  ARROW_RETURN_NOT_OK(other.BindText(2, identity.pipeline));
  return other.Step();
}

arrow::Result<int64_t> BumpFence(Connection& connection, const StreamIdentity& identity,
                                 const std::string& owner) {
  ARROW_ASSIGN_OR_RAISE(auto bump, connection.Prepare(Sql().BumpFence()));
  ARROW_RETURN_NOT_OK(BindLane(identity, &bump));
  ARROW_RETURN_NOT_OK(bump.BindText(4, owner));
  ARROW_ASSIGN_OR_RAISE(const bool returned, bump.Step());
  if (!returned) {
    return MakeError(ErrorClass::kInternal, "sqlite.error", "A fence returned no epoch");
  }
  const int64_t epoch = bump.Integer(0);
  ARROW_RETURN_NOT_OK(bump.Step());
  return epoch;
}

arrow::Status RecordLoad(Connection& connection, const StreamIdentity& identity,
                         int64_t epoch, const std::string& owner,
                         const LoadRecord& record) {
  ARROW_ASSIGN_OR_RAISE(auto insert, connection.Prepare(Sql().InsertLoad()));
  ARROW_RETURN_NOT_OK(BindLane(identity, &insert));
  ARROW_RETURN_NOT_OK(insert.BindInteger(4, record.window_seq));
  ARROW_RETURN_NOT_OK(insert.BindText(5, record.load_id));
  ARROW_RETURN_NOT_OK(insert.BindText(6, record.run));
  ARROW_RETURN_NOT_OK(insert.BindInteger(7, epoch));
  ARROW_ASSIGN_OR_RAISE(const auto target, TargetName(connection, identity.target));
  ARROW_RETURN_NOT_OK(insert.BindText(8, target));
  ARROW_RETURN_NOT_OK(insert.BindText(9, record.target_ident));
  ARROW_RETURN_NOT_OK(insert.BindText(10, identity.fingerprint));
  ARROW_RETURN_NOT_OK(insert.BindText(11, record.mode));
  ARROW_RETURN_NOT_OK(insert.BindOptional(12, record.cursor_before));
  ARROW_RETURN_NOT_OK(insert.BindOptional(13, record.cursor_after));
  ARROW_RETURN_NOT_OK(insert.BindOptional(14, record.read_from));
  ARROW_RETURN_NOT_OK(insert.BindInteger(15, record.rows));
  ARROW_RETURN_NOT_OK(insert.BindInteger(16, record.rows_deleted));
  ARROW_RETURN_NOT_OK(insert.BindText(17, record.schema_hash));
  ARROW_RETURN_NOT_OK(insert.BindOptional(18, record.package_hash));
  ARROW_RETURN_NOT_OK(insert.Step());
  ARROW_ASSIGN_OR_RAISE(auto prune, connection.Prepare(Sql().Prune()));
  ARROW_RETURN_NOT_OK(BindLane(identity, &prune));
  ARROW_RETURN_NOT_OK(prune.Step());
  ARROW_ASSIGN_OR_RAISE(auto fence, connection.Prepare(Sql().CheckFence()));
  ARROW_RETURN_NOT_OK(BindLane(identity, &fence));
  ARROW_RETURN_NOT_OK(fence.BindInteger(4, epoch));
  ARROW_RETURN_NOT_OK(fence.BindText(5, owner));
  ARROW_RETURN_NOT_OK(fence.Step());
  if (connection.Changes() == 1) return arrow::Status::OK();
  return MakeError(ErrorClass::kFenced, "load.fenced",
                   "Another run has taken over the stream '" + identity.stream + "'");
}

}  // namespace dxt::sqlite
