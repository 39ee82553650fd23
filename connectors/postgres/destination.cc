#include "connectors/postgres/destination.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "base/error.h"
#include "connectors/postgres/catalog.h"
#include "connectors/postgres/cursor_value.h"
#include "connectors/postgres/error.h"
#include "connectors/postgres/load.h"
#include "connectors/postgres/load_ledger.h"
#include "connectors/postgres/owner.h"
#include "connectors/postgres/swap.h"
#include "connectors/postgres/table_plan.h"
#include "connectors/sdk/cursor.h"
#include "connectors/sdk/guards.h"
#include "connectors/sql/identifier.h"

namespace dxt::postgres {
namespace {

/// Binary input functions that take a value's text.
bool TakesText(const std::string& receive) {
  static constexpr std::string_view kReceivers[] = {
      "textrecv",  "varcharrecv", "bpcharrecv", "enum_recv",
      "json_recv", "citextrecv",  "namerecv",   "unknownrecv"};
  const size_t dot = receive.rfind('.');
  const std::string_view name =
      dot == std::string::npos ? receive : std::string_view(receive).substr(dot + 1);
  return std::find(std::begin(kReceivers), std::end(kReceivers), name) !=
         std::end(kReceivers);
}

/// Of one table; more of them wait for each other.
constexpr int kMostWriters = 16;

std::string ChainKey(const StreamIdentity& identity) {
  return identity.pipeline + '\0' + identity.stream + '\0' + identity.lane;
}

/// Windows that are finished and not committed. Shared with Writers, which may run on
/// threads of their own.
struct HeldLoads {
  struct Part {
    std::shared_ptr<Load> load;
    int64_t rows = 0;
  };
  std::mutex mutex;
  std::map<std::string, std::unique_ptr<Load>> loads;
  std::map<std::string, Part> parts;  ///< Of shared loads.

  std::shared_ptr<Load> TakePart(const std::string& handle, int64_t* rows) {
    const std::lock_guard lock(mutex);
    const auto found = parts.find(handle);
    if (found == parts.end()) return nullptr;
    *rows += found->second.rows;
    auto load = std::move(found->second.load);
    parts.erase(found);
    return load;
  }

  std::unique_ptr<Load> Take(const std::string& handle) {
    const std::lock_guard lock(mutex);
    const auto found = loads.find(handle);
    if (found == loads.end()) return nullptr;
    auto load = std::move(found->second);
    loads.erase(found);
    return load;
  }
};

class CopyWriter final : public Writer {
 public:
  CopyWriter(std::shared_ptr<HeldLoads> held, std::unique_ptr<Load> load,
             std::string handle)
      : held_(std::move(held)), load_(std::move(load)), handle_(std::move(handle)) {}
  ~CopyWriter() override { Abort(); }

  arrow::Status Append(const arrow::RecordBatch& batch, std::stop_token stop) override {
    return load_->Explain(load_->Append(batch, stop));
  }

  void Place(int64_t ordinal) override { load_->Place(ordinal); }

  arrow::Result<WriteReceipt> Finish(std::stop_token stop) override {
    ARROW_RETURN_NOT_OK(load_->Explain(load_->Finish(stop)));
    WriteReceipt receipt;
    receipt.rows = load_->rows();
    receipt.bytes = load_->bytes();
    receipt.handle = handle_;
    const std::lock_guard lock(held_->mutex);
    held_->loads[handle_] = std::move(load_);
    return receipt;
  }

  void Abort() noexcept override { load_.reset(); }

 private:
  std::shared_ptr<HeldLoads> held_;
  std::unique_ptr<Load> load_;
  const std::string handle_;
};

/// One of the writers of a shared load.
class PartWriter final : public Writer {
 public:
  PartWriter(std::shared_ptr<HeldLoads> held, std::shared_ptr<Load> load,
             std::unique_ptr<LoadPart> part, std::string handle)
      : held_(std::move(held)),
        load_(std::move(load)),
        part_(std::move(part)),
        handle_(std::move(handle)) {}
  ~PartWriter() override { Abort(); }

