#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/result.h>
#include <arrow/type_fwd.h>

#include "connectors/sdk/destination.h"
#include "connectors/sdk/types.h"

namespace dxt::memory {

/// One version of a table; never changed once it is in a database.
struct MemoryTable {
  StreamSchema schema;
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  std::string ident;  ///< Changes when the table is made anew.

  int64_t rows() const;
  std::shared_ptr<arrow::Schema> arrow_schema() const;
};

/// A load as `_dxt_loads` would hold it.
struct MemoryLoad {
  StreamIdentity identity;
  int64_t epoch = 0;
  LoadRecord record;
};

/// Named tables, their fences and their ledger. Safe from any thread. Tests seed and read
/// it here, and can make the next step of a kind fail or do something first.
class MemoryDatabase {
 public:
  /// Done before a step; an error becomes the step's result.
  using Action = std::function<arrow::Status(std::stop_token)>;

  /// Makes or replaces a table. `reference` as in a document; batches must have
  /// ArrowSchema(schema)'s types.
  arrow::Status Seed(const std::string& reference, StreamSchema schema,
                     std::vector<std::shared_ptr<arrow::RecordBatch>> batches);
  /// Null when there is none.
  std::shared_ptr<const MemoryTable> Table(const std::string& reference) const;
  /// All rows of a table as one batch; fails when there is no such table.
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Rows(
      const std::string& reference) const;
  void Drop(const std::string& reference);
  /// References of all tables, in order of name.
  std::vector<std::string> References() const;
  /// Every load, oldest first.
  std::vector<MemoryLoad> Loads() const;

  /// Steps: check describe read acquire open_writer append finish commit commit_answer
  /// (after everything was committed). `action` runs before the next step of that name,
  /// once.
  void Before(std::string step, Action action);
  /// The next step of that name fails with `error` (default: kTransient
  /// "memory.injected"; of commit_answer also with `outcome_unknown`).
  void FailNext(const std::string& step, std::optional<arrow::Status> error = {});
  /// How often a step of that name was begun.
  int64_t Count(const std::string& step) const;

  /// Takes part in a step: counts it and runs what Before left.
  arrow::Status Step(const std::string& step, std::stop_token stop);

  std::optional<LoadRecord> Newest(const StreamIdentity& identity) const;
  std::vector<std::string> Lanes(const StreamIdentity& identity) const;
  bool OtherPipeline(const StreamIdentity& identity) const;
  bool HasLoad(std::string_view load_id) const;
  arrow::Result<int64_t> BumpFence(const StreamIdentity& identity, const Owner& owner);
  /// Makes `batches` and `record` visible together, or changes nothing.
  arrow::Result<CommitResult> Apply(
      const WriteSpec& spec, const LoadRecord& record, const CommitGuards& guards,
      const std::vector<std::shared_ptr<arrow::RecordBatch>>& batches);

 private:
  using LaneKey = std::pair<std::string, std::pair<std::string, std::string>>;
  static LaneKey KeyOf(const StreamIdentity& identity);
  std::shared_ptr<const MemoryTable> FindLocked(const std::string& reference,
                                                std::string* name) const;
  std::vector<std::string> LanesLocked(const StreamIdentity& identity) const;
  std::optional<LoadRecord> NewestLocked(const StreamIdentity& identity) const;

  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const MemoryTable>> tables_;
  std::map<LaneKey, int64_t> fences_;
  std::vector<MemoryLoad> loads_;
  std::map<std::string, std::vector<Action>> actions_;
  std::map<std::string, int64_t> counts_;
  int64_t made_ = 0;
};

}  // namespace dxt::memory
