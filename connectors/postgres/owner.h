#pragma once
// Who loads a stream: how an owner shows that it lives, and what a newcomer does about
// it.
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>

#include <arrow/result.h>

#include "connectors/postgres/connection.h"
#include "connectors/sdk/destination.h"

namespace dxt::postgres {

/// The epoch in the name of a session that has not got one yet.
inline constexpr int64_t kAcquiring = 0;

/// Names the session of a transaction that takes the stream over, or holds a window (its
/// application_name), so that a newcomer finds it.
std::string SessionName(const StreamIdentity& identity, int64_t epoch);

/// What the names of all sessions of the lane begin with. In hexadecimal, so that it is
/// its own LIKE pattern.
std::string SessionPrefix(const StreamIdentity& identity);

/// Renews the fence's time every five seconds, on a connection of its own and not before
/// the first five are over, until it is destroyed. A failure is left to the load itself.
class Heartbeat {
 public:
  static std::unique_ptr<Heartbeat> Start(ConnectionPool& pool, std::string schema,
                                          StreamIdentity identity, int64_t epoch);

 private:
  Heartbeat() = default;
  std::jthread thread_;
};

/// Waits while another owner loads the stream and lives: its session is there, and the
/// fence's time is younger than 15 s by the server's clock. Returns at once when there is
/// no ledger yet, or when `owner` is the other. kTransient "load.locked" after ten
/// minutes.
arrow::Status AwaitTurn(Connection& connection, const std::string& schema,
                        const StreamIdentity& identity, const std::string& owner,
                        std::stop_token stop);

/// Which sessions of a stream are ended.
enum class Sessions : uint8_t { kOfOwners, kAll };

/// Ends the sessions of the stream's owners, or also of those that are about to become
/// one: what they have not committed they never will, but their locks would stay for as
/// long as nobody notices that they hang.
arrow::Status EndSessions(Connection& connection, const StreamIdentity& identity,
                          Sessions which, std::stop_token stop);

/// The same for owners of any stream into `schema` that have not said for 15 s that they
/// live: one that hangs within its commit keeps even those from the target's table who
/// only look at it. False when there was none.
arrow::Result<bool> EndSilentOwners(Connection& connection, const std::string& schema,
                                    std::stop_token stop);

/// `failure` of a session that is gone: kFenced if it was a newcomer that ended it, which
/// must not be tried again.
arrow::Status OrFenced(ConnectionPool& pool, const std::string& schema,
                       const StreamIdentity& identity, int64_t epoch,
                       const arrow::Status& failure);

}  // namespace dxt::postgres