  arrow::Status Append(const arrow::RecordBatch& batch, std::stop_token stop) override {
    return load_->Explain(part_->Append(batch, stop), part_.get());
  }
  void Place(int64_t ordinal) override { part_->Place(ordinal); }

  arrow::Result<WriteReceipt> Finish(std::stop_token stop) override {
    ARROW_RETURN_NOT_OK(load_->Explain(part_->Finish(stop), part_.get()));
    WriteReceipt receipt;
    receipt.rows = part_->rows();
    receipt.bytes = part_->bytes();
    receipt.handle = handle_;
    const std::lock_guard lock(held_->mutex);
    held_->parts[handle_] = {std::move(load_), receipt.rows};
    part_.reset();
    return receipt;
  }

  void Abort() noexcept override {
    // Its lock first: with the last of them the load drops the table.
    part_.reset();
    load_.reset();
  }

 private:
  std::shared_ptr<HeldLoads> held_;
  std::shared_ptr<Load> load_;
  std::unique_ptr<LoadPart> part_;
  const std::string handle_;
};

class PostgresDestination final : public Destination {
 public:
  explicit PostgresDestination(ConnectOptions options)
      : pool_(std::move(options)), held_(std::make_shared<HeldLoads>()) {}

  arrow::Status Check(std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(auto connection, Lease::Take(pool_, stop));
    return connection->Run("SELECT 1", "Checking the connection", stop).status();
  }

  arrow::Result<TargetTable> Describe(const std::string& reference,
                                      std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(auto connection, Lease::Take(pool_, stop));
    ARROW_ASSIGN_OR_RAISE(auto name, Resolve(*connection, reference, stop));
    ARROW_ASSIGN_OR_RAISE(auto schemas, SchemaNames(*connection, stop));
    TargetTable target;
    const int schema = sql::MatchName(schemas, name.schema);
    target.container_exists = schema >= 0;
    if (schema >= 0) name.schema = schemas[schema];
    ARROW_ASSIGN_OR_RAISE(auto tables,
                          LoadTables(*connection, name.schema, name.name, stop));
    if (tables.empty() && schema >= 0) {
      ARROW_ASSIGN_OR_RAISE(auto names, TableNames(*connection, name.schema, stop));
      const int match = sql::MatchName(names, name.name);
      if (match >= 0) {
        name.name = names[match];
        ARROW_ASSIGN_OR_RAISE(tables,
                              LoadTables(*connection, name.schema, name.name, stop));
      }
    }
    target.reference = sql::ReferenceText({name.schema, name.name});
    ARROW_RETURN_NOT_OK(LoadUserTypes(*connection, stop));
    if (tables.empty()) return target;
    ARROW_RETURN_NOT_OK(FillTarget(*connection, tables.front(), &target, stop));
    return target;
  }

  arrow::Result<TablePlan> PlanTable(const TableSpec& wanted,
                                     const TargetTable& existing) const override {
    const bool tracked =
        wanted.mode == LoadMode::kMirror && wanted.mirror.scope == MirrorScope::kTracked;
    if (tracked && pool_.options().metadata.off) return NoKeys();
    return MakeTablePlan(wanted, existing, user_types_);
  }

  arrow::Result<std::optional<int64_t>> CountRows(const std::string& reference,
                                                  std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(auto connection, Lease::Take(pool_, stop));
    ARROW_ASSIGN_OR_RAISE(auto name, Resolve(*connection, reference, stop));
    ARROW_ASSIGN_OR_RAISE(
        auto rows,
        Look(*connection, name.schema,
             "SELECT count(*) FROM " + sql::QuoteReference({name.schema, name.name}),
             "Counting the target's rows", stop));
    return std::optional<int64_t>(rows.Int(0, 0));
  }

  arrow::Result<std::optional<std::string>> MaxCursor(const std::string& reference,
                                                      const std::string& column,
                                                      const FieldType& type,
                                                      std::stop_token stop) override;

  arrow::Result<std::optional<LoadRecord>> Peek(const StreamIdentity& identity,
                                                std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(auto connection, Lease::Take(pool_, stop));
    ARROW_ASSIGN_OR_RAISE(auto name, Resolve(*connection, identity.target, stop));
    LoadLedger ledger(*connection, name.schema);
    ARROW_ASSIGN_OR_RAISE(const bool exists, ledger.CheckRights(stop));
    if (!exists) return std::nullopt;
    return ledger.Newest(identity, stop);
  }

