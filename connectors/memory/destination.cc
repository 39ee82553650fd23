#include "connectors/memory/destination.h"

#include <map>
#include <mutex>

#include <arrow/api.h>

#include "base/error.h"
#include "connectors/memory/database.h"
#include "connectors/sdk/cursor.h"
#include "connectors/sql/identifier.h"
#include "connectors/sql/keyed.h"

namespace dxt::memory {
namespace {

using Batches = std::vector<std::shared_ptr<arrow::RecordBatch>>;

/// Windows that are finished and not committed, by handle. Shared with Writers, which may
/// run on other threads.
struct Held {
  std::mutex mutex;
  std::map<std::string, Batches> windows;
  int64_t made = 0;
};

ValueDomain DomainOf(const FieldType& type) {
  ValueDomain domain;
  domain.deliver = type;
  domain.infinite_time = true;
  domain.fraction_digits = type.nanoseconds ? 9 : 6;
  return domain;
}

class MemoryWriter final : public Writer {
 public:
  MemoryWriter(std::shared_ptr<MemoryDatabase> database, std::shared_ptr<Held> held,
               std::shared_ptr<arrow::Schema> schema)
      : database_(std::move(database)),
        held_(std::move(held)),
        schema_(std::move(schema)) {}

  arrow::Status Append(const arrow::RecordBatch& batch, std::stop_token stop) override {
    ARROW_RETURN_NOT_OK(database_->Step("append", stop));
    if (!batch.schema()->Equals(*schema_, /*check_metadata=*/false)) {
      return MakeError(
          ErrorClass::kInternal, "memory.schema",
          "A batch has another schema than its writer: " + batch.schema()->ToString());
    }
    batches_.push_back(batch.Slice(0));
    return arrow::Status::OK();
  }

  arrow::Result<WriteReceipt> Finish(std::stop_token stop) override {
    ARROW_RETURN_NOT_OK(database_->Step("finish", stop));
    WriteReceipt receipt;
    for (const auto& batch : batches_) receipt.rows += batch->num_rows();
    const std::lock_guard lock(held_->mutex);
    receipt.handle = std::to_string(++held_->made);
    held_->windows[receipt.handle] = std::move(batches_);
    return receipt;
  }

  void Abort() noexcept override { batches_.clear(); }

 private:
  std::shared_ptr<MemoryDatabase> database_;
  std::shared_ptr<Held> held_;
  std::shared_ptr<arrow::Schema> schema_;
  Batches batches_;
};

arrow::Status CheckExisting(const TableSpec& wanted, const TargetTable& existing) {
  for (const auto& column : existing.columns) {
    if (column.nullable || column.has_default) continue;
    if (sql::IsTimeColumn(wanted, column.name)) continue;
    bool found = false;
    for (const auto& candidate : wanted.columns) found |= candidate.name == column.name;
    if (!found) {
      return MakeError(ErrorClass::kConfig, "target.column_required",
                       "The target " + wanted.reference +
                           " needs a value for its column '" + column.name +
                           "', which the stream does not have");
    }
  }
  return arrow::Status::OK();
}

class MemoryDestination final : public Destination {
 public:
  explicit MemoryDestination(std::shared_ptr<MemoryDatabase> database)
      : database_(std::move(database)), held_(std::make_shared<Held>()) {}

  arrow::Status Check(std::stop_token stop) override {
    return database_->Step("check", stop);
  }

  arrow::Result<TargetTable> Describe(const std::string& reference,
                                      std::stop_token stop) override {
    ARROW_RETURN_NOT_OK(database_->Step("describe", stop));
    ARROW_ASSIGN_OR_RAISE(const auto parts, sql::SplitReference(reference));
    TargetTable target;
    target.reference = sql::QuoteReference(parts);
    const auto table = database_->Table(reference);
    if (!table) return target;
    target.exists = true;
    target.ident = table->ident;
    target.empty = table->rows() == 0;
    for (const auto& field : table->schema.fields) {
      TargetColumn column;
      column.name = field.name;
      column.native = {"memory", ToString(field.type)};
      column.nullable = field.nullable;
      column.domain = DomainOf(field.type);
      target.columns.push_back(std::move(column));
    }
    if (!table->schema.primary_key.empty()) {
      target.unique_keys.push_back(table->schema.primary_key);
    }
    return target;
  }

  arrow::Result<TablePlan> PlanTable(const TableSpec& wanted,
                                     const TargetTable& existing) const override {
    if (wanted.mode == LoadMode::kMirror || wanted.mode == LoadMode::kDeleteInsert) {
      return MakeError(
          ErrorClass::kUnsupported, "target.mode",
          "A memory database cannot do mode " + std::string(LoadModeName(wanted.mode)),
          "Use replace or upsert");
    }
    TablePlan plan;
    plan.create = !existing.exists;
    plan.strategy = plan.create ? "create" : std::string(LoadModeName(wanted.mode));
    if (wanted.mode == LoadMode::kHistory) {
      plan.strategy_reason = HistoryText(wanted.history);
    }
    for (const auto& column : wanted.columns) {
      ARROW_ASSIGN_OR_RAISE(auto planned, PlanColumn(wanted, column, existing));
      plan.columns.push_back(std::move(planned));
    }
    ARROW_RETURN_NOT_OK(sql::CheckKeys(wanted));
    if (!plan.create) {
      ARROW_RETURN_NOT_OK(CheckExisting(wanted, existing));
      for (const auto& time : wanted.TimeColumns()) {
        ARROW_RETURN_NOT_OK(
            sql::CheckTimeColumn(existing, time, existing.Find(time.name), "timestamp_tz",
                                 [](auto type) { return type == "timestamp_tz"; }));
      }
      ARROW_RETURN_NOT_OK(sql::CheckHistoryKeys(wanted, existing));
      return plan;
    }
    std::string ddl = "CREATE TABLE " + existing.reference + " (";
    for (size_t i = 0; i < plan.columns.size(); ++i) {
      ddl += (i > 0 ? ", " : "") + sql::QuoteIdentifier(plan.columns[i].name) + " " +
             plan.columns[i].native;
    }
    for (const auto& time : wanted.TimeColumns()) {
      ddl += ", " + sql::QuoteIdentifier(time.name) + " timestamp_tz";
    }
    plan.ddl.push_back(ddl + ")");
    return plan;
  }

