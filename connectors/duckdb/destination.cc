#include "connectors/duckdb/destination.h"

#include <filesystem>
#include <system_error>

#include <unistd.h>

#include <arrow/api.h>

#include "base/clock.h"
#include "base/error.h"
#include "connectors/duckdb/arrays.h"
#include "connectors/duckdb/catalog.h"
#include "connectors/duckdb/errors.h"
#include "connectors/duckdb/ledger.h"
#include "connectors/duckdb/plan.h"
#include "connectors/duckdb/swap.h"
#include "connectors/duckdb/types.h"
#include "connectors/duckdb/writer.h"
#include "connectors/sdk/cursor.h"
#include "connectors/sdk/guards.h"
#include "connectors/sql/identifier.h"
#include "connectors/sql/keyed.h"

namespace dxt::duckdb {
namespace {

namespace fs = std::filesystem;

// Another stream's commit may hold the fence table's page for a moment.
constexpr int kBumpAttempts = 20;
constexpr auto kBumpPause = std::chrono::milliseconds(25);

class DuckdbDestination : public Destination {
 public:
  DuckdbDestination(std::shared_ptr<DatabasePool> pool, std::string path,
                    std::string default_schema, const ConnectorContext& context)
      : pool_(std::move(pool)),
        path_(std::move(path)),
        default_schema_(std::move(default_schema)),
        context_(context),
        clock_(context.clock ? *context.clock : SystemClock()) {}

  arrow::Status Check(std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(auto session, Look(stop));
    if (session) return session->Rows("SELECT 1", "Reading " + path_, stop).status();
    const fs::path folder = fs::path(path_).parent_path();
    std::error_code failed;
    if (!fs::is_directory(folder, failed)) {
      return MakeError(ErrorClass::kConfig, "duckdb.folder_missing",
                       "The folder of the DuckDB database " + path_ + " does not exist",
                       "mkdir -p " + folder.string());
    }
    if (::access(folder.c_str(), W_OK) == 0) return arrow::Status::OK();
    return MakeError(ErrorClass::kAuth, "duckdb.permission_denied",
                     "The DuckDB database " + path_ +
                         " cannot be made: its folder is not "
                         "writable",
                     "Give the user that dxtd runs as the right to write there");
  }

  arrow::Result<TargetTable> Describe(const std::string& reference,
                                      std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(auto session, Look(stop));
    TargetTable target;
    if (!session) {
      ARROW_ASSIGN_OR_RAISE(auto parts, sql::SplitReference(reference));
      if (parts.size() == 1) parts.insert(parts.begin(), default_schema_);
      target.reference = sql::QuoteReference(parts);
      return target;
    }
    ARROW_ASSIGN_OR_RAISE(auto name,
                          FindTable(*session, reference, default_schema_, stop));
    target.reference = name.Quoted();
    target.exists = name.exists;
    target.is_view = name.is_view;
    if (!name.exists) return target;
    ARROW_ASSIGN_OR_RAISE(auto columns, ColumnsOf(*session, name, stop));
    for (auto& column : columns) {
      Field field;
      field.name = column.name;
      field.type = ReadTypeOf(column.native).type;
      TargetColumn described;
      described.name = column.name;
      described.native = {kSystem, column.native};
      described.nullable = column.nullable;
      described.has_default = column.default_sql.has_value();
      described.generated = column.generated;
      described.domain = DomainOf(column.native, field);
      target.columns.push_back(std::move(described));
    }
    ARROW_ASSIGN_OR_RAISE(auto constraints, ConstraintsOf(*session, name, stop));
    for (auto& constraint : constraints) {
      if (constraint.kind != "PRIMARY KEY" && constraint.kind != "UNIQUE") continue;
      target.unique_keys.push_back(std::move(constraint.columns));
    }
    ARROW_ASSIGN_OR_RAISE(auto rows,
                          session->Rows("SELECT 1 FROM " + target.reference + " LIMIT 1",
                                        "Reading " + target.reference, stop));
    target.empty = rows.empty();
    return target;
  }

  arrow::Result<TablePlan> PlanTable(const TableSpec& wanted,
                                     const TargetTable& existing) const override {
    return PlanDuckdbTable(wanted, existing);
  }

  arrow::Result<std::optional<int64_t>> CountRows(const std::string& reference,
                                                  std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(auto session, Look(stop));
    if (!session) return 0;
    ARROW_ASSIGN_OR_RAISE(auto name,
                          FindTable(*session, reference, default_schema_, stop));
    if (!name.exists) return 0;
    ARROW_ASSIGN_OR_RAISE(auto count, Count(*session, name, stop));
    return count;
  }