  arrow::Result<std::vector<std::string>> Lanes(const StreamIdentity& identity,
                                                std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(auto connection, Lease::Take(pool_, stop));
    ARROW_ASSIGN_OR_RAISE(auto name, Resolve(*connection, identity.target, stop));
    LoadLedger ledger(*connection, name.schema);
    ARROW_ASSIGN_OR_RAISE(const bool exists, ledger.Exists(stop));
    if (!exists) return std::vector<std::string>();
    return ledger.Lanes(identity, stop);
  }

  arrow::Result<bool> SharedTarget(const StreamIdentity& identity,
                                   std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(auto connection, Lease::Take(pool_, stop));
    ARROW_ASSIGN_OR_RAISE(auto name, Resolve(*connection, identity.target, stop));
    LoadLedger ledger(*connection, name.schema);
    ARROW_ASSIGN_OR_RAISE(const bool exists, ledger.Exists(stop));
    if (!exists) return false;
    return ledger.OtherPipeline(identity, sql::ReferenceText({name.schema, name.name}),
                                stop);
  }

  arrow::Result<std::vector<Ownership>> Acquire(
      std::span<const StreamIdentity> identities, const Owner& owner,
      std::stop_token stop) override;

  int MostWriters(const WriteSpec& spec) const override {
    return Load::CanBeShared(pool_, spec, text_types_) ? kMostWriters : 1;
  }

  arrow::Result<std::unique_ptr<Writer>> OpenWriter(const WriteSpec& spec,
                                                    std::stop_token stop) override {
    if (spec.writers > 1) return OpenPart(spec, std::move(stop));
    ARROW_ASSIGN_OR_RAISE(auto load, Load::Begin(pool_, spec, text_types_, stop));
    return std::make_unique<CopyWriter>(held_, std::move(load),
                                        spec.load_id + "/" + std::to_string(++opened_));
  }

  arrow::Result<CommitResult> Commit(const WriteSpec& spec, const LoadRecord& record,
                                     std::span<const WriteReceipt> receipts,
                                     const CommitGuards& guards,
                                     std::stop_token stop) override;

  void Discard(std::span<const WriteReceipt> receipts) noexcept override {
    int64_t rows = 0;
    for (const auto& receipt : receipts) {
      held_->Take(receipt.handle);
      held_->TakePart(receipt.handle, &rows);
    }
  }

  arrow::Result<bool> Resolve(const StreamIdentity& identity, std::string_view load_id,
                              std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(auto connection, Lease::Take(pool_, stop));
    ARROW_ASSIGN_OR_RAISE(auto name, Resolve(*connection, identity.target, stop));
    LoadLedger ledger(*connection, name.schema);
    ARROW_ASSIGN_OR_RAISE(const bool exists, ledger.Exists(stop));
    if (!exists) return false;
    return ledger.Has(load_id, stop);
  }

  arrow::Result<std::vector<std::string>> AdministratorSql(
      const TableSpec& wanted, const TargetTable& existing, const TablePlan& plan,
      std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(auto connection, Lease::Take(pool_, stop));
    ARROW_ASSIGN_OR_RAISE(auto name, Resolve(*connection, existing.reference, stop));
    ARROW_ASSIGN_OR_RAISE(auto who,
                          connection->Run("SELECT pg_catalog.quote_ident(current_user)",
                                          "Asking who the role is", stop));
    const std::string role = who.Text(0, 0);
    const bool tracked =
        wanted.mode == LoadMode::kMirror && wanted.mirror.scope == MirrorScope::kTracked;
    std::vector<std::string> statements;
    if (!existing.container_exists) {
      statements.push_back("CREATE SCHEMA IF NOT EXISTS " +
                           sql::QuoteIdentifier(name.schema));
    }
    for (const auto& statement : plan.ddl) {
      const bool schema = statement.starts_with("CREATE SCHEMA");
      if (plan.create && !schema) statements.push_back(statement);
    }
    statements.push_back("GRANT USAGE ON SCHEMA " + sql::QuoteIdentifier(name.schema) +
                         " TO " + role);
    statements.push_back("GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON " +
                         sql::QuoteReference({name.schema, name.name}) + " TO " + role);
    LoadLedger ledger(*connection, name.schema);
    ARROW_ASSIGN_OR_RAISE(auto of_ledger, ledger.AdministratorSql(role, tracked, stop));
    for (auto& statement : of_ledger) statements.push_back(std::move(statement));
    return statements;
  }

