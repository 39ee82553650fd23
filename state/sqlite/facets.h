#pragma once
// The facets of SqliteStateStore: each is SQL over the one database. What several of them
// do inside one transaction stands at the top.
#include "state/sqlite/database.h"
#include "state/state_store.h"

namespace dxt {

/// Fails with kFenced unless `lease` is the run's newest claim and the run has not ended.
arrow::Status CheckLease(StateDatabase::Transaction& transaction, const Lease& lease);
/// Stores a queued run with its documents and input. A request that was made before gives
/// its run.
arrow::Result<CreatedRun> InsertRun(StateDatabase::Transaction& transaction,
                                    const NewRun& run);
/// As DependencyStore::Ready.
arrow::Result<bool> UpstreamsSucceeded(StateDatabase::Transaction& transaction,
                                       std::string_view project,
                                       std::string_view downstream);
arrow::Status RequirePipeline(StateDatabase::Transaction& transaction,
                              std::string_view project, std::string_view name);
/// The load is committed: what it left out is STORED, what it carried again REPLAYED.
arrow::Status SettleRejected(StateDatabase::Transaction& transaction, const ChainKey& key,
                             const Checkpoint& checkpoint, std::string_view now);
/// Stores `audit` unless it is null.
arrow::Status WriteAudit(StateDatabase::Transaction& transaction,
                         const AuditRecord* audit);
/// As LogStore::Append.
arrow::Result<int64_t> AppendLines(StateDatabase::Transaction& transaction,
                                   std::string_view run,
                                   std::span<const LogRecord> lines);
/// The last revision that a deleted definition of this name had; 0 = there was none.
arrow::Result<int64_t> RetiredRevision(StateDatabase::Transaction& transaction,
                                       std::string_view kind, std::string_view project,
                                       std::string_view name);
arrow::Status RetireRevision(StateDatabase::Transaction& transaction,
                             std::string_view kind, std::string_view project,
                             std::string_view name, int64_t revision);
/// kFenced `state.etag` unless `expected` is unset or equals `stored`.
arrow::Status CheckRevision(std::string_view what, int64_t stored,
                            std::optional<int64_t> expected);
/// The number in the only row and column of `sql`; 0 when there is no row.
arrow::Result<int64_t> ReadNumber(StateDatabase& database, std::string_view sql);
/// "<project>/<name>" as two parts; both "" for "".
std::pair<std::string_view, std::string_view> SplitName(std::string_view name);

class SqliteRunStore : public RunStore {
 public:
  explicit SqliteRunStore(StateDatabase& database) : database_(database) {}
  arrow::Result<CreatedRun> Create(const NewRun& run, const AuditRecord* audit) override;
  arrow::Result<std::optional<RunRecord>> Get(std::string_view id) override;
  arrow::Result<std::vector<RunRecord>> List(const RunQuery& query) override;
  arrow::Result<std::vector<RunRecord>> Queued() override;
  arrow::Result<std::vector<RunRecord>> Interrupted() override;
  arrow::Result<std::optional<StoredInput>> Input(std::string_view id) override;
  arrow::Result<RunStats> Stats() override;
  arrow::Result<Lease> Claim(std::string_view id, std::string_view now) override;
  arrow::Status SetState(const Lease& lease, std::string_view state) override;
  arrow::Result<RunRecord> RequestCancel(std::string_view id, std::string_view reason,
                                         const AuditRecord* audit) override;
  using RunStore::Finish;
  arrow::Result<std::vector<RunRecord>> Finish(
      const Lease& lease, const RunOutcome& outcome,
      std::span<const NewRun> follow_ups) override;
  arrow::Status Abandon(std::string_view id, const RunOutcome& outcome) override;
  arrow::Status Expire(std::string_view id) override;
  arrow::Result<std::optional<RunRecord>> FindInterrupted(
      std::string_view project, std::string_view pipeline) override;
  arrow::Result<int64_t> Prune(std::string_view before, int64_t keep_per_pipeline,
                               std::string_view now) override;

