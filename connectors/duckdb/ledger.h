#pragma once
// Fence and load records in the target's own schema (contracts 3.2).
#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "connectors/duckdb/session.h"
#include "connectors/sdk/destination.h"

namespace dxt {
class Clock;
}

namespace dxt::duckdb {

/// The two tables of one schema. Statements run in the session's transaction, if it has
/// one.
class Ledger {
 public:
  /// `clock` gives renewed_at and committed_at: DuckDB's own now() is the transaction's
  /// start. `session` and `clock` must outlive it.
  Ledger(Session& session, std::string schema, Clock& clock);

  arrow::Result<bool> Exists(std::stop_token stop);
  arrow::Status Create(std::stop_token stop);
  arrow::Result<std::optional<LoadRecord>> Newest(const StreamIdentity& identity,
                                                  std::stop_token stop);
  arrow::Result<std::vector<std::string>> Lanes(const StreamIdentity& identity,
                                                std::stop_token stop);
  arrow::Result<bool> HasLoad(std::string_view load_id, std::stop_token stop);
  arrow::Result<bool> OtherPipeline(const StreamIdentity& identity,
                                    const std::string& target, std::stop_token stop);
  arrow::Result<int64_t> Bump(const StreamIdentity& identity, const std::string& owner,
                              std::stop_token stop);
  /// kFenced "load.fenced" when the fence is not, or no longer, at `epoch`. Writes the
  /// row, so that an owner who comes before the commit makes it fail.
  arrow::Status CheckFence(const StreamIdentity& identity, int64_t epoch,
                           std::stop_token stop);
  arrow::Status Insert(const StreamIdentity& identity, int64_t epoch,
                       const LoadRecord& record, std::stop_token stop);

 private:
  struct FenceRow {
    int64_t epoch = 0;
    std::string owner;
  };
  arrow::Result<std::optional<FenceRow>> TakeRow(const StreamIdentity& identity,
                                                 std::optional<int64_t> epoch,
                                                 std::stop_token stop);
  arrow::Status PutRow(const StreamIdentity& identity, int64_t epoch,
                       const std::string& owner, std::stop_token stop);

  Session& session_;
  std::string schema_;
  Clock& clock_;
};

}  // namespace dxt::duckdb