  /// Only shared loads leave something: of one writer's every staging object lives inside
  /// its transaction, and is gone with its connection.
  arrow::Status Sweep(const StreamIdentity& identity, std::stop_token stop) override {
    const auto epoch = epochs_.find(ChainKey(identity));
    if (epoch == epochs_.end()) return arrow::Status::OK();
    ARROW_ASSIGN_OR_RAISE(auto connection, Lease::Take(pool_, stop));
    ARROW_ASSIGN_OR_RAISE(auto name, Resolve(*connection, identity.target, stop));
    return DropStages(*connection, name.schema, identity, epoch->second, stop);
  }

 private:
  arrow::Result<TableName> Resolve(Connection& connection, const std::string& reference,
                                   std::stop_token stop) {
    return ResolveName(connection, reference, pool_.options().database,
                       pool_.options().schema, stop);
  }

  arrow::Status LoadUserTypes(Connection& connection, std::stop_token stop) {
    ARROW_ASSIGN_OR_RAISE(
        auto rows,
        connection.Run(
            "SELECT pg_catalog.quote_ident(n.nspname) || '.' || "
            "pg_catalog.quote_ident(t.typname), t.typreceive::pg_catalog.regproc::text "
            "FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = "
            "t.typnamespace "
            "WHERE t.typtype IN ('e', 'r', 'm', 'b') AND NOT (t.typlen = -1 AND "
            "t.typcategory = 'A') AND n.nspname !~ '^pg_' AND n.nspname <> "
            "'information_schema'",
            "Reading the catalogue", stop));
    user_types_.clear();
    for (int row = 0; row < rows.rows(); ++row) {
      user_types_.insert(rows.Text(row, 0));
      if (TakesText(rows.Text(row, 1))) text_types_.insert(rows.Text(row, 0));
    }
    return arrow::Status::OK();
  }

  /// Reads the target's table, which an owner that hangs may have locked: as long as any
  /// read waits for a lock, and once more when it was such a one's.
  static arrow::Result<ResultSet> Look(Connection& connection, const std::string& schema,
                                       const std::string& sql, std::string_view doing,
                                       std::stop_token stop) {
    const auto look = [&](const std::string& patience) {
      return connection.Run("SET LOCAL lock_timeout = '" + patience + "'; " + sql, doing,
                            stop);
    };
    auto rows = look("2s");
    for (const bool last : {false, true}) {
      if (!HasSqlState(rows.status(), "55P03")) break;
      const auto ended = EndSilentOwners(connection, schema, stop);
      if (last && !(ended.ok() && *ended)) break;
      rows = look("13s");
    }
    return rows;
  }