  arrow::Result<std::optional<int64_t>> CountRows(const std::string& reference,
                                                  std::stop_token) override {
    const auto table = database_->Table(reference);
    return table ? table->rows() : 0;
  }

  arrow::Result<std::optional<std::string>> MaxCursor(const std::string& reference,
                                                      const std::string& column,
                                                      const FieldType& type,
                                                      std::stop_token) override {
    std::optional<std::string> largest;
    const auto table = database_->Table(reference);
    if (!table) return largest;
    for (const auto& batch : table->batches) {
      const auto values = batch->GetColumnByName(column);
      if (!values) {
        return MakeError(ErrorClass::kConfig, "memory.column_missing",
                         "The table '" + reference + "' has no column '" + column + "'");
      }
      for (int64_t row = 0; row < values->length(); ++row) {
        if (values->IsNull(row)) continue;
        ARROW_ASSIGN_OR_RAISE(auto text, CursorText(*values, row, type));
        if (!largest || CompareCursors(*largest, text, type) < 0)
          largest = std::move(text);
      }
    }
    return largest;
  }

  arrow::Result<std::optional<LoadRecord>> Peek(const StreamIdentity& identity,
                                                std::stop_token) override {
    return database_->Newest(identity);
  }

  arrow::Result<std::vector<std::string>> Lanes(const StreamIdentity& identity,
                                                std::stop_token) override {
    return database_->Lanes(identity);
  }

  arrow::Result<bool> SharedTarget(const StreamIdentity& identity,
                                   std::stop_token) override {
    return database_->OtherPipeline(identity);
  }

  arrow::Result<std::vector<Ownership>> Acquire(
      std::span<const StreamIdentity> identities, const Owner& owner,
      std::stop_token stop) override {
    ARROW_RETURN_NOT_OK(database_->Step("acquire", stop));
    std::vector<Ownership> owned;
    for (const auto& identity : identities) {
      ARROW_ASSIGN_OR_RAISE(const int64_t epoch, database_->BumpFence(identity, owner));
      owned.push_back({epoch, database_->Newest(identity)});
    }
    return owned;
  }

  arrow::Result<std::unique_ptr<Writer>> OpenWriter(const WriteSpec& spec,
                                                    std::stop_token stop) override {
    ARROW_RETURN_NOT_OK(database_->Step("open_writer", stop));
    return std::make_unique<MemoryWriter>(database_, held_, spec.schema);
  }

  arrow::Result<CommitResult> Commit(const WriteSpec& spec, const LoadRecord& record,
                                     std::span<const WriteReceipt> receipts,
                                     const CommitGuards& guards,
                                     std::stop_token stop) override {
    ARROW_RETURN_NOT_OK(database_->Step("commit", stop));
    Batches batches;
    {
      const std::lock_guard lock(held_->mutex);
      for (const auto& receipt : receipts) {
        const auto found = held_->windows.find(receipt.handle);
        if (found == held_->windows.end()) continue;  // Committed before: Apply says so.
        batches.insert(batches.end(), found->second.begin(), found->second.end());
      }
    }
    ARROW_ASSIGN_OR_RAISE(auto result, database_->Apply(spec, record, guards, batches));
    Discard(receipts);
    ARROW_RETURN_NOT_OK(database_->Step("commit_answer", stop));
    return result;
  }

  void Discard(std::span<const WriteReceipt> receipts) noexcept override {
    const std::lock_guard lock(held_->mutex);
    for (const auto& receipt : receipts) held_->windows.erase(receipt.handle);
  }

  arrow::Result<bool> Resolve(const StreamIdentity&, std::string_view load_id,
                              std::stop_token) override {
    return database_->HasLoad(load_id);
  }

  arrow::Status Sweep(const StreamIdentity&, std::stop_token) override {
    return arrow::Status::OK();
  }

 private:
  static arrow::Result<TablePlan::Column> PlanColumn(const TableSpec& wanted,
                                                     const WantedColumn& column,
                                                     const TargetTable& existing) {
    TablePlan::Column planned;
    planned.name = column.name;
    if (!existing.exists) {
      FieldType type = column.field.type;
      if (!column.native_override.empty()) {
        ARROW_ASSIGN_OR_RAISE(type, ParseFieldType(column.native_override));
      }
      planned.native = ToString(type);
      planned.domain = DomainOf(type);
      planned.nullable = column.nullable;
      planned.created = true;
      return planned;
    }
    const auto* found = existing.Find(column.name);
    if (!found) {
      return MakeError(
          ErrorClass::kConfig, "target.column_missing",
          "The target " + wanted.reference + " has no column '" + column.name + "'",
          "Leave it out with exclude, or drop the table so that it is made anew");
    }
    planned.native = found->native.type;
    planned.domain = found->domain;
    planned.nullable = found->nullable;
    return planned;
  }

  std::shared_ptr<MemoryDatabase> database_;
  std::shared_ptr<Held> held_;
};

}  // namespace

std::unique_ptr<Destination> MakeDestination(std::shared_ptr<MemoryDatabase> database) {
  return std::make_unique<MemoryDestination>(std::move(database));
}

}  // namespace dxt::memory
