#pragma once
// The facets of SqliteStateStore; each is SQL over the one database.
#include "state/sqlite/database.h"
#include "state/state_store.h"

namespace dxt {

/// Fails with kFenced unless `lease` is the run's newest claim and the run has not ended.
arrow::Status CheckLease(StateDatabase::Transaction& transaction, const Lease& lease);

class SqliteRunStore : public RunStore {
 public:
  explicit SqliteRunStore(StateDatabase& database) : database_(database) {}
  arrow::Result<CreatedRun> Create(const NewRun& run) override;
  arrow::Result<std::optional<RunRecord>> Get(std::string_view id) override;
  arrow::Result<std::vector<RunRecord>> List(const RunQuery& query) override;
  arrow::Result<Lease> Claim(std::string_view id, std::string_view now) override;
  arrow::Status SetState(const Lease& lease, std::string_view state) override;
  arrow::Status Finish(const Lease& lease, const RunOutcome& outcome) override;
  arrow::Status Abandon(std::string_view id, const RunOutcome& outcome) override;
  arrow::Result<std::optional<RunRecord>> FindInterrupted(
      std::string_view project, std::string_view pipeline) override;

  /// Marks what an earlier process left unfinished and forgets the oldest history. Once,
  /// before anything else.
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

}  // namespace dxt
