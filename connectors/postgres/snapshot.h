#pragma once
// One snapshot of a server that several connections read under.
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "connectors/postgres/connection.h"
#include "connectors/sdk/stream.h"

namespace dxt::postgres {

/// Connections in read-only transactions that all see the same rows. The first one has
/// exported its snapshot and stays in its transaction for as long as others may join.
/// Thread-safe.
class SharedSnapshot {
 public:
  /// `leader` is in a transaction of BeginReadSql. `pool` must outlive the snapshot.
  static arrow::Result<std::shared_ptr<SharedSnapshot>> Export(
      ConnectionPool& pool, std::unique_ptr<Connection> leader,
      std::optional<HeldBack> held, std::string_view doing, std::stop_token stop);

  const std::string& id() const { return id_; }
  /// What reads under the snapshot leave out.
  const std::optional<HeldBack>& held() const { return held_; }
  /// A connection in a transaction of the snapshot.
  arrow::Result<std::unique_ptr<Connection>> Take(std::string_view doing,
                                                  std::stop_token stop);
  /// Keeps it, in its transaction, for the next one who asks.
  void Give(std::unique_ptr<Connection> connection);

 private:
  SharedSnapshot(ConnectionPool& pool, std::string id, std::optional<HeldBack> held)
      : pool_(pool), id_(std::move(id)), held_(std::move(held)) {}

  ConnectionPool& pool_;
  const std::string id_;
  const std::optional<HeldBack> held_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_;
};

/// The part of a table that one split reads: its blocks [first, end), end 0 = to the last
/// one.
struct BlockRange {
  int64_t first = 0, end = 0;
};
/// Cuts a table into `count` ranges of about as many blocks.
std::vector<BlockRange> CutBlocks(int64_t blocks, int64_t count);
/// The predicate of the rows in it.
std::string InRange(const BlockRange& range);

}  // namespace dxt::postgres
