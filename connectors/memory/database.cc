#include "connectors/memory/database.h"

#include <algorithm>

#include <arrow/api.h>

#include "base/clock.h"
#include "base/error.h"
#include "connectors/memory/merge.h"
#include "connectors/memory/versions.h"
#include "connectors/sdk/guards.h"
#include "connectors/sql/identifier.h"

namespace dxt::memory {
namespace {

using Batches = std::vector<std::shared_ptr<arrow::RecordBatch>>;

KnownKeys KnownKeysOf(const WriteSpec& spec) {
  if (spec.table.mode == LoadMode::kInsertOnly) return KnownKeys::kStay;
  return spec.keep_newer ? KnownKeys::kUpdateOlder : KnownKeys::kUpdate;
}

/// The table that a load into nothing makes: its keys become the primary key.
MemoryTable NewTable(const WriteSpec& spec, std::string ident) {
  MemoryTable table;
  table.ident = std::move(ident);
  for (size_t i = 0; i < spec.plan.columns.size(); ++i) {
    const auto& column = spec.plan.columns[i];
    table.schema.fields.push_back(
        {column.name, column.domain.deliver, column.nullable, {"memory", column.native}});
  }
  for (const auto& time : spec.table.TimeColumns()) {
    table.schema.fields.push_back(
        {time.name, {DType::kTimestampTz}, time.nullable, {"memory", "timestamp_tz"}});
  }
  table.schema.primary_key =
      spec.table.mode == LoadMode::kHistory ? spec.table.PrimaryKey() : spec.table.keys;
  return table;
}

}  // namespace

int64_t MemoryTable::rows() const {
  int64_t rows = 0;
  for (const auto& batch : batches) rows += batch->num_rows();
  return rows;
}

std::shared_ptr<arrow::Schema> MemoryTable::arrow_schema() const {
  return ArrowSchema(schema);
}

arrow::Status MemoryDatabase::Seed(const std::string& reference, StreamSchema schema,
                                   Batches batches) {
  ARROW_ASSIGN_OR_RAISE(const auto parts, sql::SplitReference(reference));
  MemoryTable table;
  table.schema = std::move(schema);
  const auto arrow_schema = table.arrow_schema();
  for (const auto& batch : batches) {
    ARROW_ASSIGN_OR_RAISE(auto aligned, Aligned(batch, arrow_schema));
    table.batches.push_back(std::move(aligned));
  }
  const std::lock_guard lock(mutex_);
  table.ident = std::to_string(++made_);
  tables_[sql::ReferenceText(parts)] =
      std::make_shared<const MemoryTable>(std::move(table));
  return arrow::Status::OK();
}

std::shared_ptr<const MemoryTable> MemoryDatabase::FindLocked(
    const std::string& reference, std::string* name) const {
  const auto parts = sql::SplitReference(reference);
  if (!parts.ok()) return nullptr;
  *name = sql::ReferenceText(*parts);
  std::vector<std::string> names;
  for (const auto& [known, table] : tables_) names.push_back(known);
  const int found = sql::MatchName(names, *name);
  if (found < 0) return nullptr;
  *name = names[found];
  return tables_.at(*name);
}

std::shared_ptr<const MemoryTable> MemoryDatabase::Table(
    const std::string& reference) const {
  const std::lock_guard lock(mutex_);
  std::string name;
  return FindLocked(reference, &name);
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> MemoryDatabase::Rows(
    const std::string& reference) const {
  const auto table = Table(reference);
  if (!table) return arrow::Status::KeyError("no table ", reference);
  return Joined(table->batches, table->arrow_schema());
}

void MemoryDatabase::Drop(const std::string& reference) {
  const std::lock_guard lock(mutex_);
  std::string name;
  if (FindLocked(reference, &name)) tables_.erase(name);
}

std::vector<std::string> MemoryDatabase::References() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, table] : tables_) names.push_back(name);
  return names;
}

std::vector<MemoryLoad> MemoryDatabase::Loads() const {
  const std::lock_guard lock(mutex_);
  return loads_;
}

void MemoryDatabase::Before(std::string step, Action action) {
  const std::lock_guard lock(mutex_);
  actions_[std::move(step)].push_back(std::move(action));
}

void MemoryDatabase::FailNext(const std::string& step,
                              std::optional<arrow::Status> error) {
  if (!error) {
    ErrorInfo info;
    info.error_class = ErrorClass::kTransient;
    info.code = "memory.injected";
    info.outcome_unknown = step == "commit_answer";
    error = MakeError(std::move(info), "The step '" + step + "' was told to fail");
  }
  Before(step, [failure = *error](std::stop_token) { return failure; });
}

int64_t MemoryDatabase::Count(const std::string& step) const {
  const std::lock_guard lock(mutex_);
  const auto found = counts_.find(step);
  return found == counts_.end() ? 0 : found->second;
}

arrow::Status MemoryDatabase::Step(const std::string& step, std::stop_token stop) {
  Action action;
  {
    const std::lock_guard lock(mutex_);
    ++counts_[step];
    auto& waiting = actions_[step];
    if (!waiting.empty()) {
      action = std::move(waiting.front());
      waiting.erase(waiting.begin());
    }
  }
  if (action) ARROW_RETURN_NOT_OK(action(stop));
  if (stop.stop_requested() && step != "commit_answer") {
    return MakeError(ErrorClass::kCancelled, "cancelled", "Cancelled");
  }
  return arrow::Status::OK();
}

MemoryDatabase::LaneKey MemoryDatabase::KeyOf(const StreamIdentity& identity) {
  return {identity.pipeline, {identity.stream, identity.lane}};
}

