#include "connectors/postgres/snapshot.h"

#include <algorithm>

#include "connectors/postgres/reader.h"
#include "connectors/sql/identifier.h"

namespace dxt::postgres {

arrow::Result<std::shared_ptr<SharedSnapshot>> SharedSnapshot::Export(
    ConnectionPool& pool, std::unique_ptr<Connection> leader,
    std::optional<HeldBack> held, std::string_view doing, std::stop_token stop) {
  ARROW_ASSIGN_OR_RAISE(
      auto exported, leader->Run("SELECT pg_catalog.pg_export_snapshot()", doing, stop));
  std::shared_ptr<SharedSnapshot> snapshot(
      new SharedSnapshot(pool, exported.Text(0, 0), std::move(held)));
  snapshot->Give(std::move(leader));
  return snapshot;
}

arrow::Result<std::unique_ptr<Connection>> SharedSnapshot::Take(std::string_view doing,
                                                                std::stop_token stop) {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      auto connection = std::move(idle_.back());
      idle_.pop_back();
      return connection;
    }
  }
  ARROW_ASSIGN_OR_RAISE(auto connection, pool_.Take(stop));
  const std::string import = "; SET TRANSACTION SNAPSHOT " + sql::QuoteLiteral(id_);
  ARROW_RETURN_NOT_OK(
      connection->Run(BeginReadSql(pool_.options(), import), doing, stop).status());
  return connection;
}

void SharedSnapshot::Give(std::unique_ptr<Connection> connection) {
  if (!connection || connection->broken()) return;
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(connection));
}

std::vector<BlockRange> CutBlocks(int64_t blocks, int64_t count) {
  count = std::clamp<int64_t>(count, 1, std::max<int64_t>(1, blocks));
  std::vector<BlockRange> ranges;
  for (int64_t i = 0; i < count; ++i) {
    ranges.push_back({blocks * i / count, blocks * (i + 1) / count});
  }
  // What was added since the blocks were counted is of the last range.
  ranges.back().end = 0;
  return ranges;
}

std::string InRange(const BlockRange& range) {
  const auto tid = [](int64_t block) {
    return "'(" + std::to_string(block) + ",0)'::pg_catalog.tid";
  };
  std::string predicate = "ctid >= " + tid(range.first);
  if (range.end > 0) predicate += " AND ctid < " + tid(range.end);
  return predicate;
}

}  // namespace dxt::postgres