  arrow::Result<std::optional<std::string>> MaxCursor(const std::string& reference,
                                                      const std::string& column,
                                                      const FieldType& type,
                                                      std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(auto session, Look(stop));
    if (!session) return std::nullopt;
    ARROW_ASSIGN_OR_RAISE(auto name,
                          FindTable(*session, reference, default_schema_, stop));
    if (!name.exists) return std::nullopt;
    ARROW_ASSIGN_OR_RAISE(auto columns, ColumnsOf(*session, name, stop));
    std::vector<std::string> names;
    for (const auto& candidate : columns) names.push_back(candidate.name);
    const int at = sql::MatchName(names, column);
    if (at < 0) {
      return MakeError(ErrorClass::kConfig, "duckdb.column_missing",
                       name.Quoted() + " has no column '" + column + "'");
    }
    const std::string& native = columns[static_cast<size_t>(at)].native;
    const std::string text =
        "max(" + sql::QuoteIdentifier(names[static_cast<size_t>(at)]) + ")";
    ARROW_ASSIGN_OR_RAISE(
        auto rows,
        session->Stream("SELECT " + ReadItem(native, text) + " FROM " + name.Quoted(),
                        "Reading the largest " + column, stop));
    ARROW_ASSIGN_OR_RAISE(auto batch, rows->Next(stop));
    if (!batch || batch->num_rows() == 0) return std::nullopt;
    const FieldType own = ReadTypeOf(native).type;
    const auto schema = arrow::schema({arrow::field(column, ArrowType(own))});
    ARROW_ASSIGN_OR_RAISE(batch, FromDuckdb(*batch, schema));
    if (batch->column(0)->IsNull(0)) return std::nullopt;
    ARROW_ASSIGN_OR_RAISE(auto found, CursorText(*batch->column(0), 0, own));
    if (own == type) return found;
    return CanonicalCursor(found, type);
  }

  arrow::Result<std::optional<LoadRecord>> Peek(const StreamIdentity& identity,
                                                std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(auto session, Look(stop));
    if (!session) return std::nullopt;
    ARROW_ASSIGN_OR_RAISE(auto name,
                          FindTable(*session, identity.target, default_schema_, stop));
    Ledger ledger(*session, name.schema, clock_);
    ARROW_ASSIGN_OR_RAISE(const bool exists, ledger.Exists(stop));
    if (!exists) return std::nullopt;
    return ledger.Newest(identity, stop);
  }

  arrow::Result<std::vector<std::string>> Lanes(const StreamIdentity& identity,
                                                std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(auto session, Look(stop));
    if (!session) return std::vector<std::string>();
    ARROW_ASSIGN_OR_RAISE(auto name,
                          FindTable(*session, identity.target, default_schema_, stop));
    Ledger ledger(*session, name.schema, clock_);
    ARROW_ASSIGN_OR_RAISE(const bool exists, ledger.Exists(stop));
    if (!exists) return std::vector<std::string>();
    return ledger.Lanes(identity, stop);
  }

  arrow::Result<bool> SharedTarget(const StreamIdentity& identity,
                                   std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(auto session, Look(stop));
    if (!session) return false;
    ARROW_ASSIGN_OR_RAISE(auto name,
                          FindTable(*session, identity.target, default_schema_, stop));
    Ledger ledger(*session, name.schema, clock_);
    ARROW_ASSIGN_OR_RAISE(const bool exists, ledger.Exists(stop));
    if (!exists) return false;
    return ledger.OtherPipeline(identity, name.Quoted(), stop);
  }

  arrow::Result<std::vector<Ownership>> Acquire(
      std::span<const StreamIdentity> identities, const Owner& owner,
      std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(auto session, OpenForWriting(stop));
    // Two transactions that each add a lane would not see each other's.
    const std::lock_guard turn(database_->taking_over());
    for (int attempt = 1;; ++attempt) {
      auto owned = AcquireOnce(*session, identities, owner, stop);
      if (owned.ok() || !IsConflict(owned.status()) || attempt == kBumpAttempts)
        return owned;
      if (!clock_.WaitUntil(clock_.Tick() + kBumpPause, stop)) {
        return MakeError(ErrorClass::kCancelled, "cancelled",
                         "Taking over was cancelled");
      }
    }
  }

  arrow::Result<std::unique_ptr<Writer>> OpenWriter(const WriteSpec& spec,
                                                    std::stop_token stop) override {
    ARROW_RETURN_NOT_OK(OpenForWriting(stop).status());
    return MakeWriter(database_, held_, spec, default_schema_, stop);
  }