  /// Marks what an earlier process left unfinished. Once, before anything else.
  arrow::Status Recover();

 private:
  StateDatabase& database_;
};

class SqliteCursorStore : public CursorStore {
 public:
  explicit SqliteCursorStore(StateDatabase& database) : database_(database) {}
  arrow::Result<std::optional<Checkpoint>> Load(const ChainKey& key) override;
  arrow::Status Save(const Lease& lease, const ChainKey& key,
                     const Checkpoint& checkpoint, std::string_view now) override;
  arrow::Result<std::vector<ChainRecord>> List(std::string_view pipeline) override;
  arrow::Result<std::optional<Directive>> GetDirective(const ChainKey& key) override;
  arrow::Status SetDirective(const ChainKey& key, const Directive& directive) override;

 private:
  StateDatabase& database_;
};

class SqliteIntentStore : public IntentStore {
 public:
  explicit SqliteIntentStore(StateDatabase& database) : database_(database) {}
  arrow::Status Record(const Lease& lease, const ChainKey& key,
                       const Checkpoint& intended) override;
  arrow::Result<std::optional<Checkpoint>> Pending(const ChainKey& key) override;
  arrow::Status Clear(const Lease& lease, const ChainKey& key,
                      std::string_view load_id) override;

 private:
  StateDatabase& database_;
};

class SqlitePackageIndex : public PackageIndex {
 public:
  explicit SqlitePackageIndex(StateDatabase& database) : database_(database) {}
  arrow::Status Record(const Lease& lease, const PackageRecord& package) override;
  arrow::Result<std::vector<PackageRecord>> List(std::string_view pipeline) override;
  arrow::Result<std::optional<PackageRecord>> Get(std::string_view load_id) override;
  arrow::Status Remove(std::string_view load_id) override;

 private:
  StateDatabase& database_;
};

class SqliteDeadLetterStore : public DeadLetterStore {
 public:
  explicit SqliteDeadLetterStore(StateDatabase& database) : database_(database) {}
  arrow::Status Hold(const Lease& lease, const ChainKey& key, std::string_view load_id,
                     RejectedAt at, std::span<const NewDeadLetter> rows,
                     std::string_view now) override;
  arrow::Status Forget(const Lease& lease, const ChainKey& key,
                       std::span<const std::string> but) override;
  arrow::Result<RejectedCounts> Counts(const ChainKey& key,
                                       std::string_view run) override;
  arrow::Status HoldReplay(const Lease& lease, std::string_view load_id,
                           std::span<const std::string> ids) override;
  arrow::Status Refuse(const Lease& lease, std::string_view id, const NewDeadLetter& why,
                       std::string_view now) override;
  arrow::Result<std::vector<DeadLetter>> List(const DeadLetterQuery& query) override;
  arrow::Result<std::optional<DeadLetter>> Get(std::string_view id) override;
  arrow::Result<int64_t> Drop(const DeadLetterQuery& query,
                              const AuditRecord* audit) override;
  arrow::Result<int64_t> Prune(std::string_view before) override;

 private:
  StateDatabase& database_;
};

class SqliteDefinitionStore : public DefinitionStore {
 public:
  explicit SqliteDefinitionStore(StateDatabase& database) : database_(database) {}
  arrow::Result<ProjectRecord> ApplyProject(const ProjectRecord& record,
                                            std::optional<int64_t> expected_revision,
                                            const AuditRecord* audit) override;
  arrow::Result<std::optional<ProjectRecord>> GetProject(std::string_view name) override;
  arrow::Result<std::vector<ProjectRecord>> ListProjects(std::string_view after_name,
                                                         int limit) override;
  arrow::Status DeleteProject(std::string_view name, const DeleteRules& rules,
                              const AuditRecord* audit) override;
  arrow::Result<PipelineRecord> ApplyPipeline(const PipelineRecord& record,
                                              std::optional<int64_t> expected_revision,
                                              const AuditRecord* audit) override;
  arrow::Result<std::optional<PipelineRecord>> GetPipeline(std::string_view project,
                                                           std::string_view name,
                                                           int64_t revision) override;
  arrow::Result<std::vector<PipelineRecord>> ListPipelines(std::string_view project,
                                                           std::string_view after,
                                                           int limit) override;
  arrow::Result<std::vector<int64_t>> PipelineRevisions(std::string_view project,
                                                        std::string_view name) override;
  arrow::Result<PipelineRecord> SetPaused(std::string_view project, std::string_view name,
                                          bool paused, std::string_view note,
                                          std::string_view now,
                                          const AuditRecord* audit) override;
  arrow::Status DeletePipeline(std::string_view project, std::string_view name,
                               const DeleteRules& rules,
                               const AuditRecord* audit) override;
  arrow::Result<int64_t> CountPipelines() override;

