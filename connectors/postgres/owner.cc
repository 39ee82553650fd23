#include "connectors/postgres/owner.h"

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "base/digest.h"
#include "base/error.h"
#include "connectors/postgres/load_ledger.h"

namespace dxt::postgres {
namespace {

constexpr std::chrono::seconds kRenewal(5);
constexpr std::chrono::minutes kPatience(10);
constexpr int kLookAgainMs = 100;
constexpr std::string_view kTakingOver = "Taking over the stream";

std::string OthersNamedLike(const std::string& parameter) {
  return "pg_catalog.pg_stat_activity WHERE datname = pg_catalog.current_database() AND "
         "pid <> pg_catalog.pg_backend_pid() AND application_name LIKE " +
         parameter + " || '%'";
}

void Renew(ConnectionPool& pool, const std::string& schema,
           const StreamIdentity& identity, int64_t epoch, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  std::unique_ptr<Connection> connection;
  while (!changed.wait_for(lock, stop, kRenewal, [] { return false; })) {
    if (stop.stop_requested()) break;
    if (!connection || connection->broken()) {
      auto taken = pool.Take(stop);
      if (!taken.ok()) continue;
      connection = std::move(*taken);
    }
    LoadLedger ledger(*connection, schema);
    static_cast<void>(ledger.Renew(identity, epoch, stop));
  }
  pool.Give(std::move(connection));
}

}  // namespace

std::string SessionPrefix(const StreamIdentity& identity) {
  const std::string lane =
      identity.pipeline + '\n' + identity.stream + '\n' + identity.lane;
  return "dxt/" + Sha256Hex(lane).substr(0, 24) + "/";
}

std::string SessionName(const StreamIdentity& identity, int64_t epoch) {
  return SessionPrefix(identity) + std::to_string(epoch);
}

std::unique_ptr<Heartbeat> Heartbeat::Start(ConnectionPool& pool, std::string schema,
                                            StreamIdentity identity, int64_t epoch) {
  std::unique_ptr<Heartbeat> heartbeat(new Heartbeat);
  heartbeat->thread_ = std::jthread(
      [&pool, schema = std::move(schema), identity = std::move(identity), epoch](
          const std::stop_token& stop) { Renew(pool, schema, identity, epoch, stop); });
  return heartbeat;
}

arrow::Status AwaitTurn(Connection& connection, const std::string& schema,
                        const StreamIdentity& identity, const std::string& owner,
                        std::stop_token stop) {
  LoadLedger ledger(connection, schema);
  ARROW_ASSIGN_OR_RAISE(const bool exists, ledger.Exists(stop));
  if (!exists) return arrow::Status::OK();
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const std::string other, ledger.LivingOwner(identity, stop));
    if (other.empty() || other == owner) return arrow::Status::OK();
    ARROW_ASSIGN_OR_RAISE(
        auto sessions,
        connection.Query("SELECT 1 FROM " + OthersNamedLike("$1") + " LIMIT 1",
                         {SessionPrefix(identity)}, kTakingOver, stop));
    if (sessions.rows() == 0) return arrow::Status::OK();
    if (std::chrono::steady_clock::now() > deadline) {
      return MakeError(ErrorClass::kTransient, "load.locked",
                       "Another run (" + other + ") has been loading stream '" +
                           identity.stream + "' for ten minutes",
                       "Wait for it, or end it, and run again");
    }
    if (!connection.Sleep(kLookAgainMs, stop)) {
      return MakeError(ErrorClass::kCancelled, "cancelled", "The run was cancelled");
    }
  }
}

arrow::Status EndSessions(Connection& connection, const StreamIdentity& identity,
                          Sessions which, std::stop_token stop) {
  const std::string spared =
      which == Sessions::kAll ? "" : SessionName(identity, kAcquiring);
  return connection
      .Query("SELECT pg_catalog.pg_terminate_backend(pid) FROM " + OthersNamedLike("$1") +
                 " AND application_name <> $2",
             {SessionPrefix(identity), spared}, kTakingOver, stop)
      .status();
}

arrow::Result<bool> EndSilentOwners(Connection& connection, const std::string& schema,
                                    std::stop_token stop) {
  LoadLedger ledger(connection, schema);
  ARROW_ASSIGN_OR_RAISE(const bool exists, ledger.Exists(stop));
  if (!exists) return false;
  ARROW_ASSIGN_OR_RAISE(const auto fences, ledger.SilentOwners(stop));
  if (fences.empty()) return false;
  std::string names;
  for (const auto& fence : fences) {
    names += (names.empty() ? "{" : ",") + SessionName(fence.identity, fence.epoch);
  }
  ARROW_ASSIGN_OR_RAISE(
      auto ended,
      connection.Query("SELECT pg_catalog.pg_terminate_backend(pid) FROM " +
                           OthersNamedLike("'dxt/'") +
                           " AND application_name = ANY ($1::pg_catalog.text[])",
                       {names + "}"}, kTakingOver, stop));
  return ended.rows() > 0;
}

arrow::Status OrFenced(ConnectionPool& pool, const std::string& schema,
                       const StreamIdentity& identity, int64_t epoch,
                       const arrow::Status& failure) {
  auto connection = Lease::Take(pool, {});
  if (!connection.ok()) return failure;
  LoadLedger ledger(**connection, schema);
  const auto fence = ledger.CheckFence(identity, epoch, {});
  return GetErrorInfo(fence).error_class == ErrorClass::kFenced && !fence.ok() ? fence
                                                                               : failure;
}

}  // namespace dxt::postgres