  arrow::Result<CommitResult> Commit(const WriteSpec& spec, const LoadRecord& record,
                                     std::span<const WriteReceipt> receipts,
                                     const CommitGuards& guards,
                                     std::stop_token stop) override {
    auto load = Take(receipts);
    if (!load) return CommittedBefore(spec, record, stop);
    Ledger ledger(*load->session, load->target.schema, clock_);
    ARROW_ASSIGN_OR_RAISE(const bool already, ledger.HasLoad(record.load_id, stop));
    if (already) {
      CommitResult result;
      result.already = true;
      return result;
    }
    ARROW_ASSIGN_OR_RAISE(auto last, ledger.Newest(spec.identity, stop));
    ARROW_RETURN_NOT_OK(CheckChain(last, record));
    CommitResult result = load->result;
    if (load->keys_lost && last && last->rows > 0) {
      result.warnings.push_back(sql::TrackingLost("_dxt_keys"));
    }
    ARROW_RETURN_NOT_OK(MakeVisible(spec, *load, guards, result, stop));
    LoadRecord row = record;
    row.fingerprint = spec.identity.fingerprint;
    row.target = load->target.Quoted();
    row.rows = result.rows_written;
    row.rows_deleted = result.rows_deleted;
    ARROW_RETURN_NOT_OK(ledger.Insert(spec.identity, spec.epoch, row, stop));
    ARROW_RETURN_NOT_OK(ledger.CheckFence(spec.identity, spec.epoch, stop));
    const auto committed =
        load->session->Execute("COMMIT", "Committing to " + load->target.Quoted());
    if (committed.ok()) {
      database_->Keep();
      return result;
    }
    // A refused commit rolled back; only a failing disk leaves it open what was written.
    ErrorInfo info = GetErrorInfo(committed.status());
    info.outcome_unknown = info.code == "duckdb.io" || info.code == "duckdb.error";
    if (info.outcome_unknown) database_->Keep();
    return MakeError(std::move(info), committed.status().message());
  }

  void Discard(std::span<const WriteReceipt> receipts) noexcept override {
    Take(receipts);
  }

  arrow::Result<bool> Resolve(const StreamIdentity& identity, std::string_view load_id,
                              std::stop_token stop) override {
    ARROW_ASSIGN_OR_RAISE(auto session, Look(stop));
    if (!session) return false;
    ARROW_ASSIGN_OR_RAISE(auto name,
                          FindTable(*session, identity.target, default_schema_, stop));
    Ledger ledger(*session, name.schema, clock_);
    ARROW_ASSIGN_OR_RAISE(const bool exists, ledger.Exists(stop));
    if (!exists) return false;
    return ledger.HasLoad(load_id, stop);
  }

  /// Nothing to sweep: tables that are filled live in the writer's own transaction.
  arrow::Status Sweep(const StreamIdentity&, std::stop_token) override {
    return arrow::Status::OK();
  }

 private:
  /// A session for reading; null when the file does not exist, which is not made here.
  arrow::Result<std::unique_ptr<Session>> Look(std::stop_token stop) {
    if (!database_) {
      std::error_code ignored;
      if (path_ != ":memory:" && !fs::exists(path_, ignored)) return nullptr;
      ARROW_ASSIGN_OR_RAISE(database_,
                            pool_->Open(path_, /*create=*/true, context_, stop));
    }
    return database_->Connect(/*writable=*/false, stop);
  }

  arrow::Result<std::unique_ptr<Session>> OpenForWriting(std::stop_token stop) {
    if (!database_) {
      ARROW_ASSIGN_OR_RAISE(database_,
                            pool_->Open(path_, /*create=*/true, context_, stop));
    }
    return database_->Connect(/*writable=*/true, stop);
  }

  static arrow::Result<int64_t> Count(Session& session, const TableName& name,
                                      std::stop_token stop) {
    ARROW_ASSIGN_OR_RAISE(auto rows, session.Rows("SELECT count(*) FROM " + name.Quoted(),
                                                  "Counting " + name.Quoted(), stop));
    return std::stoll(rows.at(0).at(0).value_or("0"));
  }

