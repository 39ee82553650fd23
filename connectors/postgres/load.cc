#include "connectors/postgres/load.h"

#include <algorithm>
#include <chrono>

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include "base/error.h"
#include "connectors/postgres/error.h"
#include "connectors/postgres/swap.h"
#include "connectors/postgres/table_plan.h"
#include "connectors/sql/identifier.h"

namespace dxt::postgres {
namespace {

using std::chrono::steady_clock;

constexpr int kLockTimeoutMs = 3000;
constexpr auto kCommitWait = std::chrono::minutes(10);

}  // namespace

arrow::Status Load::Prepare(const std::set<std::string>& text_types) {
  doing_ = "Writing " + spec_.target.reference;
  ARROW_ASSIGN_OR_RAISE(auto parts, sql::SplitReference(spec_.target.reference));
  if (parts.size() != 2) {
    return MakeError(
        ErrorClass::kInternal, "pg.reference",
        "The target reference is not schema.table: " + spec_.target.reference);
  }
  schema_ = parts[0];
  name_ = parts[1];
  target_ = sql::QuoteReference(parts);
  ARROW_RETURN_NOT_OK(PlanColumns(text_types));
  ChoosePath();
  return arrow::Status::OK();
}

arrow::Status Load::BeginTransaction(Connection& connection, std::stop_token stop) const {
  // READ COMMITTED, so that the heartbeat may write the fence's row meanwhile.
  return connection
      .Run("BEGIN ISOLATION LEVEL READ COMMITTED; " + SessionSettings(pool_.options()) +
               "SET LOCAL lock_timeout = '25s'; SET LOCAL application_name = '" +
               SessionName(spec_.identity, spec_.epoch) + "'",
           doing_, stop)
      .status();
}

arrow::Result<std::unique_ptr<Load>> Load::Begin(ConnectionPool& pool,
                                                 const WriteSpec& spec,
                                                 const std::set<std::string>& text_types,
                                                 std::stop_token stop) {
  std::unique_ptr<Load> load(new Load(pool, spec));
  ARROW_RETURN_NOT_OK(load->Prepare(text_types));
  ARROW_ASSIGN_OR_RAISE(load->connection_, pool.Take(stop));
  ARROW_RETURN_NOT_OK(load->BeginTransaction(*load->connection_, stop));
  load->heartbeat_ = Heartbeat::Start(pool, load->schema_, spec.identity, spec.epoch);
  ARROW_RETURN_NOT_OK(load->MakeTables(stop));
  ARROW_RETURN_NOT_OK(load->StartCopy(stop));
  return load;
}

Load::~Load() { Abandon(); }

void Load::Abandon() noexcept {
  heartbeat_.reset();
  if (!connection_) return;
  auto connection = std::move(connection_);
  // In the middle of a COPY nothing can be said but goodbye, which rolls back as well.
  const bool quiet = !connection->broken() && connection->between_statements();
  if (quiet && connection->Run("ROLLBACK", doing_, {}).ok()) {
    if (stage_stands_) DropStage(*connection, fresh_);
    pool_.Give(std::move(connection));
    return;
  }
  if (!stage_stands_) return;
  auto another = Lease::Take(pool_, {});
  if (another.ok()) DropStage(**another, fresh_);
}

void Load::Release() {
  heartbeat_.reset();
  stage_stands_ = false;
  pool_.Give(std::move(connection_));
}

arrow::Status Load::Explain(const arrow::Status& failure, const LoadPart* part) {
  const bool lost = part ? part->broken() : connection_ && connection_->broken();
  if (failure.ok() || !lost) return failure;
  return OrFenced(pool_, schema_, spec_.identity, spec_.epoch, failure);
}

arrow::Status Load::PlanColumns(const std::set<std::string>& text_types) {
  std::vector<EncodedColumn> encoded;
  for (size_t i = 0; i < spec_.plan.columns.size(); ++i) {
    const auto& planned = spec_.plan.columns[i];
    const PgType type = ParseType(planned.native);
    LoadColumn column;
    column.quoted = sql::QuoteIdentifier(planned.name);
    column.key = std::find(spec_.table.keys.begin(), spec_.table.keys.end(),
                           planned.name) != spec_.table.keys.end();
    column.exactly = ToldApartBy(type);
    const bool raw = i < spec_.raw.size() && spec_.raw[i];
    EncodedColumn out;
    out.name = planned.name;
    out.raw = raw;
    out.array = type.array;
    out.wire = type.wire;
    out.type = spec_.schema->field(static_cast<int>(i))->type();
    out.key = column.key && IsKeyed(spec_.table.mode);
    if (type.wire == Wire::kNone && !raw) {
      out.wire = Wire::kText;
      if (type.array || !text_types.contains(planned.native)) {
        column.cast = CastFromText(type, planned.native);
      }
    }
    column.staged = column.cast.empty() ? planned.native : type.array ? "text[]" : "text";
    columns_.push_back(std::move(column));
    encoded.push_back(std::move(out));
  }
  const bool keyed = IsKeyed(spec_.table.mode);
  if (shared_) {
    encoded_ = std::move(encoded);
    return arrow::Status::OK();
  }
  ARROW_ASSIGN_OR_RAISE(encoder_, CopyEncoder::Make(std::move(encoded), keyed));
  return arrow::Status::OK();
}

void Load::ChoosePath() {
  const bool casts = std::any_of(columns_.begin(), columns_.end(),
                                 [](const auto& column) { return !column.cast.empty(); });
  path_ = casts ? LoadPath::kInsert : LoadPath::kDirect;
  if (IsKeyed(spec_.table.mode)) path_ = LoadPath::kKeyed;
  if (spec_.table.mode == LoadMode::kReplace && spec_.target.exists) {
    path_ = spec_.plan.strategy == "swap"       ? LoadPath::kSwap
            : spec_.plan.strategy == "recreate" ? LoadPath::kRecreate
                                                : LoadPath::kRewrite;
  }
  const bool staged = path_ == LoadPath::kKeyed || path_ == LoadPath::kRewrite || casts;
  std::string suffix = spec_.load_id;
  for (char& c : suffix) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  // One epoch makes one such table, so an older one is never taken for it.
  const std::string name =
      "_dxt_s_" + suffix + (shared_ ? "_" + std::to_string(spec_.epoch) : "");
  if (staged) stage_ = sql::QuoteReference({"pg_temp", name});
  const bool swapped = path_ == LoadPath::kSwap || path_ == LoadPath::kRecreate;
  if (swapped || (shared_ && spec_.plan.create)) {
    fresh_ = sql::QuoteReference({schema_, name});
  }
}

arrow::Status Load::Run(const std::string& sql, std::stop_token stop) {
  return connection_->Run(sql, doing_, stop).status();
}

arrow::Result<int64_t> Load::Count(const std::string& sql, std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(auto result, connection_->Run(sql, doing_, stop));
  return result.affected();
}

std::string Load::ColumnList() const {
  std::vector<std::string> names;
  for (const auto& column : columns_) names.push_back(column.quoted);
  return sql::Joined(names);
}

std::string Load::InsertFromStage(const std::string& table) const {
  std::vector<std::string> values;
  for (const auto& column : columns_) values.push_back(column.Value(""));
  return "INSERT INTO " + table + " (" + ColumnList() + ") SELECT " +
         sql::Joined(values) + " FROM " + stage_;
}

arrow::Status Load::MakeTables(std::stop_token stop) {
  if (spec_.plan.create) {
    if (!spec_.target.container_exists) {
      ARROW_RETURN_NOT_OK(
          Run("CREATE SCHEMA IF NOT EXISTS " + sql::QuoteIdentifier(schema_), stop));
    }
    const auto columns = ColumnsToCreate(spec_.table, spec_.plan);
    const std::string& table = fresh_.empty() ? target_ : fresh_;
    ARROW_RETURN_NOT_OK(Run(NewTableSql(table, columns, {}).create, stop));
  } else if (path_ == LoadPath::kRecreate) {
    ARROW_RETURN_NOT_OK(Run(NewTableSql(fresh_, spec_.plan.columns, {}).create, stop));
  } else if (path_ == LoadPath::kSwap) {
    ARROW_ASSIGN_OR_RAISE(fingerprint_, TableFingerprint(*connection_, target_, stop));
    ARROW_RETURN_NOT_OK(MakeReplacement(*connection_, target_, fresh_, stop));
  }
  return stage_.empty() ? arrow::Status::OK() : MakeStage(stop);
}

arrow::Status Load::MakeStage(std::stop_token stop) {
  std::string body;
  for (const auto& column : columns_) {
    body += (body.empty() ? "" : ", ") + column.quoted + " " + column.staged;
  }
  if (path_ == LoadPath::kKeyed) body += ", " + std::string(kOrdinal) + " bigint";
  return Run("CREATE TEMPORARY TABLE " + stage_ + " (" + body + ") ON COMMIT DROP", stop);
}

arrow::Status Load::StartCopy(std::stop_token stop) {
  const bool made_here = stage_.empty() && (spec_.plan.create || !fresh_.empty());
  std::string columns = ColumnList();
  if (path_ == LoadPath::kKeyed) columns += ", " + std::string(kOrdinal);
  const std::string& into = !stage_.empty() ? stage_ : !fresh_.empty() ? fresh_ : target_;
  return connection_->StartCopyIn("COPY " + into + " (" + columns +
                                      ") FROM STDIN (FORMAT binary" +
                                      (made_here ? ", FREEZE" : "") + ")",
                                  doing_, stop);
}

arrow::Status Load::Append(const arrow::RecordBatch& batch, std::stop_token stop) {
  return encoder_->Write(batch, [&](std::string_view bytes) {
    return connection_->PutCopyData(bytes, doing_, stop);
  });
}

arrow::Status Load::RefuseNullKeys() const {
  if (spec_.null_keys_match || encoder_->null_keys().empty()) return arrow::Status::OK();
  ErrorInfo info;
  info.error_class = ErrorClass::kData;
  info.code = "load.null_key";
  info.hint = "Filter such rows out, or set `null_key: match`";
  return MakeError(std::move(info),
                   "Rows with NULL in a key column cannot be loaded by key into " +
                       spec_.target.reference + ": " +
                       sql::Joined(encoder_->null_keys()));
}

arrow::Status Load::Finish(std::stop_token stop) {
  ARROW_RETURN_NOT_OK(encoder_->Finish([&](std::string_view bytes) {
    return connection_->PutCopyData(bytes, doing_, stop);
  }));
  ARROW_RETURN_NOT_OK(connection_->EndCopyIn(doing_, stop).status());
  ARROW_RETURN_NOT_OK(RefuseNullKeys());
  const std::string& into = fresh_.empty() ? target_ : fresh_;
  const bool insert_now =
      !stage_.empty() && (path_ == LoadPath::kInsert || !fresh_.empty());
  if (insert_now) ARROW_RETURN_NOT_OK(Run(InsertFromStage(into), stop));
  if (path_ == LoadPath::kKeyed) {
    ARROW_RETURN_NOT_OK(Run("ANALYZE " + stage_, stop));
  } else if (spec_.plan.create) {
    ARROW_RETURN_NOT_OK(AddKey(target_, stop));
  } else if (path_ == LoadPath::kRecreate) {
    ARROW_RETURN_NOT_OK(AddKey(fresh_, stop));
  } else if (path_ == LoadPath::kSwap) {
    ARROW_ASSIGN_OR_RAISE(after_swap_,
                          CarryOver(*connection_, target_, fresh_, spec_.load_id, stop));
  }
  return arrow::Status::OK();
}

arrow::Status Load::AddKey(const std::string& table, std::stop_token stop) {
  const auto key = NewTableSql(table, spec_.plan.columns, spec_.table.keys).add_key;
  return key.empty() ? arrow::Status::OK() : Run(key, stop);
}

arrow::Status Load::LockTarget(std::string_view mode, std::stop_token stop) {
  const auto deadline = steady_clock::now() + kCommitWait;
  ARROW_RETURN_NOT_OK(Run("SET LOCAL lock_timeout = " + std::to_string(kLockTimeoutMs) +
                              "; SAVEPOINT _dxt_lock",
                          stop));
  for (int attempt = 0;; ++attempt) {
    const auto status =
        Run("LOCK TABLE " + target_ + " IN " + std::string(mode) + " MODE", stop);
    if (status.ok()) return status;
    if (!HasSqlState(status, "55P03") || steady_clock::now() > deadline) return status;
    ARROW_RETURN_NOT_OK(Run("ROLLBACK TO SAVEPOINT _dxt_lock", stop));
    // Between attempts others get their turn; the pause differs between processes.
    const int jitter = 100 + (connection_->backend_pid() + attempt * 37) % 200;
    if (!connection_->Sleep(jitter, stop)) return Cancelled(doing_);
  }
}

arrow::Status Load::Swap(std::stop_token stop) {
  ARROW_RETURN_NOT_OK(LockTarget("ACCESS EXCLUSIVE", stop));
  if (path_ == LoadPath::kSwap) {
    ARROW_ASSIGN_OR_RAISE(const auto now, TableFingerprint(*connection_, target_, stop));
    if (now != fingerprint_) {
      return MakeError(ErrorClass::kTransient, "pg.target_changed",
                       "The table " + spec_.target.reference +
                           " was altered while it was being replaced",
                       "A retry plans again");
    }
  }
  ARROW_RETURN_NOT_OK(Run("DROP TABLE " + target_, stop));
  ARROW_RETURN_NOT_OK(
      Run("ALTER TABLE " + fresh_ + " RENAME TO " + sql::QuoteIdentifier(name_), stop));
  for (const auto& statement : after_swap_) ARROW_RETURN_NOT_OK(Run(statement, stop));
  return arrow::Status::OK();
}

arrow::Result<CommitResult> Load::Apply(const CommitGuards& guards,
                                        const std::optional<LoadRecord>& last,
                                        std::stop_token stop) {
  CommitResult result;
  result.rows_written = rows();
  switch (path_) {
    case LoadPath::kDirect:
    case LoadPath::kInsert:
      break;
    case LoadPath::kKeyed: {
      ARROW_ASSIGN_OR_RAISE(result, ApplyKeyed(guards, last, stop));
      break;
    }
    case LoadPath::kRewrite:
      ARROW_RETURN_NOT_OK(LockTarget("ACCESS EXCLUSIVE", stop));
      ARROW_RETURN_NOT_OK(Run("TRUNCATE " + target_, stop));
      ARROW_RETURN_NOT_OK(Run(InsertFromStage(target_), stop));
      break;
    case LoadPath::kSwap:
    case LoadPath::kRecreate:
      ARROW_RETURN_NOT_OK(Swap(stop));
      break;
  }
  ARROW_ASSIGN_OR_RAISE(auto ident,
                        connection_->Query("SELECT pg_catalog.to_regclass($1)::oid::text",
                                           {target_}, doing_, stop));
  result.target_ident = ident.Text(0, 0);
  return result;
}

}  // namespace dxt::postgres