  arrow::Status FillTarget(Connection& connection, const CatalogTable& table,
                           TargetTable* target, std::stop_token stop) {
    target->exists = true;
    target->ident = std::to_string(table.oid);
    target->is_view = table.kind == 'v' || table.kind == 'm';
    for (const auto& column : table.columns) {
      TargetColumn described;
      described.name = column.name;
      described.native = {std::string(kSystem), column.type};
      described.nullable = !column.not_null;
      described.has_default = column.has_default;
      described.generated = column.generated;
      described.domain = NaturalDomain(ParseType(column.type));
      target->columns.push_back(std::move(described));
      if (TakesText(column.receive)) text_types_.insert(column.type);
    }
    if (target->is_view) return arrow::Status::OK();
    constexpr std::string_view doing = "Reading the catalogue";
    ARROW_ASSIGN_OR_RAISE(
        auto keys,
        connection.Query(
            "SELECT i.indexrelid, a.attname FROM pg_catalog.pg_index i, "
            "pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, n) "
            "JOIN pg_catalog.pg_attribute a ON true WHERE i.indrelid = $1::oid "
            "AND a.attrelid = i.indrelid AND a.attnum = k.attnum AND k.n <= "
            "i.indnkeyatts "
            "AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL "
            "AND i.indexprs IS NULL ORDER BY 1, k.n",
            {target->ident}, doing, stop));
    std::string index;
    for (int row = 0; row < keys.rows(); ++row) {
      if (keys.Get(row, 0) != index) {
        index = keys.Text(row, 0);
        target->unique_keys.emplace_back();
      }
      target->unique_keys.back().push_back(keys.Text(row, 1));
    }
    ARROW_ASSIGN_OR_RAISE(auto attached, FindAttachments(connection, table.oid, stop));
    target->attachments = std::move(attached.others);
    target->referenced_by = std::move(attached.foreign_keys);
    // A role that may only insert cannot look; a table it cannot see into is not empty.
    auto some = Look(
        connection, table.schema,
        "SELECT 1 FROM " + sql::QuoteReference({table.schema, table.name}) + " LIMIT 1",
        "Looking into the target", stop);
    if (!HasSqlState(some.status(), "42501")) ARROW_RETURN_NOT_OK(some.status());
    target->empty = some.ok() && some->rows() == 0;
    return arrow::Status::OK();
  }

  arrow::Status Guard(Connection& connection, const WriteSpec& spec,
                      const std::optional<LoadRecord>& last, const CommitGuards& guards,
                      int64_t rows, std::stop_token stop);
  arrow::Result<CommitResult> CommitLoad(Load& load, const WriteSpec& spec,
                                         LoadRecord record, const CommitGuards& guards,
                                         std::stop_token stop);

  arrow::Result<std::unique_ptr<Writer>> OpenPart(const WriteSpec& spec,
                                                  std::stop_token stop) {
    const std::string chain = spec.load_id + "/" + std::to_string(spec.epoch);
    auto load = chain == shared_chain_ ? shared_.lock() : nullptr;
    if (!load) {
      ARROW_ASSIGN_OR_RAISE(load, Load::BeginShared(pool_, spec, text_types_, stop));
      shared_ = load;
      shared_chain_ = chain;
    }
    ARROW_ASSIGN_OR_RAISE(auto part, load->BeginPart(stop));
    return std::make_unique<PartWriter>(held_, std::move(load), std::move(part),
                                        chain + "/" + std::to_string(++opened_));
  }
  /// The load whose parts the receipts are, all its rows in their place; null when it is
  /// gone.
  arrow::Result<std::shared_ptr<Load>> Gather(std::span<const WriteReceipt> receipts,
                                              std::stop_token stop) {
    std::shared_ptr<Load> load;
    int64_t rows = 0;
    for (const auto& receipt : receipts) {
      auto one = held_->TakePart(receipt.handle, &rows);
      if (!one || (load && load != one)) return nullptr;
      load = std::move(one);
    }
    ARROW_RETURN_NOT_OK(load->Explain(load->FinishShared(rows, stop)));
    return load;
  }