 private:
  StateDatabase& database_;
};

class SqliteScheduleStore : public ScheduleStore {
 public:
  explicit SqliteScheduleStore(StateDatabase& database) : database_(database) {}
  arrow::Result<ScheduleRecord> Create(const ScheduleRecord& record,
                                       const AuditRecord* audit) override;
  arrow::Result<std::optional<ScheduleRecord>> Get(std::string_view project,
                                                   std::string_view name) override;
  arrow::Result<std::vector<ScheduleRecord>> List(std::string_view project,
                                                  std::string_view pipeline,
                                                  std::string_view after,
                                                  int limit) override;
  arrow::Result<ScheduleRecord> Update(const ScheduleRecord& record,
                                       std::optional<int64_t> expected_revision,
                                       const AuditRecord* audit) override;
  arrow::Status Delete(std::string_view project, std::string_view name,
                       const AuditRecord* audit) override;
  arrow::Result<int64_t> CountActive() override;
  arrow::Result<std::vector<ScheduleRecord>> Due(std::string_view now,
                                                 int limit) override;
  arrow::Result<std::optional<std::string>> NextDue() override;
  arrow::Result<std::optional<RunRecord>> Fire(const TickRecord& tick,
                                               std::string_view next_at,
                                               const std::optional<NewRun>& run) override;
  arrow::Result<std::vector<TickRecord>> Ticks(std::string_view project,
                                               std::string_view schedule,
                                               std::string_view before,
                                               int limit) override;

 private:
  StateDatabase& database_;
};

class SqliteDependencyStore : public DependencyStore {
 public:
  explicit SqliteDependencyStore(StateDatabase& database) : database_(database) {}
  arrow::Status Add(const DependencyRecord& record, const AuditRecord* audit) override;
  arrow::Status Remove(std::string_view project, std::string_view upstream,
                       std::string_view downstream, const AuditRecord* audit) override;
  arrow::Result<std::vector<DependencyRecord>> List(std::string_view project) override;
  arrow::Result<std::vector<std::string>> Downstreams(std::string_view project,
                                                      std::string_view upstream) override;
  arrow::Result<bool> Ready(std::string_view project,
                            std::string_view downstream) override;

 private:
  StateDatabase& database_;
};

class SqliteLogStore : public LogStore {
 public:
  explicit SqliteLogStore(StateDatabase& database) : database_(database) {}
  arrow::Result<int64_t> Append(std::string_view run,
                                std::span<const LogRecord> lines) override;
  arrow::Result<std::vector<LogRecord>> Read(std::string_view run, int64_t after,
                                             int limit, std::string_view min_severity,
                                             std::string_view stream) override;
  arrow::Result<int64_t> Prune(std::string_view before) override;

 private:
  StateDatabase& database_;
};

class SqliteAuditStore : public AuditStore {
 public:
  explicit SqliteAuditStore(StateDatabase& database) : database_(database) {}
  arrow::Status Append(const AuditRecord& record) override;
  arrow::Result<std::vector<AuditRecord>> List(int64_t before_id, int limit) override;
  arrow::Result<int64_t> Prune(std::string_view before) override;

 private:
  StateDatabase& database_;
};

}  // namespace dxt