  arrow::Result<std::vector<Ownership>> AcquireOnce(
      Session& session, std::span<const StreamIdentity> identities, const Owner& owner,
      std::stop_token stop) {
    std::vector<std::string> schemas;
    for (const auto& identity : identities) {
      ARROW_ASSIGN_OR_RAISE(auto name,
                            FindTable(session, identity.target, default_schema_, stop));
      if (!name.schema_exists) {
        ARROW_RETURN_NOT_OK(session
                                .Execute("CREATE SCHEMA IF NOT EXISTS " +
                                             sql::QuoteIdentifier(name.schema),
                                         "Making the schema " + name.schema, stop)
                                .status());
      }
      Ledger ledger(session, name.schema, clock_);
      ARROW_ASSIGN_OR_RAISE(const bool exists, ledger.Exists(stop));
      if (!exists) ARROW_RETURN_NOT_OK(ledger.Create(stop));
      schemas.push_back(name.schema);
    }
    ARROW_RETURN_NOT_OK(
        session.Execute("BEGIN TRANSACTION", "Taking over", stop).status());
    auto owned = Bump(session, schemas, identities, owner, stop);
    const auto ended =
        session.Execute(owned.ok() ? "COMMIT" : "ROLLBACK", "Taking over the stream");
    if (!owned.ok() || ended.ok()) return owned;
    // Two first owners of one stream: the key of the fence decides at commit.
    if (GetErrorInfo(ended.status()).code != "duckdb.duplicate_key")
      return ended.status();
    return MakeError(ErrorClass::kTransient, "duckdb.conflict", ended.status().message());
  }

  arrow::Result<std::vector<Ownership>> Bump(Session& session,
                                             const std::vector<std::string>& schemas,
                                             std::span<const StreamIdentity> identities,
                                             const Owner& owner, std::stop_token stop) {
    std::vector<Ownership> owned;
    for (size_t i = 0; i < identities.size(); ++i) {
      Ledger ledger(session, schemas[i], clock_);
      if (owner.admits) {
        ARROW_ASSIGN_OR_RAISE(const auto lanes, ledger.Lanes(identities[i], stop));
        ARROW_RETURN_NOT_OK(owner.admits(lanes));
      }
      Ownership ownership;
      ARROW_ASSIGN_OR_RAISE(ownership.epoch,
                            ledger.Bump(identities[i], owner.text, stop));
      ARROW_ASSIGN_OR_RAISE(ownership.last, ledger.Newest(identities[i], stop));
      owned.push_back(std::move(ownership));
    }
    return owned;
  }

  std::unique_ptr<HeldLoad> Take(std::span<const WriteReceipt> receipts) noexcept {
    const std::lock_guard lock(held_->mutex);
    for (const auto& receipt : receipts) {
      const auto found = held_->loads.find(receipt.handle);
      if (found == held_->loads.end()) continue;
      auto load = std::move(found->second);
      held_->loads.erase(found);
      return load;
    }
    return nullptr;
  }

  /// A receipt whose transaction is gone: the load is in the ledger, or it is lost.
  arrow::Result<CommitResult> CommittedBefore(const WriteSpec& spec,
                                              const LoadRecord& record,
                                              std::stop_token stop) {
    ARROW_ASSIGN_OR_RAISE(const bool committed,
                          Resolve(spec.identity, record.load_id, stop));
    if (committed) {
      CommitResult result;
      result.already = true;
      return result;
    }
    return MakeError(ErrorClass::kTransient, "load.lost",
                     "The transaction that held the load " + record.load_id + " is gone");
  }

  arrow::Status MakeVisible(const WriteSpec& spec, HeldLoad& load,
                            const CommitGuards& guards, CommitResult& result,
                            std::stop_token stop) {
    if (spec.table.mode == LoadMode::kMirror || spec.table.history.closes_unseen) {
      return CheckDeletes(guards, load.rows_loaded, load.rows_before,
                          result.rows_deleted);
    }
    if (spec.table.mode != LoadMode::kReplace || spec.plan.create)
      return arrow::Status::OK();
    int64_t before = result.rows_deleted;  // A rewrite has deleted them already.
    if (load.swap) {
      ARROW_ASSIGN_OR_RAISE(before, Count(*load.session, load.target, stop));
    }
    ARROW_RETURN_NOT_OK(CheckGuards(guards, before, result.rows_written));
    result.rows_deleted = before;
    if (!load.swap) return arrow::Status::OK();
    return Swap(*load.session, load.target, load.fill_table, load.carry, stop);
  }

  std::shared_ptr<DatabasePool> pool_;
  const std::string path_;
  const std::string default_schema_;
  const ConnectorContext context_;
  Clock& clock_;
  std::shared_ptr<Database> database_;
  std::shared_ptr<HeldLoads> held_ = std::make_shared<HeldLoads>();  // Rolled back first.
};

}  // namespace

std::unique_ptr<Destination> MakeDestination(std::shared_ptr<DatabasePool> pool,
                                             std::string path, std::string default_schema,
                                             const ConnectorContext& context) {
  return std::make_unique<DuckdbDestination>(std::move(pool), std::move(path),
                                             std::move(default_schema), context);
}

}  // namespace dxt::duckdb
