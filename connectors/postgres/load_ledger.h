#pragma once
// `_dxt_loads` and `_dxt_fence` of one schema, through a connection of the caller's; or
// nothing at all, where the connection has `metadata: off`: then nothing was ever
// recorded, and every owner is the only one.
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "connectors/sdk/destination.h"
#include "connectors/sql/ledger.h"

namespace dxt::postgres {

class Connection;

/// kUnsupported "pg.metadata_off": there is no place for the keys of a tracked mirror.
arrow::Status NoKeys();

class LoadLedger {
 public:
  /// `schema` is the target table's, unless the connection's `metadata` names another.
  LoadLedger(Connection& connection, const std::string& schema);

  /// True when both tables are there; kConfig "state.ledger_damaged" as of
  /// LedgerSql::IsWhole. Writes nothing.
  arrow::Result<bool> Exists(std::stop_token stop);
  /// As Exists; kConfig "pg.metadata_denied", with the SQL for an administrator, when
  /// Ensure could not make the tables or loads could not use them.
  arrow::Result<bool> CheckRights(std::stop_token stop);
  /// Makes what is missing, inside the caller's transaction, under an advisory lock;
  /// kConfig "pg.metadata_denied" as of CheckRights, and the transaction is rolled back.
  arrow::Status Ensure(std::stop_token stop);
  /// The same for `_dxt_keys`, which only tracked mirrors need; NoKeys without
  /// metadata.
  arrow::Status EnsureKeys(std::stop_token stop);
  const std::string& keys_table() const { return keys_table_; }
  /// What an administrator runs so that `role` (quoted) needs no right to create; empty
  /// where nothing is missing. `tracked`: with `_dxt_keys`.
  arrow::Result<std::vector<std::string>> AdministratorSql(const std::string& role,
                                                           bool tracked,
                                                           std::stop_token stop);

  /// Until the end of the caller's transaction nobody else makes these tables or, with
  /// Owner::admits, adds a lane.
  arrow::Status Lock(std::stop_token stop);

  arrow::Result<std::optional<LoadRecord>> Newest(const StreamIdentity& identity,
                                                  std::stop_token stop);
  arrow::Result<std::vector<std::string>> Lanes(const StreamIdentity& identity,
                                                std::stop_token stop);
  arrow::Result<bool> Has(std::string_view load_id, std::stop_token stop);
  arrow::Result<bool> OtherPipeline(const StreamIdentity& identity,
                                    const std::string& target, std::stop_token stop);
  /// Returns the new epoch.
  arrow::Result<int64_t> Bump(const StreamIdentity& identity, const std::string& owner,
                              std::stop_token stop);
  /// Says that the owner of `epoch` lives.
  arrow::Status Renew(const StreamIdentity& identity, int64_t epoch,
                      std::stop_token stop);
  /// Who owns the fence and said within the last 15 s that it lives; "" when nobody.
  arrow::Result<std::string> LivingOwner(const StreamIdentity& identity,
                                         std::stop_token stop);
  struct Fence {
    StreamIdentity identity;
    int64_t epoch = 0;
  };
  /// The fences, of any pipeline, whose owner has not said so within that time.
  arrow::Result<std::vector<Fence>> SilentOwners(std::stop_token stop);
  /// kFenced when the fence is not at `epoch` any more. Looks without a lock: what counts
  /// is Record's own check.
  arrow::Status CheckFence(const StreamIdentity& identity, int64_t epoch,
                           std::stop_token stop);
  /// Prunes, inserts the load and, last, checks the fence; kFenced when it is not ours.
  arrow::Status Record(const StreamIdentity& identity, const LoadRecord& record,
                       int64_t epoch, const std::string& owner, std::stop_token stop);

 private:
  arrow::Status Create(const std::vector<std::string>& statements, std::stop_token stop);
  arrow::Result<bool> KeysExist(std::stop_token stop);
  arrow::Result<bool> SchemaExists(std::stop_token stop);
  /// What makes the tables, and their schema where it is not there.
  std::vector<std::string> Statements(bool schema_exists) const;
  arrow::Status Denied(std::vector<std::string> statements, std::stop_token stop);

  Connection& connection_;
  const bool off_;
  const std::string schema_;
  const sql::LedgerSql sql_;
  const std::string keys_table_;
};

}  // namespace dxt::postgres