std::optional<LoadRecord> MemoryDatabase::NewestLocked(
    const StreamIdentity& identity) const {
  for (auto load = loads_.rbegin(); load != loads_.rend(); ++load) {
    if (KeyOf(load->identity) == KeyOf(identity)) return load->record;
  }
  return std::nullopt;
}

std::optional<LoadRecord> MemoryDatabase::Newest(const StreamIdentity& identity) const {
  const std::lock_guard lock(mutex_);
  return NewestLocked(identity);
}

std::vector<std::string> MemoryDatabase::Lanes(const StreamIdentity& identity) const {
  const std::lock_guard lock(mutex_);
  return LanesLocked(identity);
}

std::vector<std::string> MemoryDatabase::LanesLocked(
    const StreamIdentity& identity) const {
  std::vector<std::string> lanes;
  for (const auto& [key, epoch] : fences_) {
    const auto& [pipeline, chain] = key;
    if (pipeline == identity.pipeline && chain.first == identity.stream) {
      lanes.push_back(chain.second);
    }
  }
  return lanes;
}

bool MemoryDatabase::OtherPipeline(const StreamIdentity& identity) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(loads_.begin(), loads_.end(), [&](const MemoryLoad& load) {
    return load.identity.target == identity.target &&
           load.identity.pipeline != identity.pipeline;
  });
}

bool MemoryDatabase::HasLoad(std::string_view load_id) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(loads_.begin(), loads_.end(), [&](const MemoryLoad& load) {
    return load.record.load_id == load_id;
  });
}

arrow::Result<int64_t> MemoryDatabase::BumpFence(const StreamIdentity& identity,
                                                 const Owner& owner) {
  const std::lock_guard lock(mutex_);
  if (owner.admits) ARROW_RETURN_NOT_OK(owner.admits(LanesLocked(identity)));
  return ++fences_[KeyOf(identity)];
}

arrow::Result<CommitResult> MemoryDatabase::Apply(const WriteSpec& spec,
                                                  const LoadRecord& record,
                                                  const CommitGuards& guards,
                                                  const Batches& batches) {
  const std::lock_guard lock(mutex_);
  CommitResult result;
  for (const auto& load : loads_) {
    if (load.record.load_id != record.load_id) continue;
    result.already = true;
    result.target_ident = load.record.target_ident;
    return result;
  }
  const auto fence = fences_.find(KeyOf(spec.identity));
  if (fence == fences_.end() || fence->second != spec.epoch) {
    return MakeError(
        ErrorClass::kFenced, "load.fenced",
        "Another run has taken over the stream '" + spec.identity.stream + "'");
  }
  ARROW_RETURN_NOT_OK(CheckChain(NewestLocked(spec.identity), record));

  std::string name;
  const auto old = FindLocked(spec.table.reference, &name);
  const LoadMode mode = spec.table.mode;
  MemoryTable table = old ? *old : NewTable(spec, std::to_string(made_ + 1));
  const auto schema = table.arrow_schema();
  Batches fresh;
  for (const auto& batch : batches) {
    ARROW_ASSIGN_OR_RAISE(auto aligned,
                          Aligned(batch, IsKeyed(mode) ? spec.schema : schema));
    result.rows_written += aligned->num_rows();
    fresh.push_back(std::move(aligned));
  }
  if (mode == LoadMode::kHistory) {
    ARROW_ASSIGN_OR_RAISE(auto before, Joined(table.batches, schema));
    ARROW_ASSIGN_OR_RAISE(auto rows, Joined(fresh, spec.schema));
    ARROW_ASSIGN_OR_RAISE(auto kept,
                          KeepVersions(before, rows, spec, SystemClock().Now()));
    if (spec.table.history.closes_unseen) {
      ARROW_RETURN_NOT_OK(
          CheckDeletes(guards, result.rows_written, kept.open_before, kept.unseen));
    }
    result.rows_written = kept.opened;
    result.rows_deleted = kept.unseen;
    result.rows_deduplicated = kept.deduplicated;
    table.batches = {kept.rows};
  } else if (IsKeyed(mode)) {
    ARROW_ASSIGN_OR_RAISE(auto before, Joined(table.batches, schema));
    ARROW_ASSIGN_OR_RAISE(auto rows, Joined(fresh, spec.schema));
    ARROW_ASSIGN_OR_RAISE(auto merged,
                          Merge(before, rows, spec.table.keys, spec.dedup_column,
                                spec.duplicate_keys_fail, KnownKeysOf(spec)));
    result.rows_written = merged.written;
    result.rows_deduplicated = merged.deduplicated;
    table.batches = {merged.rows};
  } else if (mode == LoadMode::kReplace) {
    const int64_t before = old ? old->rows() : 0;
    ARROW_RETURN_NOT_OK(CheckGuards(guards, before, result.rows_written));
    result.rows_deleted = before;
    table.batches = std::move(fresh);
  } else {
    table.batches.insert(table.batches.end(), fresh.begin(), fresh.end());
  }
  if (!old) ++made_;
  result.target_ident = table.ident;
  MemoryLoad load{spec.identity, spec.epoch, record};
  load.record.fingerprint = spec.identity.fingerprint;
  load.record.target = spec.identity.target;
  load.record.target_ident = table.ident;
  load.record.rows = result.rows_written;
  load.record.rows_deleted = result.rows_deleted;
  load.record.committed_at = FormatTime(SystemClock().Now());
  tables_[name] = std::make_shared<const MemoryTable>(std::move(table));
  loads_.push_back(std::move(load));
  return result;
}

}  // namespace dxt::memory