  mutable ConnectionPool pool_;
  std::shared_ptr<HeldLoads> held_;
  std::weak_ptr<Load> shared_;  ///< The one that writers are opened for.
  std::string shared_chain_;
  UserTypes user_types_;
  std::set<std::string> text_types_;
  std::map<std::string, std::string> owners_;  ///< By pipeline, stream and lane.
  std::map<std::string, int64_t> epochs_;      ///< Likewise.
  int64_t opened_ = 0;
};

arrow::Result<std::vector<Ownership>> PostgresDestination::Acquire(
    std::span<const StreamIdentity> identities, const Owner& owner,
    std::stop_token stop) {
  constexpr std::string_view doing = "Taking over the stream";
  ARROW_ASSIGN_OR_RAISE(auto connection, Lease::Take(pool_, stop));
  std::vector<std::string> schemas;
  for (const auto& identity : identities) {
    ARROW_ASSIGN_OR_RAISE(auto name, Resolve(*connection, identity.target, stop));
    schemas.push_back(name.schema);
  }
  // In one order everywhere, so that two runs of the same streams cannot block each
  // other.
  std::vector<size_t> order(identities.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::pair(schemas[a], ChainKey(identities[a])) <
           std::pair(schemas[b], ChainKey(identities[b]));
  });
  for (const size_t i : order) {
    ARROW_RETURN_NOT_OK(
        AwaitTurn(*connection, schemas[i], identities[i], owner.text, stop));
  }
  const auto end_sessions = [&](Sessions which) {
    // Another role's are not ours to end; their locks are waited for.
    for (const auto& identity : identities) {
      ARROW_UNUSED(EndSessions(*connection, identity, which, stop));
    }
  };
  std::vector<Ownership> owned(identities.size());
  const auto run = [&](const std::string& patience) -> arrow::Status {
    ARROW_RETURN_NOT_OK(connection
                            ->Run("BEGIN; SET LOCAL lock_timeout = '" + patience +
                                      "'; SET LOCAL application_name = '" +
                                      SessionName(identities.front(), kAcquiring) + "'",
                                  doing, stop)
                            .status());
    for (const size_t i : order) {
      LoadLedger ledger(*connection, schemas[i]);
      ARROW_RETURN_NOT_OK(ledger.Ensure(stop));
      if (owner.admits) {
        ARROW_RETURN_NOT_OK(ledger.Lock(stop));
        ARROW_ASSIGN_OR_RAISE(const auto lanes, ledger.Lanes(identities[i], stop));
        ARROW_RETURN_NOT_OK(owner.admits(lanes));
      }
      ARROW_ASSIGN_OR_RAISE(owned[i].epoch, ledger.Bump(identities[i], owner.text, stop));
    }
    for (const size_t i : order) {
      LoadLedger ledger(*connection, schemas[i]);
      ARROW_ASSIGN_OR_RAISE(owned[i].last, ledger.Newest(identities[i], stop));
    }
    return connection->Run("COMMIT", doing, stop).status();
  };
  const auto attempt = [&](const std::string& patience) {
    const auto status = run(patience);
    if (!status.ok() && connection->between_statements()) {
      ARROW_UNUSED(connection->Run("ROLLBACK", doing, {}));
    }
    return status;
  };
  auto status = attempt("2s");
  if (HasSqlState(status, "55P03")) {
    end_sessions(Sessions::kAll);
    status = attempt("25s");
  }
  ARROW_RETURN_NOT_OK(status);
  end_sessions(Sessions::kOfOwners);
  for (size_t i = 0; i < identities.size(); ++i) {
    owners_[ChainKey(identities[i])] = owner.text;
    epochs_[ChainKey(identities[i])] = owned[i].epoch;
  }
  return owned;
}

arrow::Status PostgresDestination::Guard(Connection& connection, const WriteSpec& spec,
                                         const std::optional<LoadRecord>& last,
                                         const CommitGuards& guards, int64_t rows,
                                         std::stop_token stop) {
  if (spec.table.mode != LoadMode::kReplace || !spec.target.exists)
    return arrow::Status::OK();
  if (guards.max_shrink >= 1.0 && guards.allow_empty) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(auto parts, sql::SplitReference(spec.target.reference));
  ARROW_ASSIGN_OR_RAISE(const int64_t before,
                        RowsBefore(connection, sql::QuoteReference(parts), last, stop));
  return CheckGuards(guards, before, rows);
}

arrow::Result<CommitResult> PostgresDestination::CommitLoad(Load& load,
                                                            const WriteSpec& spec,
                                                            LoadRecord record,
                                                            const CommitGuards& guards,
                                                            std::stop_token stop) {
  Connection& connection = load.connection();
  LoadLedger ledger(connection, load.schema());
  ARROW_ASSIGN_OR_RAISE(const bool already, ledger.Has(record.load_id, stop));
  if (already) {
    CommitResult result;
    result.already = true;
    result.rows_written = load.rows();
    result.target_ident = spec.target.ident;
    load.Abandon();
    return result;
  }
  ARROW_ASSIGN_OR_RAISE(auto last, ledger.Newest(spec.identity, stop));
  ARROW_RETURN_NOT_OK(ledger.CheckFence(spec.identity, spec.epoch, stop));
  const bool chained = !pool_.options().metadata.off;
  if (chained) ARROW_RETURN_NOT_OK(CheckChain(last, record));
  ARROW_RETURN_NOT_OK(Guard(connection, spec, last, guards, load.rows(), stop));
  ARROW_ASSIGN_OR_RAISE(auto result, load.Apply(guards, last, stop));
  record.target = spec.target.reference;
  record.target_ident = result.target_ident;
  record.rows = result.rows_written;
  record.rows_deleted = result.rows_deleted;
  const auto owner = owners_.find(ChainKey(spec.identity));
  ARROW_RETURN_NOT_OK(ledger.Record(spec.identity, record, spec.epoch,
                                    owner == owners_.end() ? record.run : owner->second,
                                    stop));
  if (stop.stop_requested()) return Cancelled("Committing the load");
  const auto committed = connection.Commit("Committing the load", stop);
  if (!committed.ok()) {
    ErrorInfo info = GetErrorInfo(committed);
    // A refusal with a SQLSTATE of its own was rolled back; a broken connection or an
    // administrator's shutdown may have come after the commit was durable.
    if (connection.broken() || info.vendor_code.empty() ||
        info.vendor_code.starts_with("57P")) {
      info.outcome_unknown = true;
      info.error_class = ErrorClass::kTransient;
      return MakeError(std::move(info), committed.message());
    }
    return committed;
  }
  load.Release();
  return result;
}

arrow::Result<CommitResult> PostgresDestination::Commit(
    const WriteSpec& spec, const LoadRecord& record,
    std::span<const WriteReceipt> receipts, const CommitGuards& guards,
    std::stop_token stop) {
  if (receipts.empty()) {
    return MakeError(ErrorClass::kInternal, "pg.receipts",
                     "A PostgreSQL load is committed with receipts, not without");
  }
  std::shared_ptr<Load> load = held_->Take(receipts.front().handle);
  if (!load) {
    ARROW_ASSIGN_OR_RAISE(load, Gather(receipts, stop));
  }
  if (!load) {
    ARROW_ASSIGN_OR_RAISE(const bool done, Resolve(spec.identity, record.load_id, stop));
    if (done) {
      CommitResult result;
      result.already = true;
      return result;
    }
    return MakeError(
        ErrorClass::kTransient, "pg.load_lost",
        "The transaction that held the rows of " + spec.target.reference + " is gone",
        "The load must be done again");
  }
  auto committed = CommitLoad(*load, spec, record, guards, stop);
  const bool unknown = GetErrorInfo(committed.status()).outcome_unknown;
  if (unknown) load->LeaveStage();
  if (committed.ok() || unknown) return committed;
  return load->Explain(committed.status());
}

arrow::Result<std::optional<std::string>> PostgresDestination::MaxCursor(
    const std::string& reference, const std::string& column, const FieldType& type,
    std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(auto connection, Lease::Take(pool_, stop));
  ARROW_ASSIGN_OR_RAISE(auto name, Resolve(*connection, reference, stop));
  ARROW_ASSIGN_OR_RAISE(auto tables,
                        LoadTables(*connection, name.schema, name.name, stop));
  if (tables.empty()) return std::nullopt;
  const CatalogColumn* found = nullptr;
  for (const auto& candidate : tables.front().columns) {
    if (candidate.name == column) found = &candidate;
  }
  if (!found) {
    return MakeError(ErrorClass::kConfig, "pg.column_missing",
                     "The target " + reference + " has no column '" + column + "'");
  }
  const Field field = FieldOf(*found);
  if (!CanBeCursor(field.type)) return std::nullopt;
  ColumnRead read;
  read.name = column;
  read.type = field.type;
  read.native = field.native;
  const std::string operand = CursorOperand(sql::QuoteIdentifier(column), &read);
  return QueryCursor(
      *connection,
      "SELECT max(" + operand + ") FROM " + sql::QuoteReference({name.schema, name.name}),
      read, type, "Reading the watermark from the target", stop);
}

}  // namespace

std::unique_ptr<Destination> MakeDestination(ConnectOptions options) {
  return std::make_unique<PostgresDestination>(std::move(options));
}

}  // namespace dxt::postgres
